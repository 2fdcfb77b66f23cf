//! The hand layout is smaller than bincode's, of every operation.

use wal_codec::{Bincode, Operation};

use crate::random::Random;
use crate::{encoded, laid};

#[test]
fn every_operation_is_smaller_than_in_bincode() {
    // A time of 2026 in nanoseconds; a table, key and row as an order system has them.
    let now = 1_795_000_000_000_000_000;
    let row = [b'r'; 100];
    let key = b"order-17";
    let typical = [
        ("put, autocommit", Operation::put("orders", key, row)),
        ("put", Operation::put("orders", key, row).within(70_000)),
        ("update", Operation::update("orders", key, row).within(70_000)),
        ("delete", Operation::delete("orders", key).within(70_000)),
        ("begin", Operation::begin(70_000)),
        ("prepare", Operation::prepare(70_000)),
        ("commit", Operation::commit(70_000)),
        ("abort", Operation::abort(70_000)),
    ];
    println!("{:<16} {:>6} {:>8}", "bytes", "Binary", "Bincode");
    for (name, operation) in typical {
        let operation = operation.at(now);
        let (binary, bincode) = (laid(&operation).len(), encoded(&Bincode, &operation).len());
        println!("{name:<16} {binary:>6} {bincode:>8}");
        assert!(binary < bincode, "{name}");
    }

    let mut seen = [(0, 0); 7];
    for seed in 0..20_000 {
        let operation = Random::new(seed).operation();
        let (binary, bincode) = (laid(&operation).len(), encoded(&Bincode, &operation));
        assert!(binary < bincode.len(), "seed {seed}: {operation:?}");
        let (binary_sum, bincode_sum) = &mut seen[usize::from(bincode[0])];
        *binary_sum += binary;
        *bincode_sum += bincode.len();
    }
    for (tag, (binary, bincode)) in seen.into_iter().enumerate() {
        println!("variant {tag}: {binary} of {bincode} bytes over all seeds");
        assert!(0 < binary && binary < bincode, "variant {tag}");
    }
}

/// The longest forms of the numbers are where a variable width could lose against a fixed one.
#[test]
fn the_largest_numbers_are_smaller_too() {
    let operations = [
        Operation::put("", b"", b"").within(u64::MAX),
        Operation::update("", b"", b""),
        Operation::delete("", b"").within(u64::MAX),
        Operation::begin(u64::MAX),
        Operation::prepare(u64::MAX),
        Operation::commit(u64::MAX),
        Operation::abort(u64::MAX),
    ];
    for operation in operations {
        let operation = operation.at(u64::MAX);
        let (binary, bincode) = (laid(&operation).len(), encoded(&Bincode, &operation).len());
        assert!(binary < bincode, "{operation:?}: {binary} and {bincode} bytes");
    }
}
