//! [`History`]: what a half remembers of its pair.
//!
//! A *mark* is a segment of its own, of a number that no log's segment has. It says that from here
//! on the half is together with the other one, or alone, and carries a number drawn by chance. Two
//! halves with the same last mark belong together; one whose last mark is an earlier one of the
//! other was left behind.
//!
//! A half that is rebuilt is marked as unfinished first, with the chance of the last mark of the half
//! that it is made from: an unfinished half is used for nothing, and that other one is the good one.
//! When the bytes are there, a new mark says in both that they are together, in the rebuilt one
//! last.

use std::hash::{BuildHasher, RandomState};
use std::io;

use wal_core::{SegmentId, SegmentReader, SegmentStore};

/// The first number that is a mark's and not a segment's.
const FIRST_MARK: u64 = 1 << 63;
/// How many marks a half keeps. A half left behind by more of them than that counts as diverged.
const KEPT: u64 = 16;
const MARK_LEN: usize = 32;
const MAGIC: [u8; 7] = *b"waltee\x01";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Together,
    Alone,
    /// Being made from the half that has a mark of this chance.
    Unfinished,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    number: u64,
    standing: Standing,
    chance: u64,
}

/// The marks of a half, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct History(Vec<Mark>);

pub(super) fn is_mark(id: SegmentId) -> bool {
    id.get() >= FIRST_MARK
}

impl History {
    /// Reads the marks of a store. One whose making a crash interrupted is none.
    pub(super) fn read(store: &dyn SegmentStore) -> io::Result<Self> {
        let mut marks = Vec::new();
        for id in store.list()?.into_iter().filter(|id| is_mark(*id)) {
            marks.extend(Mark::read(id, &*store.open(id)?)?);
        }
        Ok(Self(marks))
    }

    pub(super) fn is_blank(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn last(&self) -> Option<Mark> {
        self.0.last().copied()
    }

    /// Whether there is a mark of the same chance.
    pub(super) fn knows(&self, mark: Mark) -> bool {
        self.0.iter().any(|own| own.chance == mark.chance)
    }

    /// A mark behind all of these.
    pub(super) fn next(&self, standing: Standing) -> Mark {
        let number = self.last().map_or(FIRST_MARK, |last| last.number + 1);
        Mark { number, standing, chance: chance() }
    }
}

impl Mark {
    pub(super) fn standing(self) -> Standing {
        self.standing
    }

    /// The mark of a half that is being rebuilt from the one whose last mark this is, behind all
    /// marks of both.
    pub(super) fn unfinished(self, rebuilt: &History) -> Self {
        let last = rebuilt.last().map_or(self.number, |last| last.number.max(self.number));
        Self { number: last + 1, standing: Standing::Unfinished, chance: self.chance }
    }

    /// A mark of its own behind this one.
    pub(super) fn together(self) -> Self {
        Self { number: self.number + 1, standing: Standing::Together, chance: chance() }
    }

    /// Puts the mark into a store, durably when it returns, and takes away what is too old.
    pub(super) fn write(self, store: &dyn SegmentStore) -> io::Result<()> {
        let id = SegmentId::new(self.number);
        // What a crash has left of an attempt is no mark, and in the way.
        store.remove(&[id])?;
        let alignment = store.guarantees().alignment as usize;
        let mut bytes = self.encode().to_vec();
        bytes.resize(MARK_LEN.next_multiple_of(alignment), 0);
        let mut writer = store.create(id, bytes.len() as u64)?;
        writer.append(&bytes)?;
        writer.syncer().sync()?;
        let old = |id: &SegmentId| is_mark(*id) && id.get().saturating_add(KEPT) <= self.number;
        let old: Vec<_> = store.list()?.into_iter().filter(old).collect();
        if old.is_empty() { Ok(()) } else { store.remove(&old) }
    }

    fn read(id: SegmentId, reader: &dyn SegmentReader) -> io::Result<Option<Self>> {
        let mut bytes = [0; MARK_LEN];
        let count = reader.read_at(0, &mut bytes)?;
        Ok(if count == MARK_LEN { Self::decode(id, &bytes) } else { None })
    }

    /// Eight bytes of magic and standing, the number, the chance, and the chance's complement.
    fn encode(self) -> [u8; MARK_LEN] {
        let mut bytes = [0; MARK_LEN];
        bytes[..7].copy_from_slice(&MAGIC);
        bytes[7] = match self.standing {
            Standing::Together => 1,
            Standing::Alone => 2,
            Standing::Unfinished => 3,
        };
        bytes[8..16].copy_from_slice(&self.number.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.chance.to_le_bytes());
        bytes[24..].copy_from_slice(&(!self.chance).to_le_bytes());
        bytes
    }

    fn decode(id: SegmentId, bytes: &[u8; MARK_LEN]) -> Option<Self> {
        let (chance, _) = bytes[16..].split_first_chunk()?;
        let standing = match bytes[7] {
            1 => Standing::Together,
            2 => Standing::Alone,
            _ => Standing::Unfinished,
        };
        let mark = Self { number: id.get(), standing, chance: u64::from_le_bytes(*chance) };
        (mark.encode() == *bytes).then_some(mark)
    }
}

/// A hasher's keys are the one thing drawn by chance that the standard library gives out.
fn chance() -> u64 {
    RandomState::new().hash_one(FIRST_MARK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_back_and_a_damaged_one_is_none() {
        let mark = History::default().next(Standing::Alone);
        let id = SegmentId::new(mark.number);
        let bytes = mark.encode();
        assert_eq!(Mark::decode(id, &bytes), Some(mark));
        assert_eq!(Mark::decode(id.next(), &bytes), None);
        for at in 0..MARK_LEN {
            let mut bytes = bytes;
            bytes[at] ^= 0x40;
            assert_eq!(Mark::decode(id, &bytes), None, "byte {at}");
        }
        assert_eq!(Mark::decode(id, &[0; MARK_LEN]), None);
    }

    #[test]
    fn two_marks_of_one_number_differ() {
        let marks = [(); 100].map(|()| History::default().next(Standing::Together));
        for (at, mark) in marks.iter().enumerate() {
            assert!(!marks[..at].contains(mark));
        }
    }
}
