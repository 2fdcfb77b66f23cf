//! What commits cost the store, counted: no number here depends on how fast anything is.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::sync::Arc;

use tempfile::TempDir;
use wal::parts::segment::FileStore;
use wal::{Strategy, Wal};
use wal_testkit::{Counting, StoreCounts};

/// A new log in files, whose calls of the store are counted from its first on.
struct Log {
    wal: Wal,
    store: Counting,
    _dir: TempDir,
}

impl Log {
    fn new(strategy: Strategy) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Counting::new(Arc::new(FileStore::open(dir.path()).unwrap()));
        let builder = Wal::with_store(Arc::new(store.clone())).strategy(strategy);
        let (wal, _) = builder.open().unwrap();
        Self { wal, store, _dir: dir }
    }

    fn commit_batch(&self, records: usize) {
        let lsns = self.wal.append_batch((0..records).map(|_| [7; 100])).unwrap();
        self.wal.wait_for_lsn(*lsns.last().unwrap()).wait().unwrap();
    }

    /// Syncs of the store that were not of records: of the header of the one segment there is.
    fn other_syncs(&self) -> u64 {
        self.store.counts().syncs - self.wal.syncs()
    }

    fn calls(&self) -> u64 {
        let StoreCounts { creates, appends, syncs, trims, removes, opens, .. } =
            self.store.counts();
        creates + appends + syncs + trims + removes + opens
    }
}

/// The naive way, which the others are measured against: as many syncs as records.
#[test]
fn a_thousand_appends_under_sync_are_a_thousand_syncs() {
    let log = Log::new(Strategy::Sync);
    for _ in 0..1000 {
        let lsn = log.wal.append([7; 100]).unwrap();
        assert_eq!(log.wal.durable_lsn(), lsn);
    }
    assert_eq!((log.wal.syncs(), log.other_syncs()), (1000, 1));
    // The wait that a caller adds, who knows nothing of the strategy, costs none.
    log.wal.wait_for_lsn(log.wal.last_lsn()).wait().unwrap();
    assert_eq!((log.wal.syncs(), log.other_syncs()), (1000, 1));
}

/// The same records in batches of a hundred: a sync a batch, and a write. Making the segment is a
/// call to make it, one that writes its header, and one that syncs it.
#[test]
fn a_thousand_records_in_ten_batches_are_ten_syncs_and_under_thirty_calls() {
    let log = Log::new(Strategy::GroupCommit);
    for batches in 1..=10 {
        log.commit_batch(100);
        assert_eq!((log.wal.syncs(), log.other_syncs()), (batches, 1));
    }
    assert_eq!(log.wal.durable_lsn().get(), 1000);
    let counts = log.store.counts();
    assert_eq!((counts.creates, counts.appends, counts.syncs), (1, 11, 11));
    assert_eq!(log.calls(), 23, "{counts:?}");
    assert!(log.calls() <= 30);
}

/// Nothing is synced on its own under `os`, and one call covers all that was appended before it.
#[test]
fn one_sync_covers_a_thousand_appends_under_os() {
    let log = Log::new(Strategy::Os);
    for _ in 0..1000 {
        log.wal.append([7; 100]).unwrap();
    }
    assert_eq!(log.wal.syncs(), 0);
    log.wal.sync().unwrap();
    assert_eq!((log.wal.syncs(), log.other_syncs()), (1, 1));
    assert_eq!(log.wal.durable_lsn().get(), 1000);
    // With nothing new there is nothing to sync.
    log.wal.sync().unwrap();
    assert_eq!(log.wal.syncs(), 1);
}

/// The length of a directory is what opening a long log costs; it is read once.
#[test]
fn an_open_lists_the_store_once() {
    let dir = tempfile::tempdir().unwrap();
    for records in 0..3 {
        let store = Counting::new(Arc::new(FileStore::open(dir.path()).unwrap()));
        let (wal, recovery) = Wal::with_store(Arc::new(store.clone())).open().unwrap();
        assert_eq!(recovery.valid_records, records);
        assert_eq!(store.counts().lists, 1);
        wal.append([7; 100]).unwrap();
        wal.close().unwrap();
    }
}
