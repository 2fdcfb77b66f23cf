//! [`Scan`]: what a segment holds, how it ends, and whether that is damage.

use wal_core::format::{
    Anchor, FRAME_ALIGN, FRAME_HEADER_LEN, FrameFault, FrameHeader, FrameKind, HEADER_LEN,
    OpenSegment, Predecessor, Seal, Start, UNBOUNDED, is_blank, seal_offset,
};
use wal_core::{Error, ErrorKind, Lsn, Position, Result, Unwritten};

use crate::doubt::{Doubt, Place};
use crate::frames::{Frame, FrameReader, Step};
use crate::segment::Segment;
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
                        let behind = reader.offset();
                        let ending = match segment.last_written(behind)? {
                            None => Ending::Sealed,
                            Some(end) => Ending::Torn { offset: behind, bytes: end - behind },
                        };
                        return tally.finish(segment, ending);
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
                    Ok(ending) => return tally.finish(segment, ending),
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
        let mut ending = Ending::Open;
        let sealed_len = successor.length + successor.seal_len;
        if successor.seal_len > 0 {
            ending = Ending::Torn { offset: successor.length, bytes: successor.seal_len };
            reader.set_limit(sealed_len);
            if let Step::Frame(frame) = reader.step(segment)?
                && frame.header.kind == FrameKind::Seal
                && reader.offset() == sealed_len
            {
                tally.add(segment, &frame)?;
                visit(&frame)?;
                ending = match segment.last_written(sealed_len)? {
                    None => Ending::Sealed,
                    Some(end) => Ending::Torn { offset: sealed_len, bytes: end - sealed_len },
                };
            }
        }
        tally.finish(segment, ending)
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

    fn finish(mut self, segment: &Segment, ending: Ending) -> Result<Scan> {
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
            ending,
            scanned: segment.size,
        })
    }
}

/// The end of the log, a torn tail, or corruption: the rules are on the crate's page.
///
/// Bytes that are neither zeros nor a frame belong to the torn tail, but in space of a former life. They
/// are no proof that more was in flight than can have been: zeros that were being written far ahead, or a
/// block that the file just got, may read as anything after a power cut.
pub(crate) fn judge(segment: &Segment, offset: u64, lsn: Lsn) -> Result<Ending> {
    let reused = segment.header.unwritten != Unwritten::Zeros;
    // The end of what is not as it was before anything was written, and of the last frame.
    let (mut last_written, mut last_frame) = (None, None);
    let mut unknown = None;
    let mut chunk = vec![0; CHUNK + FRAME_HEADER_LEN];
    let mut at = offset;
    while at < segment.size {
        // What is before a block that cannot be read may tell damage by itself.
        let (read, unreadable) = segment.read_before(at, &mut chunk);
        if read == 0 && unreadable.is_none() {
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
        if let Some(error) = unreadable {
            return Err(error);
        }
        at += advance as u64;
    }
    // What is not understood is not cut.
    if let Some(place) = unknown {
        return Err(newer(segment, place));
    }
    let Some(end) = last_written else { return Ok(Ending::Open) };
    let bytes = end - offset;
    let bound = segment.header.in_flight;
    let wide = last_frame.map_or(0, |end| end - offset);
    if bound != UNBOUNDED && wide > bound {
        let what = "damage is wider than what can have been in flight";
        return Err(segment.corrupt(what, offset, lsn));
    }
    Ok(Ending::Torn { offset, bytes })
}

fn newer(segment: &Segment, offset: u64) -> Error {
    let what = "frame is of a kind that this build does not know";
    Error::new(ErrorKind::Unsupported, what).segment(segment.header.id).offset(offset)
}
