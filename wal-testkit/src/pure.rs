//! [`Pure`]: the place of a part that keeps nothing.

use std::collections::BTreeMap;
use std::fmt;

use wal_core::{CommitStrategy, ReplayEngine, Result, Transform};

use crate::{CodecUnderTest, Harm, Inflicted, Place};

/// The place of a part that keeps nothing outside itself: opening it makes a new part with this
/// closure, and no harm can be done to it. The macros for such parts wrap their closure in it; a
/// harness over a table does so itself.
#[derive(Clone, Copy)]
pub struct Pure<F>(pub F);

impl<F> fmt::Debug for Pure<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pure")
    }
}

macro_rules! pure_place {
    ($($seam:ident),*) => {$(
        impl<F, P> Place<dyn $seam> for Pure<F>
        where
            F: Fn() -> P,
            P: $seam + 'static,
        {
            fn open(&self) -> Result<Box<dyn $seam>> {
                Ok(Box::new((self.0)()))
            }

            fn files(&self) -> Option<BTreeMap<String, Vec<u8>>> {
                None
            }

            fn inflict(&self, _: Harm) -> Inflicted {
                Inflicted::Cannot
            }
        }
    )*};
}

pure_place!(CodecUnderTest, CommitStrategy, ReplayEngine, Transform);
