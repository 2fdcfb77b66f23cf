//! [`Damaged`]: what was wrong with a segment that was pruned.

use std::fmt;

use wal_core::{Error, SegmentId};

use crate::chain::Removable;

/// Something that was wrong with a segment that was pruned. Its `Display` is a line for the person on call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Damaged {
    /// The segment.
    pub id: SegmentId,
    /// What was wrong, and where in it.
    pub what: String,
    /// Whether its file is there still, since it could not be read and so is not proven to be the log's.
    /// It goes with the first open that can read it.
    pub left: bool,
}

impl Damaged {
    /// Something that was wrong with a segment which is not there any more.
    pub fn new(id: SegmentId, what: String) -> Self {
        Self { id, what, left: false }
    }
}

impl Removable {
    /// Takes along what was wrong with these segments; what is in `damaged` already of one of them is all
    /// that is said of it. Oldest first afterwards.
    pub fn tell(&self, damaged: &mut Vec<Damaged>) {
        let gone = self.damaged.iter().map(|error| (error, false));
        for (error, left) in gone.chain(self.unreadable.iter().map(|error| (error, true))) {
            note(damaged, error, left);
        }
        damaged.sort_by_key(|it| it.id);
    }
}

fn note(damaged: &mut Vec<Damaged>, error: &Error, left: bool) {
    let Some(id) = error.at_segment() else { return };
    match damaged.iter_mut().find(|it| it.id == id) {
        Some(known) => known.left |= left,
        None => damaged.push(Damaged { id, what: error.report(), left }),
    }
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, what, left } = self;
        if *left {
            write!(f, "pruned and still there: segment {id}: {what}")
        } else {
            write!(f, "damaged when it was pruned: segment {id}: {what}")
        }
    }
}
