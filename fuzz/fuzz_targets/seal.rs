//! libFuzzer over [`wal_fuzz::seal`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wal_fuzz::seal(bytes));
