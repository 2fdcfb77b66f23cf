//! A log put together out of all three parts.

use std::sync::Arc;

use third_party::{Courier, FileMedium, OneFile, Transfer, Transfers};
use wal::{Lsn, Typed, Wal};
use wal_core::Codec;

fn open(path: &std::path::Path) -> wal::Result<Typed<Transfer>> {
    let medium = FileMedium::open(path).map_err(|error| wal::Error::io("no file", error))?;
    let (wal, _) = Wal::with_store(Arc::new(OneFile::new(medium)))
        .custom_strategy(Arc::new(Courier::new()))
        .codec(Transfers.id())
        .segment_size(16 * 1024)
        .open()?;
    wal.typed(Transfers)
}

fn transfer(cents: u64) -> Transfer {
    Transfer { from: "alice".into(), to: "bob".into(), cents }
}

/// Many segments, pruned from the front and cut at the end, closed and opened again.
#[test]
fn a_log_of_foreign_parts_keeps_its_records() -> wal::Result<()> {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("transfers");
    let log = open(&path)?;
    for cents in 1..=2000 {
        let lsn = log.append(&transfer(cents))?;
        if cents % 100 == 0 {
            log.wait_for_lsn(lsn).wait()?;
        }
    }
    let first = log.wal().prune_before(Lsn::new(900))?;
    assert!(Lsn::FIRST < first && first <= Lsn::new(900));
    log.wal().truncate_after(Lsn::new(1990))?;
    log.wal().close()?;
    drop(log);

    let log = open(&path)?;
    let entries = log.read_from(first)?.collect::<wal::Result<Vec<_>>>()?;
    let wanted: Vec<_> = (first.get()..=1990).map(|n| (Lsn::new(n), transfer(n))).collect();
    assert_eq!(entries, wanted);
    let lsn = log.append(&transfer(7))?;
    assert_eq!(lsn, Lsn::new(1991));
    log.wait_for_lsn(lsn).wait()?;
    log.wal().close()
}
