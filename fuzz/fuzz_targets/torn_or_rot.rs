//! libFuzzer over [`wal_fuzz::torn_or_rot`].

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wal_fuzz::torn_or_rot(bytes));
