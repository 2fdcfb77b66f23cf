//! Bytes that nobody encoded: every one of them gives a record or a typed error, within bounds.

use allocation_counter::measure;
use wal_codec::{Input, Layout, Operation};
use wal_core::{Error, ErrorKind};

use crate::random::Random;
use crate::user::Order;
use crate::{laid, read};

/// Beside a copy of the input: the error, its line, and what the test binary itself needs.
const SLACK: u64 = 512;

/// Decodes and checks what holds of any input: a typed error or the one record with these bytes,
/// and no more memory over the whole decoding than `times` the input.
fn survive<R: Layout>(bytes: &[u8], times: u64) -> Result<R, Error> {
    let mut result = None;
    let allocated = measure(|| result = Some(read::<R>(bytes))).bytes_total;
    let bound = times * bytes.len() as u64 + SLACK;
    assert!(allocated <= bound, "{allocated} bytes allocated for the input {bytes:02x?}");
    let result = result.expect("measured once");
    match &result {
        Ok(record) => assert_eq!(laid(record), bytes, "two forms of one record"),
        Err(error) => {
            let kind = error.kind();
            let typed = [ErrorKind::Corrupt, ErrorKind::Unsupported].contains(&kind);
            assert!(typed, "{error:?} for the input {bytes:02x?}");
        }
    }
    result
}

fn kind<R: Layout>(bytes: &[u8]) -> Option<ErrorKind> {
    survive::<R>(bytes, 1).err().map(|error| error.kind())
}

#[test]
fn no_proper_prefix_is_an_operation() {
    for seed in 0..500 {
        let bytes = laid(&Random::new(seed).operation());
        for len in 0..bytes.len() {
            let kind = kind::<Operation>(&bytes[..len]);
            assert_eq!(kind, Some(ErrorKind::Corrupt), "seed {seed}, {len} of {}", bytes.len());
        }
    }
}

#[test]
fn bytes_left_over_are_refused() {
    for seed in 0..500 {
        let mut random = Random::new(seed);
        let mut bytes = laid(&random.operation());
        for left_over in [1, 7, 300] {
            bytes.extend(random.bytes(left_over));
            assert_eq!(kind::<Operation>(&bytes), Some(ErrorKind::Corrupt), "seed {seed}");
        }
    }
}

#[test]
fn every_changed_byte_is_survived() {
    let mut changed = 0_u64;
    for seed in 0..40 {
        let bytes = laid(&Random::new(seed).operation());
        for at in 0..bytes.len() {
            for flip in 1..=255 {
                let mut hurt = bytes.clone();
                hurt[at] ^= flip;
                let _ = survive::<Operation>(&hurt, 1);
                changed += 1;
            }
        }
    }
    assert!(changed > 100_000, "{changed} changes only");
}

#[test]
fn every_changed_byte_of_a_users_record_is_survived() {
    let lines = vec![(7, "seven".to_owned()), (300, String::new())];
    let name = Some("name".to_owned());
    let order = Order { name, lines, blob: vec![1; 40], id: 1 << 40, ..Order::default() };
    let bytes = laid(&order);
    for at in 0..bytes.len() {
        for flip in 1..=255 {
            let mut hurt = bytes.clone();
            hurt[at] ^= flip;
            let _ = survive::<Order>(&hurt, 4);
        }
    }
}

#[test]
fn random_bytes_are_survived() {
    let mut records = 0;
    for seed in 0..20_000 {
        let mut random = Random::new(seed);
        let len = random.below(64);
        let mut bytes = random.bytes(len);
        let _ = survive::<Order>(&bytes, 4);
        // Random bytes rarely begin like an operation; help them past the first check.
        if let Some(lead) = bytes.first_mut() {
            *lead = 0x10 | (*lead & 0x0f);
        }
        records += u32::from(survive::<Operation>(&bytes, 1).is_ok());
    }
    assert!(records > 0, "no input came through the first check");
}

