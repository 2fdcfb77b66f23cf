//! The record codecs.

use std::collections::BTreeMap;
use std::fmt::Debug;

use wal::ErrorKind;
use wal::parts::codec::{Binary, Bincode, Operation};
use wal::parts::core::Codec;

/// A record of the hand-laid layout. Its layout is the shortest form only, so that what decodes
/// encodes to the same bytes.
pub fn operation(bytes: &[u8]) {
    operation_by(bytes, &Binary);
}

pub(crate) fn operation_by(bytes: &[u8], codec: &dyn Codec<Operation>) {
    if let Some(again) = round_trip(codec, bytes) {
        assert_eq!(again, bytes, "an operation in a form that no writer makes was taken");
    }
}

/// Records of bincode, for a plain type and for nested ones, whose claimed lengths multiply.
pub fn bincode(bytes: &[u8]) {
    bincode_by(bytes, &Bincode);
}

pub(crate) fn bincode_by<C>(bytes: &[u8], codec: &C)
where
    C: Codec<Operation> + Codec<Lists> + Codec<Map> + Codec<Fields>,
{
    let (kind, bytes) = bytes.split_first().unwrap_or((&0, &[]));
    match kind % 4 {
        0 => drop(round_trip::<Operation>(codec, bytes)),
        1 => drop(round_trip::<Lists>(codec, bytes)),
        2 => drop(round_trip::<Map>(codec, bytes)),
        _ => drop(round_trip::<Fields>(codec, bytes)),
    }
}

pub(crate) type Lists = Vec<Vec<(String, Option<u64>)>>;
pub(crate) type Map = BTreeMap<String, Vec<u8>>;
pub(crate) type Fields = (bool, char, i128, Box<str>, [u16; 3]);

/// What a record that decodes encodes to; that must decode to the same record, and with a byte less
/// or more to none.
fn round_trip<R: PartialEq + Debug>(codec: &dyn Codec<R>, bytes: &[u8]) -> Option<Vec<u8>> {
    let record = match codec.decode(bytes) {
        Ok(record) => record,
        Err(error) => {
            let expected = matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported);
            assert!(expected, "a decoder's error is {error:?}");
            return None;
        }
    };
    let mut again = Vec::new();
    codec.encode(&record, &mut again).expect("what was decoded can be encoded");
    let reread = codec.decode(&again).expect("what was encoded decodes");
    assert_eq!(record, reread);
    let less = codec.decode(&again[..again.len().saturating_sub(1)]);
    assert!(less.is_err(), "a record without its last byte decodes");
    again.push(0);
    assert!(codec.decode(&again).is_err(), "a record with a byte behind it decodes");
    again.pop();
    Some(again)
}
