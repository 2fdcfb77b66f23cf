//! libFuzzer over [`wal_fuzz::operation`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wal_fuzz::operation(bytes));
