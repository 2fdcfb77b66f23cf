//! [`Raw`]: records that are bytes already.

use bytes::Bytes;
use wal_core::{Codec, CodecId, Result};

/// Takes bytes as they are: every input decodes, also an empty one. For records whose format is the
/// caller's own business.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Raw;

impl Raw {
    /// The codec's number in segment headers.
    pub const ID: CodecId = CodecId::RAW;
}

impl Codec<Vec<u8>> for Raw {
    fn id(&self) -> CodecId {
        Self::ID
    }

    fn encode(&self, record: &Vec<u8>, out: &mut Vec<u8>) -> Result<()> {
        out.extend_from_slice(record);
        Ok(())
    }

    fn decode(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        Ok(bytes.to_vec())
    }
}

impl Codec<Bytes> for Raw {
    fn id(&self) -> CodecId {
        Self::ID
    }

    fn encode(&self, record: &Bytes, out: &mut Vec<u8>) -> Result<()> {
        out.extend_from_slice(record);
        Ok(())
    }

    fn decode(&self, bytes: &[u8]) -> Result<Bytes> {
        Ok(Bytes::copy_from_slice(bytes))
    }
}
