//! [`Segment`]: an existing segment, opened for reading, its header understood.

use wal_core::format::MAGIC;
use wal_core::format::{HEADER_LEN, HeaderFault, Identity, SegmentHeader, is_blank};
use wal_core::{
    Epoch, Error, ErrorKind, LogId, Lsn, Naming, Result, SegmentId, SegmentReader, SegmentStore,
    Unwritten,
};

use crate::frames::{FrameReader, Step};
use crate::verify::is_unreadable;

/// Bytes that a medium loses at a time, as far as they are told apart here: a page of the cache, and a block of
/// most disks. A sector may be smaller.
pub(crate) const BLOCK: u64 = 4096;
/// Bytes read at a time where a segment is only looked through.
const CHUNK: usize = 256 * 1024;
/// How often a file that another writer may be using again is opened anew.
const LOOKS: usize = 3;
/// Blocks that cannot be read and are passed where the end of a segment is looked for: a failing disk takes
/// seconds for each of them.
const MOST_BAD: usize = 16;
/// How far something without a header is looked through, to say what it is.
const LOOKED_AT: u64 = 1 << 20;

/// A segment with a sound header.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) header: SegmentHeader,
    pub(crate) identity: Identity,
    /// Bytes it had when it was opened, prepared space included.
    pub(crate) size: u64,
    reader: Box<dyn SegmentReader>,
}

/// What is behind a segment's name.
#[derive(Debug)]
pub(crate) enum Opened {
    /// A segment.
    Sound(Segment),
    /// The beginning of one that a crash interrupted, in a store whose segments are there before
    /// their first sync ([`Naming::AtCreate`]): nothing but parts of a header, or nothing at all. A
    /// header is durable before anything else is written, so nothing can have been lost with it.
    Begun,
    /// No sound header and nothing behind it, in such a store, and bytes that no writer of ours would
    /// have begun with: another's, or a header that the power cut garbled as it was written.
    Garbled,
}

impl Segment {
    /// Opens a segment that may be an interrupted beginning.
    ///
    /// Beside a writer that prunes and uses files again, the file that was opened under this name may be
    /// another segment's by the time its header is read. So nothing is wrong with it before it was opened
    /// twice and found the same; where it has gone meanwhile, that is what the error says.
    pub(crate) fn open(store: &dyn SegmentStore, id: SegmentId) -> Result<Opened> {
        let mut opened = Self::open_once(store, id);
        for _ in 0..LOOKS {
            let Err(error) = &opened else { break };
            if error.kind() != ErrorKind::Corrupt {
                break;
            }
            let again = Self::open_once(store, id);
            if again.as_ref().is_err_and(|again| again.is_like(error)) {
                break;
            }
            opened = again;
        }
        opened
    }

    fn open_once(store: &dyn SegmentStore, id: SegmentId) -> Result<Opened> {
        let io = |what, cause| Error::io(what, cause).segment(id);
        let reader =
            store.open(id).map_err(|cause| unlike(id, "opening a segment failed", cause))?;
        let size = reader.size().map_err(|cause| io("measuring a segment failed", cause))?;
        let mut header = vec![0; HEADER_LEN];
        let read = reader
            .read_at(0, &mut header)
            .map_err(|cause| unlike(id, "reading a segment header failed", cause))
            .map_err(|error| if is_unreadable(&error) { error.offset(0) } else { error })?;
        header.truncate(read);
        let error = |kind, what: String| Error::new(kind, what).segment(id).offset(0);
        match SegmentHeader::decode(&header) {
            Ok(header) if header.id == id => {
                let identity = Identity::of(&header);
                Ok(Opened::Sound(Self { header, identity, size, reader }))
            }
            Ok(header) => {
                let what = format!("the file of this segment holds segment {}", header.id);
                Err(error(ErrorKind::Corrupt, what))
            }
            Err(HeaderFault::Version(version)) => {
                let what = format!("format version {version} is newer than this build knows");
                Err(error(ErrorKind::Unsupported, what))
            }
            Err(HeaderFault::Features(bits)) => {
                let what = format!("features {bits:#x} are not known to this build");
                Err(error(ErrorKind::Unsupported, what))
            }
            Err(HeaderFault::Blank | HeaderFault::Damaged) => {
                let begins_late = store.guarantees().naming == Naming::AtSync;
                // What is behind decides something only where it can be a beginning; else it is looked
                // at for the words of the error, and a stray sparse file may be as large as it likes.
                let end = if begins_late { size.min(LOOKED_AT) } else { size };
                let written = last_written(&*reader, id, HEADER_LEN as u64, end)?.end;
                if !begins_late && written.is_none() {
                    let ours = is_part_of_header(&header);
                    return Ok(if ours { Opened::Begun } else { Opened::Garbled });
                }
                let what = match written {
                    None if size == 0 => "this segment is empty, which no crash leaves",
                    None if is_blank(&header) && end < size => {
                        "this segment begins with nothing but zeros, which no crash leaves"
                    }
                    None if is_blank(&header) => {
                        "this segment holds nothing but zeros, which no crash leaves"
                    }
                    _ => "segment header is damaged",
                };
                Err(error(ErrorKind::Corrupt, what.into()))
            }
            Err(_) => Err(error(ErrorKind::Corrupt, "segment header makes no sense".into())),
        }
    }

