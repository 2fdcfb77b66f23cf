//! What lies in a log's directory and is none of its segments, what is missing there, and what is
//! full: cases that others met, each by its name.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../common/mod.rs"]
mod common;

mod anchor;
mod cut;
mod full;
mod looping;
mod racing;
mod refused;
mod strange;
mod tidying;
mod vanished;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::StillEnv;
use wal::parts::segment::{FileStore, Preparation};
use wal::{Builder, Error, ErrorKind, Reader, Recovery, Result, SegmentId, Verdict, Wal};
use wal_testkit::{Profile, SimDisk, SimFiles};

const SEGMENT: u64 = 16 * 1024;

/// The name of a segment's file.
fn file_name(id: u64) -> String {
    format!("{id:020}.wal")
}

fn path(dir: &Path, id: u64) -> PathBuf {
    dir.join(file_name(id))
}

fn open(dir: &Path) -> Result<(Wal, Recovery)> {
    Wal::builder(dir).segment_size(SEGMENT).open()
}

fn commit(wal: &Wal, record: &[u8]) {
    let lsn = wal.append(record).unwrap();
    wal.wait_for_lsn(lsn).wait().unwrap();
}

/// Opens the log, appends so many records of so many bytes, and closes it.
fn append(dir: &Path, count: usize, len: usize) {
    let (wal, _) = open(dir).unwrap();
    for n in 0..count {
        commit(&wal, &vec![u8::try_from(n % 251).unwrap(); len]);
    }
    wal.close().unwrap();
}

/// The files of a directory but those that any owner may remove, byte for byte; a link or a directory
/// without.
fn files(dir: &Path) -> BTreeMap<String, Option<Vec<u8>>> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let of = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().unwrap();
        let bytes = entry.file_type().unwrap().is_file().then(|| fs::read(entry.path()).unwrap());
        (name, bytes)
    };
    entries.map(of).filter(|(name, _)| name != "LOCK" && !name.starts_with("spare-")).collect()
}

/// A copy of the directory as it is: what a kill of its writer would leave.
fn copied(dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for (name, bytes) in files(dir) {
        fs::write(copy.path().join(name), bytes.unwrap()).unwrap();
    }
    copy
}

/// Opening refuses the log, and every file is as it was; so does a survey, and `verify` calls it
/// corrupt and names that segment.
fn refused(dir: &Path, segment: u64) -> Error {
    let before = files(dir);
    let error = open(dir).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
    assert_eq!(error.at_segment().map(SegmentId::get), Some(segment), "{error:?}");
    assert!(files(dir) == before, "nothing is touched");
    let reader = Reader::open(dir).unwrap();
    assert_eq!(reader.survey().map(drop).unwrap_err().kind(), ErrorKind::Corrupt);
    let found = reader.verify(|_| ()).unwrap();
    assert_eq!(found.verdict, Verdict::Corrupt);
    let named =
        found.findings.iter().any(|found| found.segment.map(SegmentId::get) == Some(segment));
    assert!(named, "{:?}", found.findings);
    error
}

/// The file store's own code on a simulated disk.
fn over(disk: &SimDisk) -> Builder {
    let files = Arc::new(SimFiles::new(disk.clone()));
    let store = Arc::new(FileStore::over(files).preparation(Preparation::Whole));
    Wal::with_store(store).segment_size(SEGMENT).env(Arc::new(StillEnv::default()))
}

fn disk() -> SimDisk {
    SimDisk::new(Profile::STRICT)
}

/// Bytes of all segments on the disk.
fn taken(disk: &SimDisk) -> u64 {
    let contents = disk.contents().unwrap();
    let segments = contents.iter().filter(|(name, _)| name.strip_suffix(".wal").is_some());
    segments.map(|(_, bytes)| bytes.len() as u64).sum()
}
