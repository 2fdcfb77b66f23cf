//! Two halves whose bytes are not of the format, or of one that this build does not know: what can be
//! said of them without.

use std::collections::BTreeSet;
use std::io;

use wal_core::{SegmentId, SegmentReader, SegmentStore, Unwritten};

use super::copy::segments;
use super::lenient::read_leniently;
use super::verdict::Verdict;
use super::{Half, Mismatch};

/// How many of the last segments a crash may leave with different bytes: the one being written, and
/// the one before, which recovery trims.
const UNSETTLED: usize = 2;
/// Bytes read at a time.
const CHUNK: usize = 64 * 1024;

/// How the bytes of a segment in one half are to those in the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bytes {
    /// The first half has some where the second has zeros, or nothing.
    pub(super) more_in_first: bool,
    /// The second half has some where the first has zeros, or nothing.
    pub(super) more_in_second: bool,
    /// Both have some, and not the same.
    pub(super) differ: bool,
}

impl Bytes {
    pub(super) fn are_same(self) -> bool {
        self == Self::default()
    }

    /// Compares two segments; what one does not have counts as zeros, since space may be prepared in
    /// one and not in the other.
    pub(super) fn of(one: &dyn SegmentReader, other: &dyn SegmentReader) -> io::Result<Self> {
        let size = one.size()?.max(other.size()?);
        let (mut left, mut right) = (vec![0; CHUNK], vec![0; CHUNK]);
        let (mut offset, mut found) = (0, Self::default());
        while offset < size {
            let (count, whole) = read_leniently(one, offset, &mut left)?;
            let (others, other_whole) = read_leniently(other, offset, &mut right)?;
            found.differ |= !whole || !other_whole;
            left[count..].fill(0);
            right[others..].fill(0);
            if left != right {
                for (&left, &right) in left.iter().zip(&right).filter(|(left, right)| left != right)
                {
                    match (left, right) {
                        (_, 0) => found.more_in_first = true,
                        (0, _) => found.more_in_second = true,
                        _ => found.differ = true,
                    }
                }
            }
            offset += CHUNK as u64;
        }
        Ok(found)
    }
}

/// Whether both hold the same segments with the same bytes.
pub(super) fn identical(stores: [&dyn SegmentStore; 2]) -> io::Result<bool> {
    let ids = segments(stores[0])?;
    if ids != segments(stores[1])? {
        return Ok(false);
    }
    for id in ids {
        if !Bytes::of(&*stores[0].open(id)?, &*stores[1].open(id)?)?.are_same() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The half that has all that the other one has; where neither does, and a crash may have left it so,
/// the first.
///
/// Space that was used before ([`Unwritten::Anything`]) cannot be told from what was appended: there,
/// differences say nothing, but for those in the last segments, where the first half is taken.
pub(super) fn judge(stores: [&dyn SegmentStore; 2]) -> io::Result<Result<Verdict, Mismatch>> {
    let used = stores.iter().any(|store| store.guarantees().unwritten != Unwritten::Zeros);
    let lists = [segments(stores[0])?, segments(stores[1])?];
    let ids: BTreeSet<_> = lists.iter().flatten().copied().collect();
    let settled = ids.len().saturating_sub(UNSETTLED);
    let mut all = Bytes::default();
    let (mut extra, mut damaged) = (Vec::new(), None);
    for (at, &id) in ids.iter().enumerate() {
        let there = lists.each_ref().map(|list| list.contains(&id));
        match there {
            [true, false] => all.more_in_first = true,
            [false, _] => {
                all.more_in_second = true;
                extra.push(id);
            }
            [true, true] if used && at < settled => {}
            [true, true] => {
                let found = Bytes::of(&*stores[0].open(id)?, &*stores[1].open(id)?)?;
                all.more_in_first |= found.more_in_first;
                all.more_in_second |= found.more_in_second;
                all.differ |= found.differ;
                let wrong = found.differ && at < settled;
                damaged = damaged.or(wrong.then_some(id));
            }
        }
    }
    Ok(match (all, damaged, &*extra) {
        (all, _, _) if all.are_same() => Ok(Verdict::Same),
        (Bytes { more_in_second: false, differ: false, .. }, ..) => Ok(Verdict::Good(Half::First)),
        (Bytes { more_in_first: false, differ: false, .. }, ..) => Ok(Verdict::Good(Half::Second)),
        (_, Some(id), _) => Err(Mismatch::Damaged(id)),
        (_, None, []) => Ok(Verdict::Good(Half::First)),
        (_, None, [newest]) if lists[0].last() < Some(newest) => Ok(Verdict::Good(Half::First)),
        (_, None, [id, ..]) => Err(Mismatch::Damaged(*id)),
    })
}

/// Whether this is one of the last segments of these, which a crash may leave with other bytes.
pub(super) fn is_unsettled(id: SegmentId, from: &[SegmentId]) -> bool {
    from.iter().rev().take(UNSETTLED).any(|last| *last <= id)
}
