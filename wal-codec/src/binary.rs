//! [`Binary`]: the codec of records laid by hand.

use wal_core::{Codec, CodecId, Result};

use crate::{Input, Layout};

/// Encodes every type that has a [`Layout`], and adds nothing: no tag, no length, no name. The
/// smallest codec of the kit, and the one whose format nobody else can change.
///
/// The log's frames carry length, checksum and identity, so a record needs none of its own. What a
/// record does need is a version, and its [`Layout`] gives it one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Binary;

impl Binary {
    /// The codec's number in segment headers.
    pub const ID: CodecId = CodecId(1);
}

impl<R: Layout> Codec<R> for Binary {
    fn id(&self) -> CodecId {
        Self::ID
    }

    fn encode(&self, record: &R, out: &mut Vec<u8>) -> Result<()> {
        record.encode(out)
    }

    fn decode(&self, bytes: &[u8]) -> Result<R> {
        let mut input = Input::new(bytes);
        let record = R::decode(&mut input)?;
        input.end()?;
        Ok(record)
    }
}
