//! [`Transforms`]: what a reader can undo.

use std::sync::Arc;

use bytes::Bytes;
use wal_core::format::MAX_BODY_LEN;
use wal_core::{Error, ErrorKind, Result, Transform, TransformId};

/// The transforms that a reader knows, by their numbers. The default knows none, and reads frames
/// that went through none.
#[derive(Clone, Debug, Default)]
pub struct Transforms(Vec<Arc<dyn Transform>>);

impl Transforms {
    /// These transforms.
    pub fn new(known: Vec<Arc<dyn Transform>>) -> Self {
        Self(known)
    }

    /// The body whose stored form this is. An unknown transform is
    /// [`Unsupported`](ErrorKind::Unsupported).
    pub fn undo(&self, id: TransformId, stored: &Bytes) -> Result<Bytes> {
        if id == TransformId::NONE {
            return Ok(stored.clone());
        }
        let Some(transform) = self.0.iter().find(|transform| transform.id() == id) else {
            let what = format!("the frame went through transform {}, which is not at hand", id.0);
            return Err(Error::new(ErrorKind::Unsupported, what));
        };
        let mut body = Vec::new();
        transform.undo(stored, MAX_BODY_LEN, &mut body)?;
        Ok(body.into())
    }
}
