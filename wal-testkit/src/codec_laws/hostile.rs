//! Laws about bytes that nobody encoded.

use std::panic::{AssertUnwindSafe, catch_unwind};

use wal_core::{ErrorKind, Result};

use super::{CodecCase, Outcome, encoded, small};
use crate::allocated::allocated;
use crate::chance::Chance;
use crate::law::{Saw, saw};
use crate::{CodecUnderTest, Likeness, Sample};

/// A record copies its input, and may do so into wider fields; what comes on top is the error.
const TIMES: u64 = 64;
const SLACK: u64 = 16 * 1024;

pub(super) fn a_part_of_a_record_is_refused(case: &mut CodecCase<'_>) -> Outcome {
    case.each_seed(120, |case, seed| {
        let codec = case.part_opened()?;
        let bytes = encoded(&*codec, &small(seed))?;
        for length in 0..bytes.len() {
            refused(&*codec, &bytes[..length], || format!("{length} of {} bytes", bytes.len()))?;
        }
        Ok(())
    })
}

pub(super) fn bytes_left_over_are_refused(case: &mut CodecCase<'_>) -> Outcome {
    case.each_seed(120, |case, seed| {
        let codec = case.part_opened()?;
        let mut bytes = encoded(&*codec, &small(seed))?;
        let whole = bytes.len();
        let mut chance = Chance::new(seed);
        for more in [1, 7, 300] {
            let mut left_over = vec![0; more];
            if seed % 2 == 1 {
                chance.fill(&mut left_over);
            }
            bytes.extend(left_over);
            let over = bytes.len() - whole;
            refused(&*codec, &bytes, || format!("{whole} bytes and {over} left over"))?;
        }
        Ok(())
    })
}

pub(super) fn any_bytes_are_survived(case: &mut CodecCase<'_>) -> Outcome {
    hostile(case, |codec, bytes| {
        let decoded = catch_unwind(AssertUnwindSafe(|| drop(codec.decode(bytes, &small(0)))));
        if decoded.is_ok() {
            return Ok(());
        }
        Err(Saw::new(format!("a panic at {}", shown(bytes))))
    })
}

pub(super) fn refusals_are_corrupt_or_unsupported(case: &mut CodecCase<'_>) -> Outcome {
    hostile(case, |codec, bytes| {
        let Err(error) = codec.decode(bytes, &small(0)) else { return Ok(()) };
        match error.kind() {
            ErrorKind::Corrupt | ErrorKind::Unsupported => Ok(()),
            kind => Err(Saw::new(format!("{kind:?} for {}: {error}", shown(bytes)))),
        }
    })
}

/// A length in the input is a claim, and a forged one is no reason to reserve a gigabyte.
pub(super) fn decoding_allocates_little(case: &mut CodecCase<'_>) -> Outcome {
    hostile(case, |codec, bytes| {
        let (decoded, allocated) = allocated(|| codec.decode(bytes, &small(0)));
        drop(decoded);
        if allocated <= bytes.len() as u64 * TIMES + SLACK {
            return Ok(());
        }
        Err(Saw::new(format!("{allocated} bytes allocated for {}", shown(bytes))))
    })
}

/// Random bytes, and encoded records with bytes changed, cut off and forged.
fn hostile(
    case: &mut CodecCase<'_>,
    check: impl Fn(&dyn CodecUnderTest, &[u8]) -> Outcome,
) -> Outcome {
    case.each_seed(150, |case, seed| {
        let codec = case.part_opened()?;
        let mut chance = Chance::new(seed);
        for length in [0, 1, 2, 5, 9, 16, 33, 100] {
            let mut bytes = vec![0; length];
            check(&*codec, &bytes)?;
            chance.fill(&mut bytes);
            check(&*codec, &bytes)?;
        }
        let bytes = encoded(&*codec, &Sample::small(seed, 24))?;
        for at in 0..bytes.len() {
            check(&*codec, &bytes[..at])?;
            let mut hurt = bytes.clone();
            hurt[at] ^= 1 << chance.below(8);
            check(&*codec, &hurt)?;
            // All ones are the largest length there is, in whatever form.
            for width in [1, 2, 4, 8, 9] {
                let mut forged = bytes.clone();
                let end = (at + width).min(forged.len());
                forged[at..end].fill(0xff);
                check(&*codec, &forged)?;
                forged[end - 1] = 0x7f;
                check(&*codec, &forged)?;
            }
        }
        Ok(())
    })
}

fn refused(codec: &dyn CodecUnderTest, bytes: &[u8], what: impl Fn() -> String) -> Outcome {
    let decoded: Result<Likeness> = codec.decode(bytes, &small(0));
    let hint = "a codec that takes any bytes for a record says so with `without [end]`";
    saw(&format!("{} decode ({hint})", what()), decoded.is_ok(), false)
}

fn shown(bytes: &[u8]) -> String {
    let first = &bytes[..bytes.len().min(32)];
    format!("{} bytes that begin {first:02x?}", bytes.len())
}
