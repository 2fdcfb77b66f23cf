//! libFuzzer over [`wal_fuzz::bincode`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wal_fuzz::bincode(bytes));
