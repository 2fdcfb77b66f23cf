//! [`Watch`]: who sleeps is woken by the next append, and no append wakes one who does not.

use std::sync::atomic::Ordering;

use crate::sync::{AtomicBool, fence};

/// Whether the one who flushes looks at the log by itself; if not, the next append must wake it.
///
/// A record is staged, and then the appender looks whether the other rests; the other says that it will
/// rest, and then looks at the log. A fence between the two steps of each lets at most one of them look
/// too early, so no record is left behind by both.
///
/// Changed by swaps only, each of which comes visibly after the one that it has read: so the flag's
/// history is one line, which a model checker can follow.
#[derive(Debug)]
pub(super) struct Watch(AtomicBool);

impl Watch {
    /// For who has staged a record: whether the other is to be woken.
    #[inline]
    pub(super) fn rouse(&self) -> bool {
        fence(Ordering::SeqCst);
        !self.0.load(Ordering::Relaxed) && !self.0.swap(true, Ordering::AcqRel)
    }

    /// For who will rest: whether there is nothing to do, `work` by a last look, so that it may.
    pub(super) fn may_rest(&self, work: impl FnOnce() -> bool) -> bool {
        self.0.swap(false, Ordering::AcqRel);
        fence(Ordering::SeqCst);
        !work()
    }

    /// Behind a rest, also one that no append has ended or that never was: who appends must not take
    /// this one for one that rests while it works.
    pub(super) fn rested(&self) {
        self.0.swap(true, Ordering::AcqRel);
    }
}

impl Default for Watch {
    fn default() -> Self {
        // Who has just begun looks first.
        Self(AtomicBool::new(true))
    }
}
