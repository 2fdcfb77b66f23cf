//! The bincode codec: bincode 1's bytes, and nothing of its trust in them.

use std::collections::BTreeMap;
use std::io;

use allocation_counter::measure;
use bincode::config::legacy;
use bincode::serde::{decode_from_slice, encode_into_std_write, encode_to_vec};
use serde::{Deserialize, Serialize};
use wal_codec::{Bincode, Operation};
use wal_core::{Codec, CodecId, ErrorKind};

use crate::encoded;
use crate::random::Random;

/// One field of every shape that serde has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Shapes {
    text: String,
    #[serde(with = "wal_codec::as_bytes")]
    bytes: Vec<u8>,
    numbers: Vec<u64>,
    map: BTreeMap<u16, String>,
    nested: Vec<Vec<u8>>,
    choice: Choice,
    maybe: Option<Box<Shapes>>,
    pair: (bool, char, i8, f64),
    wide: (u128, i128),
    array: [u16; 3],
    unit: (),
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
enum Choice {
    #[default]
    Unit,
    New(Newtype),
    Tuple(u8, String),
    Struct {
        list: Vec<Choice>,
    },
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Newtype(Vec<i32>);

fn shapes(random: &mut Random, depth: usize) -> Shapes {
    let text = |random: &mut Random| "é".repeat(random.below(9));
    let choice = match random.below(4) {
        0 => Choice::Unit,
        1 => Choice::New(Newtype(vec![-1; random.below(5)])),
        2 => Choice::Tuple(7, text(random)),
        _ => Choice::Struct { list: vec![Choice::Unit, Choice::Tuple(8, text(random))] },
    };
    let (bytes, numbers) = (random.below(30), random.below(6));
    Shapes {
        text: text(random),
        bytes: random.bytes(bytes),
        numbers: (0..numbers).map(|_| random.spread()).collect(),
        map: (0..3).map(|key| (key, text(random))).collect(),
        nested: (0..3).map(|len| random.bytes(len)).collect(),
        choice,
        maybe: (depth > 0).then(|| Box::new(shapes(random, depth - 1))),
        pair: (true, 'ß', -1, 0.5),
        wide: (u128::MAX, i128::MIN),
        array: [1, 2, 3],
        unit: (),
    }
}

/// Decodes within bounds, and with a kind of error that a log can act on.
fn survive(bytes: &[u8]) -> Option<Shapes> {
    let mut result = None;
    let allocated = measure(|| result = Some(Bincode.decode(bytes))).bytes_total;
    // The largest element of a claimed sequence takes 32 bytes in memory, and an error may show
    // what it found.
    let bound = 40 * bytes.len() as u64 + 1024;
    assert!(allocated <= bound, "{allocated} bytes allocated for the input {bytes:02x?}");
    match result.expect("measured once") {
        Ok(shapes) => Some(shapes),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
            None
        }
    }
}

#[test]
fn codec_number() {
    assert_eq!(Codec::<u64>::id(&Bincode), CodecId(2));
}

/// The bytes that bincode 1.3.3's `bincode::serialize` gives; also the tags of `Operation`, which
/// are the order of its variants.
#[test]
fn bytes_are_those_of_bincode_1() {
    let at = 0x0807_0605_0403_0201;
    let row = b"\x02\0\0\0\0\0\0\0ab\x01\0\0\0\0\0\0\0k\x03\0\0\0\0\0\0\0xyz";
    let stamp = b"\x01\x02\x03\x04\x05\x06\x07\x08";
    let five = b"\x05\0\0\0\0\0\0\0";
    let table: [(Operation, Vec<u8>); 8] = [
        (Operation::put("ab", b"k", b"xyz").at(at), [&b"\0\0\0\0"[..], stamp, b"\0", row].concat()),
        (
            Operation::put("ab", b"k", b"xyz").at(at).within(5),
            [&b"\0\0\0\0"[..], stamp, b"\x01", five, row].concat(),
        ),
        (
            Operation::update("ab", b"k", b"xyz").at(at),
            [&b"\x01\0\0\0"[..], stamp, b"\0", row].concat(),
        ),
        (
            Operation::delete("ab", b"k").at(at),
            [&b"\x02\0\0\0"[..], stamp, b"\0", &row[..19]].concat(),
        ),
        (Operation::begin(5).at(at), [&b"\x03\0\0\0"[..], stamp, five].concat()),
        (Operation::prepare(5).at(at), [&b"\x04\0\0\0"[..], stamp, five].concat()),
        (Operation::commit(5).at(at), [&b"\x05\0\0\0"[..], stamp, five].concat()),
        (Operation::abort(5).at(at), [&b"\x06\0\0\0"[..], stamp, five].concat()),
    ];
    for (operation, bytes) in table {
        assert_eq!(encoded(&Bincode, &operation), bytes, "{operation:?}");
        assert_eq!(Codec::<Operation>::decode(&Bincode, &bytes).unwrap(), operation);
    }
    let tuple = (true, 'ß', -2_i32, Some("é".to_owned()), vec![1_u16, 2], 0.5_f64);
    let bytes = b"\x01\xc3\x9f\xfe\xff\xff\xff\x01\x02\0\0\0\0\0\0\0\xc3\xa9\
        \x02\0\0\0\0\0\0\0\x01\0\x02\0\0\0\0\0\0\0\xe0\x3f";
    assert_eq!(encoded(&Bincode, &tuple), bytes);
}

