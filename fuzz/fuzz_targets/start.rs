//! libFuzzer over [`wal_fuzz::start`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wal_fuzz::start(bytes));
