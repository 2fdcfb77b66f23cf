//! Laws about limits, and about bytes that no transform stored.

use std::panic::{AssertUnwindSafe, catch_unwind};

use wal_core::{Error, ErrorKind, Transform};

use super::{Outcome, TransformCase, body, stored};
use crate::allocated::allocated;
use crate::chance::Chance;
use crate::law::{Saw, saw};

/// The body that a small stored form may unpack to.
const BOMB: usize = 32 << 20;
/// What undoing may take beside its output: tables and windows of a decompressor.
const WORKSPACE: u64 = 8 << 20;

pub(super) fn the_limit_is_kept(case: &mut TransformCase<'_>) -> Outcome {
    case.each_seed(100, |case, seed| {
        let (transform, body) = (case.part_opened()?, body(seed));
        let Some(stored) = stored(&*transform, &body)? else { return Ok(()) };
        let limits = [body.len().saturating_sub(1), body.len() / 2, 0];
        for limit in limits.into_iter().filter(|&limit| limit < body.len()) {
            let mut out = vec![7; 48];
            case.history().note(format!("undo a body of {} bytes, limit {limit}", body.len()));
            let kind = transform.undo(&stored, limit, &mut out).err().map(|error| error.kind());
            saw("the body is over the limit", kind, Some(ErrorKind::Corrupt))?;
            saw("bytes appended are within the limit", out.len() <= 48 + limit, true)?;
            saw("the bytes before are as they were", out.get(..48) == Some(&[7; 48][..]), true)?;
        }
        for limit in [body.len(), body.len() + 1, usize::MAX] {
            transform.undo(&stored, limit, &mut Vec::new())?;
        }
        Ok(())
    })
}

/// Known as a zip bomb: a few kilobytes that unpack to as many megabytes.
pub(super) fn a_bomb_is_refused_unopened(case: &mut TransformCase<'_>) -> Outcome {
    let transform = case.part_opened()?;
    for byte in [0, b'x'] {
        let Some(stored) = stored(&*transform, &vec![byte; BOMB])? else { continue };
        case.history().note(format!("undo {} bytes that unpack to {BOMB}", stored.len()));
        let mut out = Vec::new();
        let (undone, most) = allocated(|| transform.undo(&stored, 4096, &mut out));
        let kind = undone.err().map(|error| error.kind());
        saw("the body is over the limit", kind, Some(ErrorKind::Corrupt))?;
        if most > stored.len() as u64 + WORKSPACE {
            return Err(Saw::new(format!("{most} bytes allocated for a limit of 4096")));
        }
    }
    Ok(())
}

pub(super) fn any_bytes_are_survived(case: &mut TransformCase<'_>) -> Outcome {
    hostile(case, |transform, bytes| {
        for limit in [0, 100, 1 << 16] {
            let mut out = vec![7; 8];
            let undo = || drop(transform.undo(bytes, limit, &mut out));
            if catch_unwind(AssertUnwindSafe(undo)).is_err() {
                return Err(Saw::new(format!("a panic at {} bytes, limit {limit}", bytes.len())));
            }
            saw("bytes appended are within the limit", out.len() <= 8 + limit, true)?;
            saw("the bytes before are as they were", out.get(..8) == Some(&[7; 8][..]), true)?;
        }
        Ok(())
    })
}

pub(super) fn refusals_are_corrupt(case: &mut TransformCase<'_>) -> Outcome {
    hostile(case, |transform, bytes| {
        let undone = transform.undo(bytes, 1 << 16, &mut Vec::new());
        let kind = undone.err().as_ref().map_or(ErrorKind::Corrupt, Error::kind);
        saw("the refusal", kind, ErrorKind::Corrupt)
    })
}

pub(super) fn a_part_is_not_the_whole(case: &mut TransformCase<'_>) -> Outcome {
    case.each_seed(60, |case, seed| {
        let (transform, body) = (case.part_opened()?, body(seed));
        let Some(stored) = stored(&*transform, &body)? else { return Ok(()) };
        let step = stored.len() / 50 + 1;
        for length in (0..stored.len()).step_by(step).chain([stored.len().saturating_sub(1)]) {
            let Some(part) = stored.get(..length).filter(|part| part.len() < stored.len()) else {
                continue;
            };
            let mut out = Vec::new();
            if transform.undo(part, body.len(), &mut out).is_ok() && out == body {
                let all = stored.len();
                return Err(Saw::new(format!("{length} of {all} bytes give the whole body")));
            }
        }
        Ok(())
    })
}

/// Random bytes, and stored forms with bytes changed, cut off and forged.
fn hostile(
    case: &mut TransformCase<'_>,
    check: impl Fn(&dyn Transform, &[u8]) -> Outcome,
) -> Outcome {
    case.each_seed(60, |case, seed| {
        let transform = case.part_opened()?;
        let mut chance = Chance::new(seed);
        for length in [0, 1, 3, 4, 8, 17, 64, 500] {
            let mut bytes = vec![0; length];
            check(&*transform, &bytes)?;
            chance.fill(&mut bytes);
            check(&*transform, &bytes)?;
        }
        let Some(bytes) = stored(&*transform, &body(seed))?.filter(|bytes| !bytes.is_empty())
        else {
            return Ok(());
        };
        let step = bytes.len() / 30 + 1;
        for at in (0..bytes.len().min(16)).chain((16..bytes.len()).step_by(step)) {
            check(&*transform, &bytes[..at])?;
            let mut hurt = bytes.clone();
            hurt[at] ^= 1 << chance.below(8);
            check(&*transform, &hurt)?;
            hurt[at] = 0xff;
            check(&*transform, &hurt)?;
            let end = (at + 4).min(hurt.len());
            hurt[at..end].fill(0xff);
            check(&*transform, &hurt)?;
        }
        Ok(())
    })
}