/// Whatever bincode itself encodes and decodes, the bounded decoder gives the same.
#[test]
fn every_shape_comes_back_and_equals_bincodes_own() {
    for seed in 0..500 {
        let record = shapes(&mut Random::new(seed), 2);
        let bytes = encoded(&Bincode, &record);
        assert_eq!(bytes, encode_to_vec(&record, legacy()).unwrap(), "seed {seed}");
        let theirs: (Shapes, usize) = decode_from_slice(&bytes, legacy()).unwrap();
        assert_eq!(survive(&bytes).as_ref(), Some(&record), "seed {seed}");
        assert_eq!(theirs, (record, bytes.len()), "seed {seed}");
    }
}

#[test]
fn no_proper_prefix_is_a_record_and_nothing_may_be_left_over() {
    for seed in 0..40 {
        let mut bytes = encoded(&Bincode, &shapes(&mut Random::new(seed), 1));
        for len in 0..bytes.len() {
            assert!(survive(&bytes[..len]).is_none(), "seed {seed}, {len} of {}", bytes.len());
        }
        bytes.push(0);
        assert!(survive(&bytes).is_none(), "seed {seed}");
    }
}

#[test]
fn changed_and_random_bytes_are_survived() {
    for seed in 0..20 {
        let mut random = Random::new(seed);
        let bytes = encoded(&Bincode, &shapes(&mut random, 1));
        for at in 0..bytes.len() {
            for flip in [1, 0x0f, 0x80, 0xff] {
                let mut hurt = bytes.clone();
                hurt[at] ^= flip;
                survive(&hurt);
            }
        }
        for _ in 0..500 {
            let len = random.below(100);
            survive(&random.bytes(len));
        }
    }
}

/// Eight bytes claim a string, a buffer, a sequence, a map, a sequence of nothing. bincode 2.0.1's
/// own decoder ends the process on the first two ("memory allocation of 1099511627776 bytes
/// failed") and takes the last as it is, element by element.
#[test]
fn a_forged_length_reserves_nothing_and_ends() {
    fn refused<R: Serialize + serde::de::DeserializeOwned>(bytes: &[u8]) {
        let mut kind = None;
        let decode = || kind = Codec::<R>::decode(&Bincode, bytes).err().map(|error| error.kind());
        let allocated = measure(decode).bytes_total;
        assert_eq!(kind, Some(ErrorKind::Corrupt), "{bytes:02x?}");
        assert!(allocated <= 1024, "{allocated} bytes allocated for {bytes:02x?}");
    }

    #[derive(Serialize, Deserialize)]
    struct Buffer(#[serde(with = "wal_codec::as_bytes")] Vec<u8>);

    for claimed in [20_u64, 1 << 20, 1 << 32, 1 << 40, 1 << 60, u64::MAX] {
        let bytes = [&claimed.to_le_bytes()[..], b"abc"].concat();
        refused::<String>(&bytes);
        refused::<Buffer>(&bytes);
        refused::<Vec<u64>>(&bytes);
        refused::<BTreeMap<u64, String>>(&bytes);
        refused::<Vec<()>>(&bytes);
    }
}

/// Claims that each fit the record alone, and together would make a short record work for long:
/// a thousand sequences of eight thousand nothings.
#[test]
#[expect(clippy::zero_sized_map_values, reason = "entries that take no bytes are the point")]
fn claims_add_up() {
    let mut bytes = 1000_u64.to_le_bytes().to_vec();
    bytes.extend(8000_u64.to_le_bytes().repeat(1000));
    let error = Codec::<Vec<Vec<()>>>::decode(&Bincode, &bytes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    let error = Codec::<Vec<BTreeMap<(), ()>>>::decode(&Bincode, &bytes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}

/// Counts how often it is written to.
struct Writes(usize);

impl io::Write for Writes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += 1;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The bytes are the same one by one, and take fifty times as long.
#[test]
fn bytes_go_out_in_one_piece() {
    let mut writes = Writes(0);
    let put = Operation::put("t", [7; 1000], [8; 1000]);
    encode_into_std_write(&put, &mut writes, legacy()).unwrap();
    assert!(writes.0 < 20, "{} writes", writes.0);
}

/// The tightest record: every element takes one byte, and each claim is met exactly.
#[test]
fn the_bound_is_not_too_tight() {
    for record in [vec![], vec![vec![]; 50], vec![vec![true; 100]; 9], vec![vec![true; 5000]]] {
        let bytes = encoded(&Bincode, &record);
        assert_eq!(Codec::<Vec<Vec<bool>>>::decode(&Bincode, &bytes).unwrap(), record);
    }
}

/// A sequence whose length nobody knows ahead has no form in bincode.
#[test]
fn what_does_not_serialise_is_invalid() {
    struct Endless;

    impl Serialize for Endless {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_seq((0..10).filter(|number| number % 3 == 0))
        }
    }

    impl<'de> Deserialize<'de> for Endless {
        fn deserialize<D: serde::Deserializer<'de>>(decoder: D) -> Result<Self, D::Error> {
            <()>::deserialize(decoder).map(|()| Self)
        }
    }

    let error = Bincode.encode(&Endless, &mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
}
