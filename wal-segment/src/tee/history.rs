//! [`History`]: what a half remembers of its pair.
//!
//! A *mark* is a segment of its own, of a number that no log's segment has. It says that from here
//! on the half is together with the other one, or alone; it carries a number drawn by chance, and
//! the chances of the marks before it. Two halves with the same last mark belong together; one whose
//! last mark is an earlier one of the other was left behind. The halves are marked anew at every lock,
//! so that a half which was put back from a copy of an earlier life is one left behind.
//!
//! A half that is rebuilt is marked as unfinished first, with the chance of the last mark of the half
//! that it is made from: an unfinished half is used for nothing, and that other one is the good one.
//! When the bytes are there, a new mark says in both that they are together, in the rebuilt one
//! last.
//!
//! Halves that are the same are marked in three steps: the first half is *offered* the new mark, the
//! second gets it, the first gets it. Nothing is written under the new mark before all three, so a
//! crash between them leaves halves that are still known to be together.
//!
//! A mark is its bytes twice, in two blocks with checksums of their own. One that is read from its
//! second block was damaged and is as good as ever; one of which neither can be read, though the second
//! was begun, is damage, and never passed over: it may have said that the other half was left behind.

use std::hash::{BuildHasher, RandomState};
use std::io;

use wal_core::format::{SLOT_LEN, Slots, is_blank};
use wal_core::{Naming, SegmentId, SegmentStore, Unwritten};

use super::{Half, Mismatch};

/// The first number that is a mark's and not a segment's.
const FIRST_MARK: u64 = SegmentId::LAST.get() + 1;
/// The first number that is a kept segment's and not a mark's.
pub(super) const FIRST_KEPT: u64 = FIRST_MARK + (1 << 62);
/// How many marks a half keeps.
const KEPT: u64 = 4;
/// How many chances a mark knows of the marks before it. A half left behind by more of them than
/// that counts as diverged.
const ANCESTORS: usize = 64;
const FIXED_LEN: usize = 32;
const MAGIC: [u8; 7] = *b"waltee\x02";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Together,
    Alone,
    /// Being made from the half that has a mark of this chance.
    Unfinished,
    /// About to be together under a mark of this chance, which the other half gets first.
    Offered,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    number: u64,
    standing: Standing,
    chance: u64,
    /// The chances of the marks before it, the newest first.
    ancestors: Vec<u64>,
}

/// The marks of a half, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct History {
    marks: Vec<Mark>,
    /// The highest number of a mark, whether it can be read or not.
    highest: Option<u64>,
    damaged: Option<SegmentId>,
}

/// Whether a segment of this number is the pair's own, and no log's.
pub(super) fn is_reserved(id: SegmentId) -> bool {
    !id.is_of_log()
}

/// The numbers of a store's marks, ascending.
fn marks(store: &dyn SegmentStore) -> io::Result<Vec<SegmentId>> {
    let is_mark = |id: &SegmentId| (FIRST_MARK..FIRST_KEPT).contains(&id.get());
    Ok(store.list()?.into_iter().filter(is_mark).collect())
}

impl History {
    /// Reads the marks of a store. One whose making a crash interrupted is none; where one is damaged,
    /// that is an error.
    pub(super) fn read(store: &dyn SegmentStore, half: Half) -> io::Result<Self> {
        let history = Self::read_whatever(store)?;
        match history.damaged {
            Some(id) => Err(Mismatch::DamagedMark(half, id).into()),
            None => Ok(history),
        }
    }

    /// As [`read`](Self::read), and passes over what is damaged: for a caller that vouches for the
    /// half, or against it.
    pub(super) fn read_whatever(store: &dyn SegmentStore) -> io::Result<Self> {
        let mut history = Self::default();
        let ids = marks(store)?;
        for &id in &ids {
            match Found::read(store, id)? {
                Found::Sound(mark) => history.marks.push(mark),
                Found::Begun if ids.last() == Some(&id) => {}
                Found::Begun | Found::Damaged => history.damaged = Some(id),
            }
            history.highest = Some(id.get());
        }
        Ok(history)
    }

