//! [`Scan`]: what a segment holds, how it ends, and whether that is damage.

use wal_core::format::{
    Anchor, FRAME_ALIGN, FRAME_HEADER_LEN, FrameFault, FrameHeader, FrameKind, HEADER_LEN,
    OpenSegment, Predecessor, Seal, Start, UNBOUNDED, is_blank, seal_offset,
};
use wal_core::{Error, ErrorKind, Lsn, Position, Result, Unwritten};

use crate::doubt::{Doubt, Place};
use crate::frames::{Frame, FrameReader, Step};
use crate::segment::{BLOCK, BadBlocks, Segment};
use crate::verify::is_unreadable;

/// Bytes looked through at a time behind the first fault.
const CHUNK: usize = 256 * 1024;

/// What a segment holds.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Scan {
    /// The end of its last sound frame, in bytes, a seal not counted.
    pub end: u64,
    /// The last record in or before it.
    pub last_lsn: Lsn,
    /// Bytes of the seal behind it, or 0.
    pub seal_len: u64,
    /// Its records.
    pub records: u64,
    /// Its frames, of every kind but a seal.
    pub frames: u64,
    /// Where it says that the log begins.
    pub start: Start,
    /// Where it says so as far as something vouches for it.
    pub vouched_start: Start,
    /// The last record that something later in the segment, or its header, vouches for.
    pub vouched: Lsn,
    /// Where the first frame begins that nothing vouches for, with records or without;
    /// [`end`](Self::end) where there is none.
    pub doubt: u64,
    /// The last record before [`doubt`](Self::doubt).
    pub doubt_lsn: Lsn,
    /// Bytes of the frames with records from [`doubt`](Self::doubt) on.
    pub doubt_bytes: u64,
    /// How it ends.
    pub ending: Ending,
    /// The first block behind its frames that the medium does not give, if there is one: such a block
    /// counts as one with any bytes in it.
    pub unreadable: Option<u64>,
    /// Bytes read.
    pub scanned: u64,
}

/// How the bytes of a segment end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// With a seal: rotation or a clean close.
    Sealed,
    /// With space never written, or with the end of the file.
    Open,
    /// With bytes of a write that no sync had covered.
    Torn {
        /// Where they begin.
        offset: u64,
        /// How many there are, up to the last block that is not zero.
        bytes: u64,
    },
}

/// A frame as a scan meets it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct FrameNote {
    /// Its header.
    pub header: FrameHeader,
    /// Where it is.
    pub position: Position,
}

impl Scan {
    /// What a successor's header says of this segment if it takes all of it.
    pub(crate) fn as_predecessor(&self, segment: &Segment) -> Predecessor {
        Predecessor {
            id: segment.header.id,
            length: self.doubt,
            seal_len: if self.doubt == self.end { self.seal_len } else { 0 },
            last_lsn: self.doubt_lsn,
            identity: segment.identity,
            since: segment.header.since(),
        }
    }

    /// The last segment of a log: by its seal alone where it has one at its very end, else frame by
    /// frame. An `anchor` that names it says that some of it was durable, and vouches for that as a later
    /// frame does.
    pub(crate) fn tail(segment: &Segment, anchor: Option<&Anchor>) -> Result<Self> {
        match sealed_end(segment)? {
            Some(frame) => Self::by_seal(segment, &frame),
            None => Self::whole_through(segment, anchor, &mut |_| Ok(())),
        }
    }

    /// Every frame of a segment that nothing follows.
    pub(crate) fn whole(
        segment: &Segment,
        visit: &mut dyn FnMut(&Frame) -> Result<()>,
    ) -> Result<Self> {
        Self::whole_through(segment, None, visit)
    }

