//! Transforms that change how much is stored: what is in flight is what is stored, and not what was given.

use std::sync::Arc;

use wal::{Error, ErrorKind, Result};
use wal_core::{Applied, Transform, TransformId};

/// One that a log is opened with.
pub(crate) type SharedTransform = Arc<dyn Transform>;

/// All that a log is ever opened with.
pub(crate) fn all() -> Vec<SharedTransform> {
    vec![Arc::new(Growing), Arc::new(Shrinking)]
}

/// Stores a body with as much again behind it, the bytes of the body turned over.
#[derive(Debug)]
pub(crate) struct Growing;

/// Stores a body without the zeros at its end, and its length behind it.
#[derive(Debug)]
pub(crate) struct Shrinking;

impl Transform for Growing {
    fn id(&self) -> TransformId {
        TransformId(201)
    }

    fn apply(&self, body: &[u8], out: &mut Vec<u8>) -> Result<Applied> {
        if body.is_empty() {
            return Ok(Applied::Skipped);
        }
        out.extend_from_slice(body);
        out.extend(body.iter().map(|byte| !byte));
        Ok(Applied::Stored)
    }

    fn undo(&self, stored: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<()> {
        let (body, again) = stored.split_at(stored.len() / 2);
        let same = body.iter().map(|byte| !byte).eq(again.iter().copied());
        if body.len() > limit || !same {
            return Err(no_body());
        }
        out.extend_from_slice(body);
        Ok(())
    }
}

impl Transform for Shrinking {
    fn id(&self) -> TransformId {
        TransformId(202)
    }

    fn apply(&self, body: &[u8], out: &mut Vec<u8>) -> Result<Applied> {
        let kept = body.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let (Ok(len), true) = (u32::try_from(body.len()), kept + 4 < body.len()) else {
            return Ok(Applied::Skipped);
        };
        out.extend_from_slice(&body[..kept]);
        out.extend_from_slice(&len.to_le_bytes());
        Ok(Applied::Stored)
    }

    fn undo(&self, stored: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<()> {
        let (kept, len) = stored.split_last_chunk().ok_or_else(no_body)?;
        let len = usize::try_from(u32::from_le_bytes(*len)).unwrap_or(usize::MAX);
        if len > limit || kept.len() > len {
            return Err(no_body());
        }
        let end = out.len() + len;
        out.extend_from_slice(kept);
        out.resize(end, 0);
        Ok(())
    }
}

fn no_body() -> Error {
    Error::new(ErrorKind::Corrupt, "no body is stored so")
}
