//! libFuzzer over [`wal_fuzz::recovery`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wal_fuzz::recovery(bytes));
