//! The bytes of everything that has a layout. What is written here was written to someone's disk:
//! a line may be added, and never changed.

use wal_codec::{Binary, Operation, Raw};
use wal_core::{Codec, CodecId};

use crate::{encoded, laid, read};

#[test]
fn codec_numbers() {
    assert_eq!(Codec::<Vec<u8>>::id(&Raw), CodecId(0));
    assert_eq!(Codec::<Operation>::id(&Binary), CodecId(1));
}

#[test]
fn operations() {
    let at = 0x0807_0605_0403_0201;
    let table: [(Operation, &[u8]); 10] = [
        (
            Operation::put("ab", b"k", b"xyz").at(at),
            b"\x11\x01\x02\x03\x04\x05\x06\x07\x08\x02ab\x01k\x03xyz",
        ),
        (
            Operation::put("ab", b"k", b"xyz").at(at).within(5),
            b"\x19\x01\x02\x03\x04\x05\x06\x07\x08\x05\x02ab\x01k\x03xyz",
        ),
        (
            Operation::update("ab", b"k", b"xyz").at(at),
            b"\x12\x01\x02\x03\x04\x05\x06\x07\x08\x02ab\x01k\x03xyz",
        ),
        (
            Operation::update("ab", b"", b"").at(at).within(300),
            b"\x1a\x01\x02\x03\x04\x05\x06\x07\x08\xac\x02\x02ab\0\0",
        ),
        (Operation::delete("ab", b"k").at(at), b"\x13\x01\x02\x03\x04\x05\x06\x07\x08\x02ab\x01k"),
        (Operation::delete("", b"").within(0), b"\x1b\0\0\0\0\0\0\0\0\0\0\0"),
        (Operation::begin(5).at(at), b"\x1c\x01\x02\x03\x04\x05\x06\x07\x08\x05"),
        (Operation::prepare(5).at(at), b"\x1d\x01\x02\x03\x04\x05\x06\x07\x08\x05"),
        (Operation::commit(5).at(at), b"\x1e\x01\x02\x03\x04\x05\x06\x07\x08\x05"),
        (
            Operation::abort(u64::MAX).at(u64::MAX),
            b"\x1f\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        ),
    ];
    for (operation, bytes) in table {
        assert_eq!(laid(&operation), bytes, "{operation:?}");
        assert_eq!(read::<Operation>(bytes).unwrap(), operation);
    }
}

#[test]
fn fields() {
    assert_eq!(laid(&200_u8), [200]);
    assert_eq!(laid(&300_u16), [0xac, 0x02]);
    assert_eq!(laid(&127_u32), [0x7f]);
    assert_eq!(laid(&128_u64), [0x80, 0x01]);
    assert_eq!(laid(&u64::MAX), [255, 255, 255, 255, 255, 255, 255, 255, 255, 1]);
    assert_eq!([0_i64, -1, 1, -2].map(|number| laid(&number)), [[0], [1], [2], [3]]);
    assert_eq!(laid(&i64::MIN), laid(&u64::MAX));
    assert_eq!(laid(&i16::MIN), [0xff, 0xff, 0x03]);
    assert_eq!(laid(&(1_u128 << 8)), [0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(laid(&(false, true)), [0, 1]);
    assert_eq!(laid(&[7_u8, 8, 9]), [7, 8, 9]);
    assert_eq!(laid(&b"ab".to_vec()), *b"\x02ab");
    assert_eq!(laid(&"é".to_owned()), *b"\x02\xc3\xa9");
    assert_eq!(laid(&(None::<u64>, Some(0_u64), Some(Some(false)))), [0, 1, 0, 1, 1, 0]);

    let mut list = Vec::new();
    wal_codec::put_list(&mut list, &[1_u64, 128, 0]).unwrap();
    assert_eq!(list, [3, 1, 0x80, 1, 0]);
}

#[test]
fn raw_is_the_identity() {
    for bytes in [vec![], vec![0], b"paid 4711".to_vec()] {
        assert_eq!(encoded(&Raw, &bytes), bytes);
        assert_eq!(Codec::<Vec<u8>>::decode(&Raw, &bytes).unwrap(), bytes);
        let shared = bytes::Bytes::from(bytes.clone());
        assert_eq!(encoded(&Raw, &shared), bytes);
        assert_eq!(Codec::<bytes::Bytes>::decode(&Raw, &bytes).unwrap(), shared);
    }
}

/// The log stages a batch into one buffer: a codec that cleared it would lose the records before.
#[test]
fn encoding_appends() {
    let mut out = b"before".to_vec();
    Raw.encode(&b"1".to_vec(), &mut out).unwrap();
    Binary.encode(&2_u64, &mut out).unwrap();
    assert_eq!(out, *b"before1\x02");
}
