//! [`Transforms`]: what a reader can undo.

use std::sync::Arc;

use bytes::Bytes;
use wal_core::format::MAX_BODY_LEN;
use wal_core::{Applied, Error, ErrorKind, Result, Transform, TransformId};

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
        let mut body = Vec::new();
        self.find(id)?.undo(stored, MAX_BODY_LEN, &mut body)?;
        Ok(body.into())
    }

    /// What is stored for a body that takes the place of one which went through `id`, and what it
    /// went through: what was sealed stays sealed.
    pub(crate) fn redo(&self, id: TransformId, body: Vec<u8>) -> Result<(TransformId, Bytes)> {
        if id == TransformId::NONE {
            return Ok((id, body.into()));
        }
        let mut stored = Vec::new();
        match self.find(id)?.apply(&body, &mut stored)? {
            Applied::Stored => Ok((id, stored.into())),
            Applied::Skipped => Ok((TransformId::NONE, body.into())),
        }
    }

    fn find(&self, id: TransformId) -> Result<&dyn Transform> {
        let known = self.0.iter().find(|transform| transform.id() == id);
        known.map(|transform| &**transform).ok_or_else(|| {
            let what = format!("the frame went through transform {}, which is not at hand", id.0);
            Error::new(ErrorKind::Unsupported, what)
        })
    }
}
