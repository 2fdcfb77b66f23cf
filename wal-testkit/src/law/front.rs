//! [`Front`]: laws that hold behind the first bytes too.

use super::{Need, Saw};
use crate::{CutChoice, Place};

/// Set to a number of bytes, lets laws try that front alone.
pub(super) const FRONT_VARIABLE: &str = "WAL_FRONT";

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// What lies before the first byte of a law, in the parts of a family.
///
/// A part that works in units of its own may be right in the first of them and wrong behind it, and
/// a law that is content with a few bytes never gets there.
pub(crate) struct Front<Part: ?Sized + 'static> {
    /// How many bytes are tried where the author names no unit.
    pub(crate) by_default: &'static [u64],
    /// How many bytes are tried where the unit is this.
    pub(crate) for_unit: fn(u64) -> Vec<u64>,
    /// Puts so many bytes into a fresh place, and says in how many records, where there are any.
    pub(crate) lay: fn(&dyn Place<Part>, u64) -> Result<u64, Saw>,
}

impl<Part: ?Sized> Front<Part> {
    /// For parts that keep nothing: their laws have no front.
    pub(crate) const NONE: Self =
        Self { by_default: &[0], for_unit: |_| vec![0], lay: |_, _| Ok(0) };

    /// About the unit of an author who names none: often a page or two, or a multipart upload.
    pub(crate) const USUAL: &'static [u64] =
        &[0, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 3 * 64 * KIB + 1, 3 * MIB + 1];

    pub(super) fn bytes(&self, unit: Option<u64>) -> Result<Vec<u64>, Saw> {
        let Ok(text) = std::env::var(FRONT_VARIABLE) else {
            return Ok(unit.map_or_else(|| self.by_default.to_vec(), self.for_unit));
        };
        let only = text.parse();
        only.map(|bytes| vec![bytes])
            .map_err(|_| Saw::new(format!("{FRONT_VARIABLE} is set to {text:?}, no number")))
    }
}

/// One less than the unit, the unit, one more, and past three of them.
pub(crate) fn about(unit: u64) -> Vec<u64> {
    vec![0, unit.saturating_sub(1), unit, unit.saturating_add(1), unit.saturating_mul(3) + 1]
}

/// The crashes that a law tries. Where a place holds much each of them costs more, and what the
/// many by chance are there for was tried without a front.
pub(super) fn choices(needs: &[Need], front: u64) -> Vec<CutChoice> {
    let interrupts = needs.contains(&Need::Interrupt);
    // A law with interrupts crashes once for every operation of its own.
    let (extremes, seeds) = match (front, interrupts) {
        (0, false) => (6, 64),
        (0, true) => (6, 16),
        (..=MIB, false) => (2, 4),
        (..=MIB, true) => (0, 1),
        (_, false) => (0, 2),
        (_, true) => (0, 0),
    };
    CutChoice::for_laws(extremes, seeds).collect()
}