    fn whole_through(
        segment: &Segment,
        anchor: Option<&Anchor>,
        visit: &mut dyn FnMut(&Frame) -> Result<()>,
    ) -> Result<Self> {
        let mut reader = FrameReader::new(HEADER_LEN as u64, segment.size);
        let mut tally = Tally::new(segment);
        if let Some(anchor) = anchor {
            tally.durable = (anchor.last_lsn, anchor.durable_end);
        }
        loop {
            let offset = reader.offset();
            match reader.step(segment)? {
                Step::Frame(frame) => {
                    tally.add(segment, &frame)?;
                    visit(&frame)?;
                    if frame.header.kind == FrameKind::Seal {
                        let behind = behind_seal(segment, reader.offset())?;
                        return tally.finish(segment, behind);
                    }
                }
                Step::Fault(FrameFault::Kind(_) | FrameFault::Flags(_)) => {
                    return Err(newer(segment, offset));
                }
                Step::Fault(FrameFault::Nonsense) => {
                    return Err(segment.corrupt(
                        "frame header makes no sense",
                        offset,
                        tally.next(),
                    ));
                }
                Step::Fault(_) | Step::Limit => match judge(segment, offset, tally.next()) {
                    Ok(behind) => return tally.finish(segment, behind),
                    Err(damage) => {
                        // Or the log is being written: its frames appear while they are looked at.
                        reader = FrameReader::new(offset, segment.size);
                        match reader.step(segment)? {
                            Step::Frame(_) => reader = FrameReader::new(offset, segment.size),
                            _ => return Err(damage),
                        }
                    }
                },
            }
        }
    }

    /// Every frame of a segment whose successor says how much of it counts.
    pub(crate) fn bounded(
        segment: &Segment,
        successor: &Predecessor,
        visit: &mut dyn FnMut(&Frame) -> Result<()>,
    ) -> Result<Self> {
        let mut reader = FrameReader::new(HEADER_LEN as u64, successor.length);
        let mut tally = Tally::new(segment);
        loop {
            let offset = reader.offset();
            match reader.step(segment)? {
                Step::Frame(frame) => {
                    tally.add(segment, &frame)?;
                    visit(&frame)?;
                }
                Step::Limit => break,
                Step::Fault(FrameFault::Kind(_) | FrameFault::Flags(_)) => {
                    return Err(newer(segment, offset));
                }
                Step::Fault(_) => {
                    let what = "frame is damaged, and the next segment vouches for it";
                    return Err(segment.corrupt(what, offset, tally.next()));
                }
            }
        }
        if tally.open.last_lsn() != successor.last_lsn {
            let what = "segment does not end with the record that the next one says";
            return Err(segment.corrupt(what, successor.length, tally.next()));
        }
        // The seal is not needed here; where it is damaged, no record is hurt.
        let mut behind = Behind { ending: Ending::Open, unreadable: None };
        let sealed_len = successor.length + successor.seal_len;
        if successor.seal_len > 0 {
            behind.ending = Ending::Torn { offset: successor.length, bytes: successor.seal_len };
            reader.set_limit(sealed_len);
            if let Step::Frame(frame) = reader.step(segment)?
                && frame.header.kind == FrameKind::Seal
                && reader.offset() == sealed_len
            {
                tally.add(segment, &frame)?;
                visit(&frame)?;
                behind = behind_seal(segment, sealed_len)?;
            }
        }
        tally.finish(segment, behind)
    }

    fn by_seal(segment: &Segment, frame: &Frame) -> Result<Self> {
        let Some(seal) = Seal::decode(&frame.body) else {
            return Err(segment.corrupt("seal makes no sense", frame.offset, Lsn::ZERO));
        };
        Ok(Self {
            end: frame.offset,
            last_lsn: seal.max_lsn,
            seal_len: frame.header.frame_len(),
            records: seal.records,
            frames: seal.frames,
            start: seal.start,
            vouched_start: seal.start,
            vouched: seal.max_lsn,
            doubt: frame.offset,
            doubt_lsn: seal.max_lsn,
            doubt_bytes: 0,
            ending: Ending::Sealed,
            unreadable: None,
            scanned: HEADER_LEN as u64 + frame.header.frame_len(),
        })
    }
}

/// The seal at the very end of a segment, found from there.
pub(crate) fn sealed_end(segment: &Segment) -> Result<Option<Frame>> {
    let mut trailer = [0; 8];
    let Some(last) = segment.size.checked_sub(trailer.len() as u64) else { return Ok(None) };
    let read = segment.read_at(last, &mut trailer)?;
    let Some(offset) = seal_offset(&trailer[..read], segment.size) else { return Ok(None) };
    let seal = seal_at(segment, offset)?;
    Ok(seal.filter(|frame| offset + frame.header.frame_len() == segment.size))
}

