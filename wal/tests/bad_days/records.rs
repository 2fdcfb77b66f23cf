//! Records that follow from their LSN, and what must be true of a log of them.

use std::path::Path;

use tempfile::TempDir;
use wal::{Lsn, Reader, Verdict, Wal};

use crate::policy::Policy;

pub(crate) fn record(lsn: u64) -> Vec<u8> {
    let mut record = format!("{lsn}:").into_bytes();
    record.resize(900 + usize::try_from(lsn % 7).unwrap() * 100, b'x');
    record
}

/// Appends the next record and waits until it is durable.
pub(crate) fn commit(wal: &Wal) -> wal::Result<Lsn> {
    let lsn = wal.append(record(wal.last_lsn().get() + 1))?;
    wal.wait_for_lsn(lsn).wait()?;
    Ok(lsn)
}

/// A log of so many records, closed.
pub(crate) fn written(dir: &Path, policy: Policy, records: u64) {
    let wal = policy.open(dir).unwrap();
    for _ in 0..records {
        commit(&wal).unwrap();
    }
    wal.close().unwrap();
}

/// All records from the log's first on, each the one that was appended; the last of them, which
/// comes behind all that was acknowledged.
pub(crate) fn check(wal: &Wal, acknowledged: u64, context: &str) -> u64 {
    let mut next = wal.first_lsn().get();
    for entry in wal.read_from(wal.first_lsn()).unwrap() {
        let entry = entry.unwrap_or_else(|error| panic!("{context}: {error:?}"));
        assert_eq!(entry.lsn.get(), next, "{context}");
        assert!(entry.payload == record(next), "{context}: LSN {next}");
        next += 1;
    }
    assert!(next > acknowledged, "{context}: {acknowledged} acknowledged, ends at {}", next - 1);
    next - 1
}

/// Commits enough for another segment, closes, and finds the log clean and complete.
pub(crate) fn goes_on(wal: Wal, dir: &Path, context: &str) {
    for _ in 0..20 {
        commit(&wal).unwrap_or_else(|error| panic!("{context}: {error:?}"));
    }
    let last = wal.last_lsn().get();
    assert_eq!(check(&wal, last, context), last, "{context}");
    wal.close().unwrap_or_else(|error| panic!("{context}: {error:?}"));
    drop(wal);
    clean(dir, last, context);
}

/// Every byte of the log is sound, and the log ends with this record.
pub(crate) fn clean(dir: &Path, last: u64, context: &str) {
    let verified = Reader::open(dir).unwrap().verify(|_| ()).unwrap();
    assert_eq!(verified.verdict, Verdict::Clean, "{context}: {verified:?}");
    assert_eq!(verified.last_lsn.get(), last, "{context}");
}

/// The log is there with all that was acknowledged, by a look and by an open, and goes on.
pub(crate) fn recovers(dir: &Path, policy: Policy, acknowledged: u64, context: &str) {
    let verified = Reader::open(dir).unwrap().verify(|_| ()).unwrap();
    assert_ne!(verified.verdict, Verdict::Corrupt, "{context}: {verified:?}");
    let wal = policy.open(dir).unwrap_or_else(|error| panic!("{context}: {error:?}"));
    check(&wal, acknowledged, context);
    goes_on(wal, dir, context);
}

/// An empty directory, in memory where there is such a file system: no power is cut here.
pub(crate) fn in_memory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}
