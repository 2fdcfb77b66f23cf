//! libFuzzer over [`wal_fuzz::records`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wal_fuzz::records(bytes));