/// The seal at this byte.
pub(crate) fn seal_at(segment: &Segment, offset: u64) -> Result<Option<Frame>> {
    match FrameReader::new(offset, segment.size).step(segment)? {
        Step::Frame(frame) if frame.header.kind == FrameKind::Seal => Ok(Some(frame)),
        _ => Ok(None),
    }
}

/// What is behind the frames of a segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Behind {
    pub(crate) ending: Ending,
    /// The first block of it that the medium does not give.
    pub(crate) unreadable: Option<u64>,
}

/// What is behind a seal that ends before this byte: nothing but space never written, or bytes that belong
/// to nothing.
fn behind_seal(segment: &Segment, end: u64) -> Result<Behind> {
    let written = segment.last_written(end)?;
    let ending = match written.end {
        None => Ending::Sealed,
        Some(last) => Ending::Torn { offset: end, bytes: last - end },
    };
    Ok(Behind { ending, unreadable: written.bad.first })
}

/// What was looked for, none where the medium does not give it: for what helps, as a seal does, and is not
/// needed.
pub(crate) fn if_readable<T>(found: Result<Option<T>>) -> Result<Option<T>> {
    match found {
        Err(error) if is_unreadable(&error) => Ok(None),
        found => found,
    }
}

/// What a scan has met so far.
struct Tally {
    open: OpenSegment,
    seal_len: u64,
    doubt: Doubt,
    /// What is behind the last frame.
    at: Place,
    /// The last record that was durable by the word of something that is no frame, and the byte before
    /// which all was.
    durable: (Lsn, u64),
}

impl Tally {
    fn new(segment: &Segment) -> Self {
        let open = OpenSegment::new(segment.header.clone());
        let (doubt, at) = (Doubt::new(&open), Place::beginning(&open));
        Self { seal_len: 0, doubt, at, durable: (Lsn::ZERO, 0), open }
    }

    fn next(&self) -> Lsn {
        self.open.last_lsn().next()
    }

    fn add(&mut self, segment: &Segment, frame: &Frame) -> Result<()> {
        let header = &frame.header;
        let next = self.next();
        if header.first_lsn != next {
            return Err(segment.corrupt("frame is out of order", frame.offset, next));
        }
        match header.kind {
            FrameKind::Seal => self.check_seal(segment, frame)?,
            FrameKind::Start => {
                let what = "frame with the log's start makes no sense";
                let start = Start::decode(&frame.body);
                let wrong = || segment.corrupt(what, frame.offset, next);
                self.open.note_start(start.ok_or_else(wrong)?);
            }
            _ => {}
        }
        self.doubt.hear(header, frame.offset);
        if header.kind == FrameKind::Seal {
            self.seal_len = header.frame_len();
            return Ok(());
        }
        self.doubt.pass(&mut self.at, header, self.open.start());
        self.open.note(header, &frame.encoded);
        Ok(())
    }

    fn check_seal(&self, segment: &Segment, frame: &Frame) -> Result<()> {
        let right = Seal::decode(&frame.body).is_some_and(|seal| {
            seal.digest == self.open.digest()
                && seal.frames == self.open.frames()
                && seal.records == self.open.records()
                && seal.max_lsn == self.open.last_lsn()
        });
        if right {
            return Ok(());
        }
        Err(segment.corrupt("seal does not fit the frames before it", frame.offset, self.next()))
    }

    fn finish(mut self, segment: &Segment, behind: Behind) -> Result<Scan> {
        let (lsn, end) = self.durable;
        self.doubt.hear_durable(lsn.min(self.open.last_lsn()), end.min(self.open.end()));
        let first = self.doubt.first(segment, self.at)?;
        Ok(Scan {
            end: self.open.end(),
            last_lsn: self.open.last_lsn(),
            seal_len: self.seal_len,
            records: self.open.records(),
            frames: self.open.frames(),
            start: self.open.start(),
            vouched_start: first.start,
            vouched: self.doubt.vouched(),
            doubt: first.offset,
            doubt_lsn: first.lsn,
            doubt_bytes: self.at.record_bytes - first.record_bytes,
            ending: behind.ending,
            unreadable: behind.unreadable,
            scanned: segment.size,
        })
    }
}

