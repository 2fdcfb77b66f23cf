//! [`Doubt`]: where the frames begin that nothing vouches for, found in bounded memory.

use std::collections::VecDeque;

use wal_core::format::{FrameHeader, FrameKind, OpenSegment, Start};
use wal_core::{Lsn, Result};

use crate::frames::{FrameReader, Step};
use crate::segment::Segment;

/// Places kept at the most, of 64 bytes each.
const MOST: usize = 4096;

/// Bytes read at a time where the frames between two places are looked at again.
const READ_AHEAD: u64 = 64 << 10;

/// How much of a segment the frames met so far vouch for.
///
/// Both of what they say, a record and a byte, only grow. So a frame that is vouched for stays so, all
/// before it are, too, and what has to be known is where the first of the others begins. As long as
/// there are few, each place where a frame ends is kept. Where there are many, as after hours without a
/// sync, every second of the places goes, and then only every second one comes: the memory is bounded,
/// and what lies between the two places where the doubt begins is read once more, at the end.
#[derive(Debug)]
pub(crate) struct Doubt {
    /// The last record that is vouched for.
    vouched: Lsn,
    /// Everything before this byte was durable when some later frame was written.
    vouched_end: u64,
    /// Places that ascend. All before the first one is vouched for.
    places: VecDeque<Place>,
    /// One in so many frames with records leaves a place; 1: every frame does.
    stride: u64,
    /// Frames with records since the last place.
    passed: u64,
    /// Places looked at: what the work is measured in.
    #[cfg(test)]
    looked: u64,
}

/// A place between two frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Where it is, in bytes.
    pub(crate) offset: u64,
    /// The last record before it.
    pub(crate) lsn: Lsn,
    /// Where the log begins, as the frames before it say.
    pub(crate) start: Start,
    /// Bytes of the frames with records before it.
    pub(crate) record_bytes: u64,
    /// Frames before it.
    frames: u64,
    /// Whether the last of these holds records: then a watermark can vouch for it.
    behind_records: bool,
}

impl Place {
    /// The place behind the header.
    pub(crate) fn beginning(open: &OpenSegment) -> Self {
        Self {
            offset: open.end(),
            lsn: open.last_lsn(),
            start: open.start(),
            record_bytes: 0,
            frames: open.frames(),
            behind_records: false,
        }
    }

    /// The place behind the next frame, which leaves the log's start at `start`.
    fn behind(self, header: &FrameHeader, start: Start) -> Self {
        let behind_records = header.kind == FrameKind::Records;
        let more = if behind_records { header.frame_len() } else { 0 };
        Self {
            offset: self.offset + header.frame_len(),
            lsn: header.last_lsn(),
            start,
            record_bytes: self.record_bytes + more,
            frames: self.frames + 1,
            behind_records,
        }
    }
}

impl Doubt {
    /// Nothing was met yet of the segment but its header, which vouches for itself.
    pub(crate) fn new(open: &OpenSegment) -> Self {
        Self {
            vouched: open.last_lsn(),
            vouched_end: open.end(),
            places: VecDeque::from([Place::beginning(open)]),
            stride: 1,
            passed: 0,
            #[cfg(test)]
            looked: 0,
        }
    }

    /// The last record that is vouched for.
    pub(crate) fn vouched(&self) -> Lsn {
        self.vouched
    }

    /// Takes into account what a frame at `offset` vouches for.
    pub(crate) fn hear(&mut self, header: &FrameHeader, offset: u64) {
        let vouched = header.watermark.min(header.last_lsn());
        self.raise(vouched, header.durable_offset(offset));
    }

    /// Takes into account that every record through this one was durable, and everything before this
    /// byte, by the word of something that is no frame of the segment.
    pub(crate) fn hear_durable(&mut self, lsn: Lsn, end: u64) {
        self.raise(lsn, end);
    }

    fn raise(&mut self, vouched: Lsn, vouched_end: u64) {
        let vouched = self.vouched.max(vouched);
        let vouched_end = self.vouched_end.max(vouched_end);
        if (vouched, vouched_end) == (self.vouched, self.vouched_end) {
            return;
        }
        (self.vouched, self.vouched_end) = (vouched, vouched_end);
        let mut last = 0;
        for (at, place) in self.places.iter().enumerate().skip(1) {
            #[cfg(test)]
            (self.looked += 1);
            if self.vouches_for(place) {
                last = at;
            } else if place.lsn > vouched {
                break;
            }
        }
        self.places.drain(..last);
        if self.places.len() == 1 {
            (self.stride, self.passed) = (1, 0);
        }
    }

    /// Takes a frame into account that nothing was heard of yet; `at` is what the segment held before
    /// it, and gets what it holds with it.
    pub(crate) fn pass(&mut self, at: &mut Place, header: &FrameHeader, start: Start) {
        *at = at.behind(header, start);
        self.passed += u64::from(at.behind_records);
        if self.stride > 1 && (!at.behind_records || self.passed < self.stride) {
            return;
        }
        self.passed = 0;
        self.places.push_back(*at);
        if self.places.len() > MOST {
            self.thin();
        }
    }

    /// Where the first frame begins that nothing vouches for, in a segment that holds what `end` says;
    /// `end` where there is none.
    pub(crate) fn first(&self, segment: &Segment, end: Place) -> Result<Place> {
        let Some(&(mut first)) = self.places.front() else { return Ok(end) };
        let next = self.places.get(1).unwrap_or(&end);
        if first.frames + 1 >= next.frames {
            // The frame behind it is not vouched for, or is not there.
            return Ok(first);
        }
        let mut reader = FrameReader::new(first.offset, end.offset);
        reader.set_read_ahead(READ_AHEAD);
        let mut at = first;
        while at.frames < end.frames {
            let Step::Frame(frame) = reader.step(segment)? else {
                let what = "frame is damaged, and it was sound a moment ago";
                return Err(segment.corrupt(what, at.offset, at.lsn.next()));
            };
            let said = (frame.header.kind == FrameKind::Start).then(|| Start::decode(&frame.body));
            at = at.behind(&frame.header, said.flatten().unwrap_or(at.start));
            if self.vouches_for(&at) {
                first = at;
            } else if at.lsn > self.vouched {
                break;
            }
        }
        Ok(first)
    }

    /// Whether everything before this place is vouched for by the last frame before it.
    fn vouches_for(&self, place: &Place) -> bool {
        place.offset <= self.vouched_end || place.behind_records && place.lsn <= self.vouched
    }

    /// Lets every second place go, and those that no watermark can vouch for.
    fn thin(&mut self) {
        let (mut at, mut keep) = (0, true);
        self.places.retain(|place| {
            at += 1;
            if at == 1 || !place.behind_records {
                return at == 1;
            }
            keep = !keep;
            keep
        });
        self.stride *= 2;
        self.passed = 0;
    }
}

#[cfg(test)]
#[path = "doubt_tests.rs"]
mod tests;
