//! [`Run`]: the sound frames at the beginning of a segment, and what lies behind them.

use std::io;

use wal_core::format::{
    FRAME_ALIGN, FRAME_HEADER_LEN, FrameFault, FrameHeader, FrameKind, HEADER_LEN, Identity,
    OpenSegment, Seal, SegmentHeader, Start, is_blank,
};
use wal_core::{Lsn, SegmentReader};

use super::lenient::read_leniently;

/// Bytes read at a time.
const WINDOW: usize = 256 * 1024;

/// What a segment of the format holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// The end of its last sound frame, in bytes, a seal not counted.
    pub(super) end: u64,
    /// Bytes of the seal behind it, or 0.
    pub(super) seal_len: u64,
    /// The last record in or before it.
    pub(super) last_lsn: Lsn,
    /// A digest over all its frames but the seal.
    pub(super) digest: u32,
    /// Where it says that the log begins.
    pub(super) start: Start,
    /// The end of the last frame whose header is sound, wherever it lies: what was written, at the
    /// least.
    pub(super) seen: u64,
    /// What follows the run is damage: something vouches for it, or no writer made it.
    pub(super) damaged: bool,
    /// There is a frame that this build does not know.
    pub(super) unknown: bool,
}

impl Run {
    /// The frames of a segment with this header: all of them, or those before `limit`.
    pub(super) fn scan(
        reader: &dyn SegmentReader,
        header: &SegmentHeader,
        limit: Option<u64>,
    ) -> io::Result<Self> {
        let size = reader.size()?;
        let mut scan = Scanning {
            window: Window::new(reader),
            identity: Identity::of(header),
            open: OpenSegment::new(header.clone()),
            limit: limit.unwrap_or(u64::MAX).min(size),
        };
        let stop = scan.frames()?;
        let end = scan.open.end();
        let mut run = Self {
            end,
            seal_len: 0,
            last_lsn: scan.open.last_lsn(),
            digest: scan.open.digest(),
            start: scan.open.start(),
            seen: end,
            damaged: false,
            unknown: false,
        };
        match stop {
            Stop::Sealed(len) => (run.seal_len, run.seen) = (len, end + len),
            Stop::Unknown => run.unknown = true,
            Stop::Wrong => run.damaged = true,
            // What is behind the limit does not count.
            Stop::End if limit.is_some() => {}
            Stop::End => (run.seen, run.damaged) = scan.behind(size)?,
        }
        // A sector that cannot be read is wrong as wrong bytes are.
        run.damaged |= scan.window.unreadable;
        Ok(run)
    }

    /// The end of the last frame of this identity whose header is sound, from `from` on; what a reader
    /// of a damaged segment can still say of it.
    pub(super) fn last_seen(reader: &dyn SegmentReader, header: &SegmentHeader) -> io::Result<u64> {
        let mut scan = Scanning {
            window: Window::new(reader),
            identity: Identity::of(header),
            open: OpenSegment::new(header.clone()),
            limit: 0,
        };
        Ok(scan.behind(reader.size()?)?.0)
    }
}

enum Stop {
    /// There is no sound frame here.
    End,
    Sealed(u64),
    Unknown,
    Wrong,
}

struct Scanning<'a> {
    window: Window<'a>,
    identity: Identity,
    open: OpenSegment,
    limit: u64,
}