    /// Opens a segment that other segments vouch for.
    pub(crate) fn open_sound(store: &dyn SegmentStore, id: SegmentId) -> Result<Self> {
        match Self::open(store, id)? {
            Opened::Sound(segment) => Ok(segment),
            Opened::Begun | Opened::Garbled => {
                let what = "segment header is damaged";
                Err(Error::new(ErrorKind::Corrupt, what).segment(id).offset(0))
            }
        }
    }

    /// Whether there is no such segment any more: its space may hold another one by now.
    pub(crate) fn is_gone(&self, store: &dyn SegmentStore) -> bool {
        match Self::open(store, self.header.id) {
            Err(error) => error.kind() == ErrorKind::NotFound,
            Ok(Opened::Sound(there)) => there.identity != self.identity,
            Ok(Opened::Begun | Opened::Garbled) => false,
        }
    }

    /// The segment of this number by its name in the checksums alone, where its header is damaged: its
    /// log, number, epoch and salt, as the bytes of the header have them, are right where a frame
    /// verifies by them. Nothing else of the header is believed.
    pub(crate) fn by_frames(store: &dyn SegmentStore, id: SegmentId) -> Option<Self> {
        let reader = store.open(id).ok()?;
        let size = reader.size().ok()?;
        let mut bytes = vec![0; HEADER_LEN];
        if reader.read_at(0, &mut bytes).ok()? < HEADER_LEN {
            return None;
        }
        let number = |at: usize| {
            let mut field = [0; 8];
            field.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(field)
        };
        let mut log = [0; 16];
        log.copy_from_slice(&bytes[24..40]);
        if number(40) != id.get() {
            return None;
        }
        let (epoch, salt) = (Epoch::new(number(48)), number(64));
        let header = SegmentHeader::new(LogId(log), id, epoch, Lsn::FIRST, salt);
        let identity = Identity::of(&header);
        let mut segment = Self { header, identity, size, reader };
        match FrameReader::new(HEADER_LEN as u64, size).step(&segment).ok()? {
            Step::Frame(frame) => {
                segment.header.first_lsn = frame.header.first_lsn;
                Some(segment)
            }
            _ => None,
        }
    }

    /// Bytes it has by now, prepared space included.
    pub(crate) fn size_now(&self) -> Result<u64> {
        let io = |cause| Error::io("measuring a segment failed", cause).segment(self.header.id);
        self.reader.size().map_err(io)
    }

    /// Fills as much of `buffer` as there is from `offset` on. Where the medium does not give all of it, the
    /// error is at the first block that it does not give.
    pub(crate) fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        match self.read_before(offset, buffer) {
            (read, None) => Ok(read),
            (_, Some(error)) => Err(error),
        }
    }

    /// As [`read_at`](Self::read_at); with an error comes how many bytes were read before its place, and are
    /// in `buffer`.
    pub(crate) fn read_before(&self, offset: u64, buffer: &mut [u8]) -> (usize, Option<Error>) {
        read_before(&*self.reader, self.header.id, offset, buffer)
    }

    /// As [`read_before`](Self::read_before) where the block that the medium does not give is known by its
    /// place, and is no error.
    pub(crate) fn read_up_to_bad(
        &self,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<(usize, Option<u64>)> {
        let (read, error) = self.read_before(offset, buffer);
        let Some(error) = error else { return Ok((read, None)) };
        bad_block(&error).map_or(Err(error), |bad| Ok((read, Some(bad))))
    }

    /// Damage at this byte, where this record was expected.
    pub(crate) fn corrupt(&self, what: &'static str, offset: u64, lsn: Lsn) -> Error {
        Error::new(ErrorKind::Corrupt, what).segment(self.header.id).offset(offset).lsn(lsn)
    }

    /// What was written from `from` on, as far as it can be told: nothing where space never written can be
    /// anything.
    pub(crate) fn last_written(&self, from: u64) -> Result<Written> {
        if self.header.unwritten != Unwritten::Zeros {
            return Ok(Written::default());
        }
        last_written(&*self.reader, self.header.id, from, self.size)
    }
}

