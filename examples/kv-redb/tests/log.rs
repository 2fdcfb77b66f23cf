//! A whole log in a redb database.

use std::path::Path;
use std::sync::Arc;

use kv_redb::RedbKv;
use wal::{Lsn, Wal};
use wal_segment::{KeyShape, KvStore};

fn open(path: &Path, shape: KeyShape) -> wal::Result<Wal> {
    let store = RedbKv::open(path).and_then(|kv| KvStore::open(Arc::new(kv), "orders", shape));
    let store = store.map_err(|error| wal::Error::io("no database", error))?;
    Ok(Wal::with_store(Arc::new(store)).segment_size(16 * 1024).open()?.0)
}

fn record(number: u64) -> Vec<u8> {
    format!("order {number:030}").into_bytes()
}

/// Many segments, pruned from the front and cut at the end, closed and opened again.
#[test]
fn a_log_in_redb_keeps_its_records() -> wal::Result<()> {
    for shape in [KeyShape::Digits20, KeyShape::BigEndian] {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("orders.redb");
        let wal = open(&path, shape)?;
        for batch in 0..50 {
            let records: Vec<_> = (1..=40).map(|n| record(batch * 40 + n)).collect();
            let lsns = wal.append_batch(&records)?;
            wal.wait_for_lsn(*lsns.last().expect("forty records")).wait()?;
        }
        let first = wal.prune_before(Lsn::new(900))?;
        assert!(Lsn::FIRST < first && first <= Lsn::new(900));
        wal.truncate_after(Lsn::new(1990))?;
        wal.close()?;
        drop(wal);

        let wal = open(&path, shape)?;
        let entries = wal.read_from(first)?.collect::<wal::Result<Vec<_>>>()?;
        let found: Vec<_> = entries.iter().map(|e| (e.lsn.get(), e.payload.to_vec())).collect();
        let wanted: Vec<_> = (first.get()..=1990).map(|n| (n, record(n))).collect();
        assert_eq!(found, wanted, "{shape:?}");
        let lsn = wal.append(b"one more")?;
        assert_eq!(lsn, Lsn::new(1991));
        wal.wait_for_lsn(lsn).wait()?;
        wal.close()?;
    }
    Ok(())
}

/// One database, two logs and a table of the application's own.
#[test]
fn two_logs_live_in_one_database() -> wal::Result<()> {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let kv = RedbKv::open(dir.path().join("both.redb")).expect("a fresh database");
    let logs = ["orders", "payments"].map(|name| {
        let store = KvStore::open(Arc::new(kv.clone()), name, KeyShape::BigEndian);
        Wal::with_store(Arc::new(store.expect("a store"))).open().expect("a log").0
    });
    for (wal, number) in logs.iter().zip([1, 2]) {
        let lsn = wal.append(record(number))?;
        wal.wait_for_lsn(lsn).wait()?;
    }
    for (wal, number) in logs.iter().zip([1, 2]) {
        let entries = wal.read_from(Lsn::FIRST)?.collect::<wal::Result<Vec<_>>>()?;
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].payload, record(number));
        wal.close()?;
    }
    Ok(())
}