    pub(super) fn is_blank(&self) -> bool {
        self.marks.is_empty()
    }

    pub(super) fn last(&self) -> Option<&Mark> {
        self.marks.last()
    }

    /// The last mark that is no offer.
    pub(super) fn last_taken(&self) -> Option<&Mark> {
        self.marks.iter().rev().find(|mark| mark.standing != Standing::Offered)
    }

    /// Whether there is, or was, a mark of the same chance.
    pub(super) fn knows(&self, mark: &Mark) -> bool {
        let known = |own: &Mark| own.chance == mark.chance || own.ancestors.contains(&mark.chance);
        self.marks.iter().any(known)
    }

    /// A mark behind all of these.
    pub(super) fn next(&self, standing: Standing) -> Mark {
        let number = self.highest.map_or(FIRST_MARK, |last| last + 1);
        Mark { number, standing, chance: chance(), ancestors: self.ancestors() }
    }

    fn ancestors(&self) -> Vec<u64> {
        let Some(last) = self.last_taken() else { return Vec::new() };
        let own = (last.standing != Standing::Unfinished).then_some(last.chance);
        own.into_iter().chain(last.ancestors.iter().copied()).take(ANCESTORS).collect()
    }

    /// The mark of a half with this history that is being rebuilt from the one whose last mark that
    /// is, behind all marks of both.
    pub(super) fn unfinished(&self, from: &Mark, from_highest: Option<u64>) -> Mark {
        let last = self.highest.max(from_highest).max(Some(from.number));
        let number = last.map_or(FIRST_MARK, |last| last + 1);
        let ancestors = self.ancestors();
        Mark { number, standing: Standing::Unfinished, chance: from.chance, ancestors }
    }

    pub(super) fn highest(&self) -> Option<u64> {
        self.highest
    }
}

impl Mark {
    pub(super) fn standing(&self) -> Standing {
        self.standing
    }

    pub(super) fn is_of(&self, other: &Self) -> bool {
        self.chance == other.chance
    }

    /// A mark of its own behind this one, for the halves whose good one had `history`.
    pub(super) fn together(&self, history: &History) -> Self {
        let ancestors = history.ancestors();
        let (number, chance) = (self.number + 1, chance());
        Self { number, standing: Standing::Together, chance, ancestors }
    }

    /// What is offered, taken.
    pub(super) fn taken(&self) -> Self {
        Self { number: self.number + 1, standing: Standing::Together, ..self.clone() }
    }

    /// As this one, but behind everything of that history.
    pub(super) fn behind(mut self, other: &History) -> Self {
        self.number = other.highest.map_or(self.number, |last| self.number.max(last + 1));
        self
    }

    /// Puts the mark into a store, durably when it returns, and takes away what is too old, or cannot
    /// be read and says no more than this one.
    pub(super) fn write(&self, store: &dyn SegmentStore) -> io::Result<()> {
        let id = SegmentId::new(self.number);
        // What a crash has left of an attempt is no mark, and in the way: behind it, a mark that was
        // only begun would be one that vanished.
        let before = marks(store)?;
        if let Some(&last) = before.last()
            && matches!(Found::read(store, last)?, Found::Begun)
        {
            store.remove(&[last])?;
        }
        let guarantees = store.guarantees();
        let block = SLOT_LEN.max(guarantees.alignment as usize);
        let mut bytes = Slots::default().replace(&self.encode()).1;
        bytes.resize(block, 0);
        let len = 2 * block as u64;
        let mut writer = store.create(id, len)?;
        writer.append(&bytes)?;
        if guarantees.naming == Naming::AtCreate {
            // The second block is begun when the first is durable: so it says that there was a mark.
            writer.syncer().sync()?;
        }
        writer.append(&bytes)?;
        writer.syncer().sync()?;
        let longer = writer.space().durable_len > len;
        drop(writer);
        if longer {
            store.trim(id, len)?;
        }
        let mut gone = Vec::new();
        for other in before.into_iter().filter(|other| *other != id) {
            let old = other.get().saturating_add(KEPT) <= self.number;
            if old || !matches!(Found::read(store, other), Ok(Found::Sound(_))) {
                gone.push(other);
            }
        }
        if gone.is_empty() { Ok(()) } else { store.remove(&gone) }
    }