/// The end of the log, a torn tail, or corruption: the rules are on the crate's page.
///
/// Bytes that are neither zeros nor a frame belong to the torn tail, but in space of a former life. They
/// are no proof that more was in flight than can have been: zeros that were being written far ahead, or a
/// block that the file just got, may read as anything after a power cut.
///
/// A block further on that the medium does not give counts as such bytes. The bytes at `offset` were read, and
/// are no frame: what the block holds belongs to no record that could still be given, and all it could say is
/// that the record at `offset` was durable. A medium that lost both has lost two blocks.
pub(crate) fn judge(segment: &Segment, offset: u64, lsn: Lsn) -> Result<Behind> {
    let reused = segment.header.unwritten != Unwritten::Zeros;
    // The end of what is not as it was before anything was written, and of the last frame.
    let (mut last_written, mut last_frame) = (None, None);
    let (mut unknown, mut passed) = (None, BadBlocks::default());
    let mut chunk = vec![0; CHUNK + FRAME_HEADER_LEN];
    let mut at = offset;
    while at < segment.size {
        // Nothing behind what there was when the segment was opened: where a writer has gone on meanwhile, that
        // vouches for frames which are complete by now, and which reached behind the end then.
        let there = usize::try_from(segment.size - at).unwrap_or(usize::MAX).min(chunk.len());
        let (read, error) = segment.read_before(at, &mut chunk[..there]);
        let bad = error.map(|error| passed.pass(error)).transpose()?;
        if read == 0 && bad.is_none() {
            break;
        }
        let advance = read.min(CHUNK);
        for block in (0..advance).step_by(4096) {
            let block_end = (block + 4096).min(advance);
            if is_blank(&chunk[block..block_end]) {
                continue;
            }
            if !reused {
                last_written = Some(at + block_end as u64);
            }
            // Headers may reach into the next block, and the chunk has room for the last one.
            for from in (block..block_end).step_by(FRAME_ALIGN) {
                let place = at + from as u64;
                let end = (from + FRAME_HEADER_LEN).min(read);
                if place == offset && !reused {
                    continue;
                }
                let witness = FrameHeader::witness(&chunk[from..end], segment.identity, place);
                let Some(witness) = witness else { continue };
                if place != offset && witness.vouches_for(place, lsn, offset) {
                    let what = "frame is damaged, and a later one vouches for it";
                    return Err(segment.corrupt(what, offset, lsn));
                }
                if !witness.known {
                    unknown = unknown.or(Some(place));
                }
                // Between the bytes of another life, only what is surely of this one counts.
                let behind = Some((place + witness.frame_len).min(segment.size));
                last_written = last_written.max(behind);
                last_frame = last_frame.max(behind);
            }
        }
        at += advance as u64;
        if let Some(bad) = bad.filter(|bad| *bad <= at) {
            at = (bad + BLOCK).min(segment.size);
            if !reused {
                last_written = Some(at);
            }
        }
    }
    // What is not understood is not cut.
    if let Some(place) = unknown {
        return Err(newer(segment, place));
    }
    let unreadable = passed.first;
    let Some(end) = last_written else { return Ok(Behind { ending: Ending::Open, unreadable }) };
    let bytes = end - offset;
    let bound = segment.header.in_flight;
    let wide = last_frame.map_or(0, |end| end - offset);
    if bound != UNBOUNDED && wide > bound {
        let what = "damage is wider than what can have been in flight";
        return Err(segment.corrupt(what, offset, lsn));
    }
    Ok(Behind { ending: Ending::Torn { offset, bytes }, unreadable })
}

fn newer(segment: &Segment, offset: u64) -> Error {
    let what = "frame is of a kind that this build does not know";
    Error::new(ErrorKind::Unsupported, what).segment(segment.header.id).offset(offset)
}
