//! [`Journal`]: everything that was done to the segments, and what follows from it.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use wal_core::SegmentId;
use wal_core::format::SLOT_LEN;

use crate::Medium;

/// Where the journal begins: before it are two slots for the anchor, which is overwritten in place
/// there and so needs no room.
const BEGIN: u64 = 2 * SLOT_LEN as u64;

/// Bytes before a payload: sum, session, segment, number, length of the payload, kind.
const HEADER: usize = 40;

/// One thing done to a segment. `number` is its size for a create, its new length for a trim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Create = 1,
    Append = 2,
    Trim = 3,
    Remove = 4,
    Anchor = 5,
}

/// The journal in a file, as far as it was read.
///
/// Every entry's sum goes on from the one before, and a journal that was opened again writes under
/// a new session: what lies behind a torn entry never follows from an entry written in its place.
pub(crate) struct Journal {
    medium: Arc<dyn Medium>,
    segments: BTreeMap<SegmentId, Segment>,
    anchor: Option<Range<u64>>,
    end: u64,
    sum: u64,
    /// The newest session in the journal, and the one that this handle writes under.
    newest: u64,
    own: Option<u64>,
    tail: Tail,
}

/// What lies behind the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tail {
    /// What another handle added, or nothing.
    Sound,
    /// An entry whose writing failed: some of it, or all.
    Failed,
}

/// Where the bytes of a segment are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Segment {
    pub(crate) end: u64,
    pub(crate) size: u64,
    /// In the segment, and where in the file.
    pieces: Vec<(Range<u64>, u64)>,
}

impl Journal {
    pub(crate) fn new(medium: Arc<dyn Medium>) -> Self {
        let (segments, sum) = (BTreeMap::new(), 0xcbf2_9ce4_8422_2325);
        Self {
            medium,
            segments,
            anchor: None,
            end: BEGIN,
            sum,
            newest: 0,
            own: None,
            tail: Tail::Sound,
        }
    }

    pub(crate) fn segments(&self) -> &BTreeMap<SegmentId, Segment> {
        &self.segments
    }

    /// Where the first anchor is. Later ones are in the slots.
    pub(crate) fn anchor(&self) -> Option<Range<u64>> {
        self.anchor.clone()
    }

    /// Reads what was added since, by this handle or another.
    pub(crate) fn catch_up(&mut self) -> io::Result<()> {
        self.void()?;
        loop {
            let mut header = [0; HEADER];
            if read_full(&*self.medium, self.end, &mut header)? < HEADER {
                return Ok(());
            }
            let [sum, session, segment, number, rest] =
                [0, 8, 16, 24, 32].map(|at| word(&header, at));
            let length = rest & 0xffff_ffff;
            let payload_at = self.end + HEADER as u64;
            // A garbled length is no reason to take memory for it.
            if length > 0 && read_full(&*self.medium, payload_at + length - 1, &mut [0])? == 0 {
                return Ok(());
            }
            let mut payload = vec![0; usize::try_from(length).map_err(io::Error::other)?];
            read_full(&*self.medium, payload_at, &mut payload)?;
            let kinds = [Kind::Create, Kind::Append, Kind::Trim, Kind::Remove, Kind::Anchor];
            let kind = kinds.into_iter().find(|kind| *kind as u64 == rest >> 32);
            let (Some(kind), true) = (kind, chain(self.sum, &header[8..], &payload) == sum) else {
                return Ok(());
            };
            (self.sum, self.newest) = (sum, session);
            self.take(kind, SegmentId::new(segment), number, payload_at..payload_at + length);
            self.end = payload_at + length;
        }
    }

    /// Writes an entry at the end. When that fails nothing has happened, and the next entry goes
    /// where this one would have.
    pub(crate) fn add(
        &mut self,
        kind: Kind,
        segment: SegmentId,
        number: u64,
        payload: &[u8],
    ) -> io::Result<()> {
        let length = u32::try_from(payload.len()).map_err(io::Error::other)?;
        let session = *self.own.get_or_insert(self.newest + 1);
        let mut entry = vec![0; 8];
        for field in [session, segment.get(), number, u64::from(length) | (kind as u64) << 32] {
            entry.extend(field.to_le_bytes());
        }
        let sum = chain(self.sum, &entry[8..], payload);
        entry[..8].copy_from_slice(&sum.to_le_bytes());
        entry.extend(payload);
        self.tail = Tail::Failed;
        write_full(&*self.medium, self.end, &entry)?;
        self.tail = Tail::Sound;
        let payload_at = self.end + HEADER as u64;
        self.take(kind, segment, number, payload_at..payload_at + u64::from(length));
        self.end = payload_at + u64::from(length);
        (self.sum, self.newest) = (sum, session);
        Ok(())
    }

    /// Takes an entry back whose writing failed: it may be there all the same.
    fn void(&mut self) -> io::Result<()> {
        if self.tail == Tail::Failed {
            match write_full(&*self.medium, self.end, &[0; 8]) {
                // Then there is not even a sum.
                Err(error) if error.kind() == io::ErrorKind::StorageFull => {}
                written => written?,
            }
            self.tail = Tail::Sound;
        }
        Ok(())
    }

    fn take(&mut self, kind: Kind, id: SegmentId, number: u64, payload: Range<u64>) {
        if kind == Kind::Anchor {
            self.anchor = Some(payload);
            return;
        }
        let segment = self.segments.entry(id).or_default();
        match kind {
            Kind::Anchor => {}
            Kind::Create => *segment = Segment { size: number, ..Segment::default() },
            Kind::Append => {
                let start = segment.end;
                segment.end += payload.end - payload.start;
                segment.size = segment.size.max(segment.end);
                segment.pieces.push((start..segment.end, payload.start));
            }
            Kind::Trim => {
                segment.size = segment.size.min(number);
                segment.end = segment.end.min(number);
                segment.pieces.retain(|(piece, _)| piece.start < number);
                if let Some((piece, _)) = segment.pieces.last_mut() {
                    piece.end = piece.end.min(number);
                }
            }
            Kind::Remove => drop(self.segments.remove(&id)),
        }
    }
}

impl Segment {
    /// Fills the buffer from `offset` on, zeros where nothing was appended.
    pub(crate) fn read(
        &self,
        medium: &dyn Medium,
        offset: u64,
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        let there = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let count = buffer.len().min(there);
        let wanted = offset..offset + count as u64;
        buffer[..count].fill(0);
        for (piece, at) in &self.pieces {
            let part = piece.start.max(wanted.start)..piece.end.min(wanted.end);
            if part.is_empty() {
                continue;
            }
            let within = |place: u64| usize::try_from(place - offset).map_err(io::Error::other);
            let target = &mut buffer[within(part.start)?..within(part.end)?];
            if read_full(medium, at + (part.start - piece.start), target)? < target.len() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(count)
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal")
            .field("segments", &self.segments.len())
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

pub(crate) fn read_full(medium: &dyn Medium, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match medium.read_at(offset + filled as u64, &mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

pub(crate) fn write_full(medium: &dyn Medium, mut offset: u64, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match medium.write_at(offset, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                offset += count as u64;
                bytes = &bytes[count..];
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn word(bytes: &[u8; HEADER], at: usize) -> u64 {
    bytes[at..at + 8].iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// FNV-1a, going on from the entry before.
fn chain(sum: u64, header: &[u8], payload: &[u8]) -> u64 {
    header
        .iter()
        .chain(payload)
        .fold(sum, |sum, &byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