impl Scanning<'_> {
    fn frames(&mut self) -> io::Result<Stop> {
        loop {
            let offset = self.open.end();
            if offset >= self.limit {
                return Ok(Stop::End);
            }
            let bytes = self.window.at(offset, FRAME_HEADER_LEN)?;
            let header = match FrameHeader::decode(bytes, self.identity, offset) {
                Ok(header) => header,
                Err(FrameFault::Kind(_) | FrameFault::Flags(_)) => return Ok(Stop::Unknown),
                Err(FrameFault::Nonsense) => return Ok(Stop::Wrong),
                Err(_) => return Ok(Stop::End),
            };
            if offset.saturating_add(header.frame_len()) > self.limit {
                return Ok(Stop::End);
            }
            let Ok(len) = usize::try_from(header.frame_len()) else { return Ok(Stop::End) };
            let frame = self.window.at(offset, len)?;
            let body = frame.get(FRAME_HEADER_LEN..).unwrap_or_default();
            if frame.len() < len || !header.matches(body, self.identity, offset) {
                return Ok(Stop::End);
            }
            if header.first_lsn != self.open.last_lsn().next() {
                return Ok(Stop::Wrong);
            }
            match header.kind {
                FrameKind::Seal => return self.seal(offset, len),
                FrameKind::Start => match Start::decode(body) {
                    Some(start) => self.open.note_start(start),
                    None => return Ok(Stop::Wrong),
                },
                _ => {}
            }
            let frame = self.window.at(offset, len)?;
            self.open.note(&header, &frame[..FRAME_HEADER_LEN]);
        }
    }

    fn seal(&mut self, offset: u64, len: usize) -> io::Result<Stop> {
        let frame = self.window.at(offset, len)?;
        let seal = Seal::decode(frame.get(FRAME_HEADER_LEN..).unwrap_or_default());
        let fits = seal.is_some_and(|seal| {
            seal.digest == self.open.digest()
                && seal.frames == self.open.frames()
                && seal.max_lsn == self.open.last_lsn()
        });
        Ok(if fits { Stop::Sealed(len as u64) } else { Stop::Wrong })
    }

    /// The end of the last frame header behind the run, and whether one of them vouches for what is
    /// missing.
    fn behind(&mut self, size: u64) -> io::Result<(u64, bool)> {
        let (end, next) = (self.open.end(), self.open.last_lsn().next());
        let (mut seen, mut damaged) = (end, false);
        let mut at = end;
        while at < size {
            let bytes = self.window.at(at, WINDOW)?;
            if bytes.is_empty() {
                break;
            }
            // A header that reaches out of these bytes is looked at with the next ones.
            let whole = bytes.len() < WINDOW;
            let advance = if whole { bytes.len() } else { WINDOW - FRAME_HEADER_LEN };
            if !is_blank(bytes) {
                for from in (0..advance).step_by(FRAME_ALIGN) {
                    let place = at + from as u64;
                    let Ok(header) = FrameHeader::decode(&bytes[from..], self.identity, place)
                    else {
                        continue;
                    };
                    seen = seen.max(place.saturating_add(header.frame_len()).min(size));
                    damaged |= place != end && header.vouches_for(place, next, end);
                }
            }
            at += advance as u64;
        }
        Ok((seen, damaged))
    }
}

/// The bytes of a segment, read a window at a time.
struct Window<'a> {
    reader: &'a dyn SegmentReader,
    start: u64,
    bytes: Vec<u8>,
    /// Something of what was asked for cannot be read, and counts as zeros.
    unreadable: bool,
}

impl<'a> Window<'a> {
    fn new(reader: &'a dyn SegmentReader) -> Self {
        Self { reader, start: 0, bytes: Vec::new(), unreadable: false }
    }

    /// The bytes from `offset` on, `len` of them where there are so many.
    fn at(&mut self, offset: u64, len: usize) -> io::Result<&[u8]> {
        let have = offset.checked_sub(self.start).and_then(|skip| usize::try_from(skip).ok());
        let from = match have {
            Some(from) if from.saturating_add(len) <= self.bytes.len() => from,
            _ => {
                let left = self.reader.size()?.saturating_sub(offset);
                let left = usize::try_from(left).unwrap_or(usize::MAX);
                self.bytes.resize(len.max(WINDOW).min(left), 0);
                let (count, whole) = read_leniently(self.reader, offset, &mut self.bytes)?;
                self.unreadable |= !whole;
                self.bytes.truncate(count);
                self.start = offset;
                0
            }
        };
        let end = from.saturating_add(len).min(self.bytes.len());
        Ok(self.bytes.get(from..end).unwrap_or_default())
    }
}

/// What the first bytes of a segment are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// Nothing, or zeros, in all of it: or a header that was being written when a crash came.
    Begun,
    /// No header of the format, and something there.
    Strange,
    /// Of a version or with features that this build does not know.
    Unknown,
    Sound(Box<SegmentHeader>),
}

impl Head {
    /// The header's bytes, and whether there is anything behind them.
    pub(super) fn of(
        reader: &dyn SegmentReader,
        id: wal_core::SegmentId,
        may_be_begun: bool,
    ) -> io::Result<Self> {
        use wal_core::format::HeaderFault;
        let mut bytes = vec![0; HEADER_LEN];
        let (count, whole) = read_leniently(reader, 0, &mut bytes)?;
        bytes.truncate(count);
        if !whole {
            return Ok(Self::Strange);
        }
        match SegmentHeader::decode(&bytes) {
            Ok(header) if header.id == id => return Ok(Self::Sound(Box::new(header))),
            Err(HeaderFault::Version(_) | HeaderFault::Features(_)) => return Ok(Self::Unknown),
            _ => {}
        }
        let nothing = may_be_begun && is_blank_from(reader, HEADER_LEN as u64)?;
        Ok(if nothing { Self::Begun } else { Self::Strange })
    }
}

/// Whether a segment has only zeros from this byte on.
pub(super) fn is_blank_from(reader: &dyn SegmentReader, from: u64) -> io::Result<bool> {
    let mut window = Window::new(reader);
    let mut at = from;
    loop {
        let bytes = window.at(at, WINDOW)?;
        let (len, blank) = (bytes.len() as u64, is_blank(bytes));
        if len == 0 || !blank || window.unreadable {
            return Ok(len == 0 && !window.unreadable);
        }
        at += len;
    }
}
