//! [`Bincode`]: the codec of serde types.

use ::bincode::config;
use ::bincode::serde::{encode_into_std_write, seed_decode_from_slice};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wal_core::{Codec, CodecId, Error, ErrorKind, Result};

use crate::bounded::Bounded;
use crate::fault::corrupt;

/// Encodes every serde type, in the bytes of bincode 1's `bincode::serialize`: little endian,
/// integers and lengths of fixed width, enum tags of four bytes. A log written with bincode 1, or
/// with bincode 2's `config::legacy()`, is read as it is.
///
/// Stricter than bincode where the input is not to be trusted: bytes left over are an error, and no
/// claimed length makes it reserve memory, or loop, beyond what the input can hold. No byte limit is
/// set, since what a limit refuses to read was already acknowledged as written.
///
/// What serde leaves to the record type:
/// - A `Vec<u8>` field is slow unless marked with [`as_bytes`](mod@crate::as_bytes).
/// - The format names no fields: adding, removing or reordering them changes the bytes. The
///   attributes `skip`, `skip_serializing_if`, `flatten`, `tag` and `untagged` do not work in it.
/// - A sequence of values that take no bytes, such as `Vec<()>`, does not decode.
/// - A type that contains itself is decoded as deep as the bytes say, on the stack.
///   [`Layout`](crate::Layout) is the better choice for one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Bincode;

impl Bincode {
    /// The codec's number in segment headers.
    pub const ID: CodecId = CodecId(2);
}

impl<R: Serialize + DeserializeOwned> Codec<R> for Bincode {
    fn id(&self) -> CodecId {
        Self::ID
    }

    fn encode(&self, record: &R, out: &mut Vec<u8>) -> Result<()> {
        match encode_into_std_write(record, out, config::legacy()) {
            Ok(_) => Ok(()),
            Err(error) => {
                Err(Error::new(ErrorKind::Invalid, "record does not serialise").because(error))
            }
        }
    }

    fn decode(&self, bytes: &[u8]) -> Result<R> {
        match Bounded::decode(bytes, |seed| seed_decode_from_slice(seed, bytes, config::legacy())) {
            Ok((record, read)) if read == bytes.len() => Ok(record),
            Ok((_, read)) => {
                let left = bytes.len() - read;
                Err(corrupt(format!("{left} bytes are left over behind a record")))
            }
            Err(error) => Err(corrupt("record does not decode as its type").because(error)),
        }
    }
}
