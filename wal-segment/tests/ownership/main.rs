//! A file has one owner: what happens to the store's files beside strangers, beside other handles, and
//! beside the store's own thread. The names of the tests are those of the cases that they come from.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod anchor;
#[path = "../common/mod.rs"]
mod common;
mod handles;
mod links;
mod lost;
mod space;
mod strangers;

use std::fs;
use std::path::{Path, PathBuf};

use wal_core::{Fenced, SegmentId, SegmentStore};

const ONE: SegmentId = SegmentId::FIRST;
const TWO: SegmentId = SegmentId::new(2);
const THREE: SegmentId = SegmentId::new(3);
const SIZE: u64 = 64 * 1024;

/// The file of a segment.
fn file(dir: &Path, id: SegmentId) -> PathBuf {
    dir.join(format!("{:020}.wal", id.get()))
}

/// What is in the directory, sorted.
fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The first bytes of a segment, under its name.
fn start(store: &dyn SegmentStore, id: SegmentId, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    let read = store.open(id).unwrap().read_at(0, &mut bytes).unwrap();
    bytes.truncate(read);
    bytes
}

#[track_caller]
fn assert_fenced<T: std::fmt::Debug>(result: std::io::Result<T>) {
    let error = result.unwrap_err();
    assert!(Fenced::is_source_of(&error), "{error}");
}