/// A length is believed only as far as the bytes behind it go.
#[test]
fn a_forged_length_reserves_nothing() {
    let start = b"\x11\0\0\0\0\0\0\0\0\x01t";
    for claimed in [4, 1 << 16, 1 << 30, 0xffff_ffff, 1 << 32, 1 << 40, u64::MAX] {
        let claim = laid(&claimed);
        let forged = [
            [&start[..9], &claim, b"abc"].concat(),
            [&start[..], &claim, b"abc"].concat(),
            [&start[..], b"\x01k", &claim, b"abc"].concat(),
        ];
        for bytes in forged {
            assert_eq!(kind::<Operation>(&bytes), Some(ErrorKind::Corrupt), "{claimed}");
        }
        let blob = [claim.as_slice(), b"abc"].concat();
        assert_eq!(kind::<Vec<u8>>(&blob), Some(ErrorKind::Corrupt), "{claimed}");
        assert_eq!(kind::<String>(&blob), Some(ErrorKind::Corrupt), "{claimed}");
        assert_eq!(kind::<bytes::Bytes>(&blob), Some(ErrorKind::Corrupt), "{claimed}");
        let mut failed = false;
        let allocated = measure(|| failed = Input::new(&blob).list::<u128>().is_err()).bytes_total;
        assert!(failed && allocated <= SLACK, "{claimed}: {allocated} bytes allocated");
    }
}

/// A claim that the input's bytes could meet, of items that are large in memory: what is reserved
/// ahead goes by the input, not by the claim.
#[test]
fn a_list_of_large_items_reserves_no_more_than_the_input() {
    let bytes = [laid(&1000_u64), vec![0; 1000]].concat();
    let mut failed = false;
    let decode = || failed = Input::new(&bytes).list::<(u8, [u8; 4096])>().is_err();
    let allocated = measure(decode).bytes_total;
    assert!(failed && allocated <= 1000 + SLACK, "{allocated} bytes allocated");
}

#[test]
fn a_number_has_one_form() {
    let forms: [&[u8]; 6] = [
        b"",
        b"\x80",
        b"\x80\0",
        b"\xff\x80\0",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    ];
    for bytes in forms {
        assert_eq!(kind::<u64>(bytes), Some(ErrorKind::Corrupt), "{bytes:02x?}");
    }
    assert_eq!(kind::<u16>(&laid(&0x1_0000_u64)), Some(ErrorKind::Corrupt));
    assert_eq!(kind::<u32>(&laid(&0x1_0000_0000_u64)), Some(ErrorKind::Corrupt));
    assert_eq!(kind::<i16>(&laid(&0x8000_i64)), Some(ErrorKind::Corrupt));
    assert_eq!(kind::<i32>(&laid(&-0x8000_0001_i64)), Some(ErrorKind::Corrupt));
    assert_eq!(kind::<bool>(&[2]), Some(ErrorKind::Corrupt));
    assert_eq!(kind::<Option<u8>>(&[2, 0]), Some(ErrorKind::Corrupt));
    assert_eq!(kind::<String>(b"\x01\xff"), Some(ErrorKind::Corrupt));
}

/// Of the 256 first bytes, the ten of version 1 give operations; version 0 and the kinds that
/// version 1 has not are corrupt; whatever is newer is unsupported, also where it goes on in ways
/// unknown here.
#[test]
fn newer_is_not_corrupt() {
    for lead in 0..=u8::MAX {
        let bytes = [lead, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let kind = Input::new(&bytes).field::<Operation>().err().map(|error| error.kind());
        let expected = match lead {
            0x11..=0x13 | 0x19..=0x1f => None,
            0x00..=0x1f => Some(ErrorKind::Corrupt),
            _ => Some(ErrorKind::Unsupported),
        };
        assert_eq!(kind, expected, "{lead:#04x}");
    }
    assert_eq!(kind::<Order>(&[0]), Some(ErrorKind::Corrupt));
    assert_eq!(kind::<Order>(&[2]), Some(ErrorKind::Unsupported));
    assert_eq!(kind::<Order>(&[]), Some(ErrorKind::Corrupt));
}
