//! [`Relation`]: how two halves stand to each other.

use std::io;

use wal_core::SegmentStore;

use super::copy::segments;
use super::history::{History, Standing};
use super::{Half, Mismatch};

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
    pub(super) fn between(first: &dyn SegmentStore, second: &dyn SegmentStore) -> io::Result<Self> {
        let histories = [History::read(first)?, History::read(second)?];
        let [Some(one), Some(other)] = histories.each_ref().map(History::last) else {
            if segments(first)?.is_empty() && segments(second)?.is_empty() {
                return Ok(Self::Fresh);
            }
            return Err(match histories.each_ref().map(History::is_blank) {
                [true, true] => Mismatch::NoHistory,
                [true, false] => Mismatch::Blank(Half::First),
                [false, _] => Mismatch::Blank(Half::Second),
            }
            .into());
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
