//! [`Layout`]: how the values of a type lie in bytes.

use wal_core::Result;

use crate::Input;

/// How the values of a type lie in bytes, for the codec [`Binary`](crate::Binary).
///
/// Written for a record type by naming its fields twice, once in each direction; the crate's page
/// has an example. The fields are of types that have a layout already:
///
/// | type | bytes |
/// |---|---|
/// | `u8` | itself |
/// | `u16`, `u32`, `u64` | LEB128: seven bits a byte, low bits first; shortest form only |
/// | `i16`, `i32`, `i64` | zigzag (0, -1, 1, -2 … as 0, 1, 2, 3 …), then LEB128 |
/// | `u128` | 16 bytes, little endian: mostly an identifier, which LEB128 would lengthen |
/// | `bool` | 0 or 1 |
/// | `[u8; N]` | themselves; with `to_le_bytes`, an integer of fixed width |
/// | `Vec<u8>`, [`Bytes`](bytes::Bytes), `String` | length in LEB128, then the bytes |
/// | `Option<T>` | 0, or 1 and the value |
/// | tuples of two to four | one field after the other |
///
/// `Vec<T>` has none, since `Vec<u8>` would then be laid element by element: use
/// [`put_list`](crate::put_list) and [`Input::list`].
///
/// What an implementation must hold, so that [`Binary`](crate::Binary) keeps the promises of
/// [`Codec`](wal_core::Codec):
/// - `decode` reads exactly the bytes that `encode` appended, and gives an equal value.
/// - `decode` is total: any bytes give a value or an error, without a panic and without reserving
///   more memory than a small multiple of [`Input::remaining`].
/// - What cannot be laid whole is refused by `encode` with
///   [`Invalid`](wal_core::ErrorKind::Invalid), never shortened.
///
/// Implementations in this crate hold one thing more: every value has one form, and `decode` takes
/// no other.
///
/// The bytes outlive the code. Begin a record with a version, read by [`Input::version`]; the
/// layout of one version never changes.
pub trait Layout: Sized {
    /// Appends the value's bytes to `out`. On an error `out` may hold a part of them.
    fn encode(&self, out: &mut Vec<u8>) -> Result<()>;

    /// The value whose bytes come next in `input`. On an error any part of them may be consumed.
    fn decode(input: &mut Input<'_>) -> Result<Self>;
}
