//! libFuzzer over [`wal_fuzz::history`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wal_fuzz::history(bytes));