    /// Seven bytes of magic, the standing, the number, the chance, how many ancestors, and those.
    fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.push(match self.standing {
            Standing::Together => 1,
            Standing::Alone => 2,
            Standing::Unfinished => 3,
            Standing::Offered => 4,
        });
        let count = self.ancestors.len() as u64;
        let numbers = [self.number, self.chance, count].into_iter();
        for number in numbers.chain(self.ancestors.iter().copied()) {
            bytes.extend(number.to_le_bytes());
        }
        bytes
    }

    fn decode(id: SegmentId, bytes: &[u8]) -> Option<Self> {
        let numbers: Vec<u64> = bytes
            .get(8..)?
            .chunks_exact(8)
            .filter_map(|number| Some(u64::from_le_bytes(number.try_into().ok()?)))
            .collect();
        let standing = match bytes[7] {
            1 => Standing::Together,
            2 => Standing::Alone,
            3 => Standing::Unfinished,
            _ => Standing::Offered,
        };
        let ancestors = numbers.get(3..)?.to_vec();
        let mark = Self { number: id.get(), standing, chance: numbers[1], ancestors };
        (mark.encode() == bytes && bytes.len() >= FIXED_LEN).then_some(mark)
    }
}

/// What is behind the number of a mark.
enum Found {
    Sound(Mark),
    /// A crash interrupted its making: nobody relied on it.
    Begun,
    Damaged,
}

impl Found {
    fn read(store: &dyn SegmentStore, id: SegmentId) -> io::Result<Self> {
        let guarantees = store.guarantees();
        let block = SLOT_LEN.max(guarantees.alignment as usize);
        let mut bytes = vec![0; 2 * block];
        let count = store.open(id)?.read_at(0, &mut bytes)?;
        bytes[count..].fill(0);
        // The alignment may have been another one when it was written.
        let mut blocks = bytes.chunks(SLOT_LEN);
        if let Some(mark) = blocks.find_map(|block| sound(id, block)) {
            return Ok(Self::Sound(mark));
        }
        let only_begun =
            is_blank(&bytes[SLOT_LEN..]) || guarantees.unwritten == Unwritten::Anything;
        Ok(match guarantees.naming {
            Naming::AtCreate if only_begun => Self::Begun,
            _ => Self::Damaged,
        })
    }
}

fn sound(id: SegmentId, block: &[u8]) -> Option<Mark> {
    Mark::decode(id, Slots::decode(block)?.bytes()?)
}

/// A hasher's keys are the one thing drawn by chance that the standard library gives out.
fn chance() -> u64 {
    RandomState::new().hash_one(FIRST_MARK)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark() -> Mark {
        let ancestors = vec![7, 8, 9];
        Mark { number: FIRST_MARK + 3, standing: Standing::Alone, chance: 5, ancestors }
    }

    #[test]
    fn a_mark_is_read_back_and_a_damaged_one_is_none() {
        let id = SegmentId::new(mark().number);
        let block = Slots::default().replace(&mark().encode()).1;
        assert_eq!(sound(id, &block), Some(mark()));
        assert_eq!(sound(id.next(), &block), None);
        for bit in 0..SLOT_LEN * 8 {
            let mut block = block.clone();
            block[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(sound(id, &block), None, "bit {bit}");
        }
        assert_eq!(sound(id, &[0; SLOT_LEN]), None);
    }

    #[test]
    fn what_is_no_mark_is_not_read_as_one() {
        for len in 0..FIXED_LEN {
            assert_eq!(Mark::decode(SegmentId::new(FIRST_MARK), &vec![0; len]), None);
        }
        let mut most = mark();
        most.ancestors = vec![1; ANCESTORS];
        assert_eq!(Mark::decode(SegmentId::new(most.number), &most.encode()), Some(most));
    }
}
