//! The codec seams: a record to bytes, a frame's body to stored bytes, and both back.

use std::fmt;

use crate::{CodecId, Result, TransformId};

/// Turns records of type `R` into bytes and back.
///
/// What an implementation must hold:
/// - What was encoded decodes to an equal record, from exactly the bytes that were encoded.
/// - Decoding is total: any bytes give a record or an error of kind
///   [`Corrupt`](crate::ErrorKind::Corrupt), or [`Unsupported`](crate::ErrorKind::Unsupported) where
///   a newer version of the codec wrote them; never a panic, never an allocation beyond a small
///   multiple of the input, and bytes left over are an error.
/// - What cannot be encoded whole (a field too long for its length) is refused with
///   [`Invalid`](crate::ErrorKind::Invalid), never shortened.
pub trait Codec<R>: Send + Sync + fmt::Debug {
    /// The codec's number, written into every segment header.
    fn id(&self) -> CodecId;

    /// Appends the record's bytes to `out`. On an error `out` may hold a part of them.
    fn encode(&self, record: &R, out: &mut Vec<u8>) -> Result<()>;

    /// The record that these bytes are.
    fn decode(&self, bytes: &[u8]) -> Result<R>;
}

/// Turns a frame's body into what is stored and back: compression, encryption.
///
/// Works on whole frames, inside the checksum, so that recovery finds the end of a log without
/// undoing any transform, and without a key.
pub trait Transform: Send + Sync + fmt::Debug {
    /// The transform's number, written into every frame header; not [`TransformId::NONE`].
    fn id(&self) -> TransformId;

    /// Appends the stored form of `body` to `out`, or says [`Applied::Skipped`], with `out` as it
    /// was, where storing the body as it is would be better.
    fn apply(&self, body: &[u8], out: &mut Vec<u8>) -> Result<Applied>;

    /// Appends the body that `stored` is the stored form of to `out`. Total on any input; appends
    /// at most `limit` bytes, and fails with [`Corrupt`](crate::ErrorKind::Corrupt) where there
    /// would be more.
    fn undo(&self, stored: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<()>;
}

/// What a transform did with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Applied {
    /// Its stored form is in the output.
    Stored,
    /// Nothing: store it as it is.
    Skipped,
}
