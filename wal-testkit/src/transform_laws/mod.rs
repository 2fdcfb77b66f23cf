//! The laws for the transform seam.

mod body;
mod hostile;

use wal_core::{Applied, Transform};

use crate::chance::Chance;
use crate::law::{Case, Front, Law, Saw, law_table};

/// A law for the transform seam.
pub type TransformLaw = Law<dyn Transform>;

#[doc(hidden)]
pub type TransformPart = dyn Transform;

type TransformCase<'a> = Case<'a, dyn Transform>;
type Outcome = Result<(), Saw>;

/// Every law for the transform seam, for harnesses of one's own.
/// [`transform_laws!`](crate::transform_laws) makes a test of each.
pub const TRANSFORM_LAWS: &[TransformLaw] =
    crate::__each_transform_law!((law_table)("transform", Front::NONE));

/// Proves a [`Transform`](wal_core::Transform): makes a module `name` with a test for every law of
/// the seam.
///
/// The closure makes the transform; two made by it must understand each other, as the ones of two
/// processes must. `without [allocations]` does without the feature of that name, which counts what
/// undoing allocates.
///
/// ```
/// use wal_core::{Applied, Error, ErrorKind, Result, Transform, TransformId};
///
/// #[derive(Debug)]
/// struct Inverted;
///
/// impl Transform for Inverted {
///     fn id(&self) -> TransformId {
///         TransformId(200)
///     }
///
///     fn apply(&self, body: &[u8], out: &mut Vec<u8>) -> Result<Applied> {
///         out.extend(body.iter().map(|byte| !byte));
///         Ok(Applied::Stored)
///     }
///
///     fn undo(&self, stored: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<()> {
///         if stored.len() > limit {
///             return Err(Error::new(ErrorKind::Corrupt, "the body is over the limit"));
///         }
///         out.extend(stored.iter().map(|byte| !byte));
///         Ok(())
///     }
/// }
///
/// # #[cfg(feature = "allocations")]
/// wal_testkit::transform_laws!(inverted, || Inverted);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! transform_laws {
    ($name:ident, $new:expr $(,)?) => {
        $crate::transform_laws!($name, $new, without []);
    };
    ($name:ident, $new:expr, without [$($without:ident),* $(,)?] $(,)?) => {
        mod $name {
            #[allow(unused_imports, reason = "what the closure names lies outside")]
            use super::*;

            $crate::__each_transform_law!(
                ($crate::__law_tests)
                (
                    $crate::TRANSFORM_LAWS, $crate::TransformPart, || $crate::Pure($new),
                    [$($without),*]
                )
            );
        }
    };
}

/// The one list: module and name, what the law needs, and its promise.
#[doc(hidden)]
#[macro_export]
macro_rules! __each_transform_law {
    (($($then:tt)*) $arguments:tt) => { $($then)* ! {
        $arguments
        body::the_id_is_its_own []
            "a transform has one number, and it is not NONE";
        body::a_body_comes_back []
            "what was applied is undone, by any transform of the same making";
        body::the_output_is_appended []
            "applying and undoing append to what is there, and change none of it";
        body::a_skipped_body_leaves_nothing []
            "where storing the body as it is would be better, the output is as it was";
        body::an_incompressible_body_stays_small []
            "a stored form is never much longer than its body";
        body::threads_do_not_disturb_each_other []
            "a transform works on any thread, and on several at once";
        hostile::the_limit_is_kept []
            "undoing appends at most the limit, and fails with Corrupt where there would be more";
        hostile::a_bomb_is_refused_unopened [allocations]
            "what is refused for its length is not unpacked first";
        hostile::any_bytes_are_survived []
            "undoing any bytes gives a body within the limit or an error, never a panic";
        hostile::refusals_are_corrupt []
            "bytes that are no stored form are Corrupt";
        hostile::a_part_is_not_the_whole []
            "a stored form cut short is never undone to the same body";
    } };
}

/// Bodies of all kinds: text that repeats, zeros, garbage, and mixtures.
fn body(seed: u64) -> Vec<u8> {
    let mut chance = Chance::new(seed);
    let length = match seed % 8 {
        0 => chance.below(16),
        7 => chance.below(200_000),
        _ => chance.below(5_000),
    };
    let length = usize::try_from(length).expect("at least 32 bits");
    let mut garbage = vec![0; length];
    chance.fill(&mut garbage);
    match chance.below(4) {
        0 => vec![0; length],
        1 => garbage,
        2 => b"{\"account\":4711,\"cents\":-250}\n".iter().copied().cycle().take(length).collect(),
        _ => {
            garbage[..length / 2].fill(b'x');
            garbage
        }
    }
}

/// The stored form, where there is one.
fn stored(transform: &dyn Transform, body: &[u8]) -> Result<Option<Vec<u8>>, Saw> {
    let mut out = Vec::new();
    match transform.apply(body, &mut out)? {
        Applied::Stored => Ok(Some(out)),
        Applied::Skipped => Ok(None),
    }
}