/// What is behind some byte and is not zeros.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// The end of the last block of it, a block that the medium does not give being one.
    pub(crate) end: Option<u64>,
    /// The blocks that the medium does not give.
    pub(crate) bad: BadBlocks,
}

/// Blocks that the medium does not give, and that count as ones with any bytes in them.
#[derive(Debug, Default)]
pub(crate) struct BadBlocks {
    /// Where the first one begins.
    pub(crate) first: Option<u64>,
    passed: usize,
}

impl BadBlocks {
    /// Takes note of the block that this error is at, and says where it begins. Any other error stays one, and
    /// so does that of a block too many.
    pub(crate) fn pass(&mut self, error: Error) -> Result<u64> {
        self.passed += 1;
        let bad = bad_block(&error).filter(|_| self.passed <= MOST_BAD).ok_or(error)?;
        self.first = self.first.or(Some(bad));
        Ok(bad)
    }
}

/// Whether these bytes can be what a crash left of a header that was being written: some of its
/// blocks, and zeros in place of the others.
fn is_part_of_header(bytes: &[u8]) -> bool {
    /// Fields end before this, and the checksum begins behind it.
    const ZEROS: std::ops::Range<usize> = 168..HEADER_LEN - 4;
    let begins = bytes.len() < MAGIC.len() || is_blank(&bytes[..8]) || bytes[..8] == MAGIC;
    let between = ZEROS.start.min(bytes.len())..ZEROS.end.min(bytes.len());
    let short = bytes.len() < MAGIC.len() && !is_blank(bytes) && !MAGIC.starts_with(bytes);
    begins && !short && is_blank(&bytes[between])
}

/// Something that is no file has the segment's name, or the system's own error.
fn unlike(id: SegmentId, what: &'static str, cause: std::io::Error) -> Error {
    use std::io::ErrorKind::{InvalidData, InvalidInput, IsADirectory, NotADirectory};
    if matches!(cause.kind(), InvalidData | InvalidInput | IsADirectory | NotADirectory) {
        let what = "what has the name of this segment is no file that can be read";
        return Error::new(ErrorKind::Corrupt, what).segment(id).because(cause);
    }
    Error::reading(what, cause).segment(id)
}

/// Reads as many bytes as the medium gives before the first block that it does not, and says what is wrong
/// with that one, and at its place.
///
/// A read of many bytes fails for one sector among them, and gives none of the others. A failing disk takes
/// seconds for each read of that sector, so there are two of these in all, and one where no other block was
/// asked for. Where the system refuses the file to this process, no block of it is worse than another.
fn read_before(
    reader: &dyn SegmentReader,
    id: SegmentId,
    offset: u64,
    buffer: &mut [u8],
) -> (usize, Option<Error>) {
    let failed = |at: u64, cause| {
        let error = Error::reading("reading a segment failed", cause).segment(id).offset(at);
        if is_unreadable(&error) { error.offset(at - at % BLOCK) } else { error }
    };
    let error = match reader.read_at(offset, buffer) {
        Ok(read) => return (read, None),
        Err(cause) => failed(offset, cause),
    };
    let to_end_of_block = |at: u64| usize::try_from(BLOCK - at % BLOCK).unwrap_or(usize::MAX);
    if buffer.len() <= to_end_of_block(offset) || !is_unreadable(&error) {
        return (0, Some(error));
    }
    let mut read = 0;
    while read < buffer.len() {
        let at = offset + read as u64;
        let end = buffer.len().min(read + to_end_of_block(at));
        match reader.read_at(at, &mut buffer[read..end]) {
            Ok(0) => break,
            Ok(count) => read += count,
            Err(cause) => return (read, Some(failed(at, cause))),
        }
    }
    (read, None)
}

fn last_written(
    reader: &dyn SegmentReader,
    id: SegmentId,
    from: u64,
    size: u64,
) -> Result<Written> {
    let mut written = Written::default();
    let mut chunk = vec![0; CHUNK];
    let mut offset = from;
    while offset < size {
        let there = usize::try_from(size - offset).unwrap_or(usize::MAX).min(CHUNK);
        let (read, error) = read_before(reader, id, offset, &mut chunk[..there]);
        let bad = error.map(|error| written.bad.pass(error)).transpose()?;
        if read == 0 && bad.is_none() {
            break;
        }
        for (number, block) in chunk[..read].chunks(4096).enumerate() {
            if !is_blank(block) {
                written.end = Some(offset + (number * 4096 + block.len()) as u64);
            }
        }
        offset += read as u64;
        if let Some(bad) = bad {
            offset = (bad + BLOCK).min(size);
            written.end = Some(offset);
        }
    }
    Ok(written)
}

/// The place of the block that the medium does not give, where that is the error.
fn bad_block(error: &Error) -> Option<u64> {
    error.at_offset().filter(|_| is_unreadable(error))
}
