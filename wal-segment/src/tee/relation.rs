//! [`Relation`]: how two halves stand to each other, by their marks.

use std::io;

use wal_core::SegmentStore;

use super::copy::segments;
use super::history::{History, Standing};
use super::{Half, Mismatch};

/// How often the marks are read again that a writer puts there meanwhile.
const ATTEMPTS: u32 = 16;

/// How two halves stand to each other.
#[derive(Debug)]
pub(super) enum Relation {
    /// They are the halves of one pair, and neither has gone on alone.
    Together,
    /// Nothing was ever written to either.
    Fresh,
    /// This half is the good one, and rebuilding the other from it was interrupted.
    Rebuilding(Half),
}

impl Relation {
    /// By their histories; a [`Mismatch`] where they are no pair.
    pub(super) fn between(stores: [&dyn SegmentStore; 2]) -> io::Result<Self> {
        let mut before = histories(stores)?;
        for _ in 0..ATTEMPTS {
            // Read one after the other, beside a writer that marks both, they may not be of one moment.
            let again = histories(stores)?;
            if again == before {
                break;
            }
            before = again;
        }
        Self::of(stores, &before)
    }

    fn of(stores: [&dyn SegmentStore; 2], histories: &[History; 2]) -> io::Result<Self> {
        let taken = histories.each_ref().map(|history| history.last_taken().is_some());
        if taken == [false, false] {
            // The very first mark of all may have been offered, and no more.
            let empty = is_empty(stores[0])? && is_empty(stores[1])?;
            return if empty { Ok(Self::Fresh) } else { Err(Mismatch::NoHistory.into()) };
        }
        for half in Half::BOTH {
            if histories[half.index()].is_blank() {
                return Err(Mismatch::Blank(half).into());
            }
        }
        let [Some(one), Some(other)] = histories.each_ref().map(History::last) else {
            return Err(Mismatch::NoHistory.into());
        };
        let offered = [one, other].into_iter().any(|mark| mark.standing() == Standing::Offered);
        if one == other || offered && one.is_of(other) {
            return Ok(Self::Together);
        }
        // Nothing was written under a mark that was offered and is not in the other half.
        let [Some(one), Some(other)] = histories.each_ref().map(History::last_taken) else {
            return Err(Mismatch::Diverged.into());
        };
        if one == other {
            return Ok(Self::Together);
        }
        let halves =
            [(Half::First, one, other, &histories[1]), (Half::Second, other, one, &histories[0])];
        for (half, last, others_last, others) in halves {
            if last.standing() == Standing::Unfinished {
                let good = others_last.standing() != Standing::Unfinished && others.knows(last);
                return if good {
                    Ok(Self::Rebuilding(half.other()))
                } else {
                    Err(Mismatch::Unfinished(half).into())
                };
            }
        }
        for (half, last, _, others) in halves {
            if others.knows(last) {
                return Err(Mismatch::Behind(half).into());
            }
        }
        Err(Mismatch::Diverged.into())
    }
}

fn histories(stores: [&dyn SegmentStore; 2]) -> io::Result<[History; 2]> {
    Ok([History::read(stores[0], Half::First)?, History::read(stores[1], Half::Second)?])
}

/// No segment, and no word of one either.
fn is_empty(store: &dyn SegmentStore) -> io::Result<bool> {
    Ok(segments(store)?.is_empty() && store.read_anchor()?.is_none())
}
