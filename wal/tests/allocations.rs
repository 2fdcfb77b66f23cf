//! What a commit allocates, counted on the thread that commits.

use wal::{Strategy, Wal};

const COMMITS: u64 = 500;

/// The lone committer's whole way: staged, framed, checksummed, written, synced, acknowledged.
#[test]
fn a_lone_commit_allocates_nothing_in_steady_state() {
    for strategy in [Strategy::GroupCommit, Strategy::Sync] {
        let dir = tempfile::tempdir().unwrap();
        let (wal, _) = Wal::builder(dir.path()).strategy(strategy).open().unwrap();
        let commit = || {
            let lsn = wal.append([7; 100]).unwrap();
            wal.wait_for_lsn(lsn).wait().unwrap();
        };
        (0..50).for_each(|_| commit());
        let counted = allocation_counter::measure(|| (0..COMMITS).for_each(|_| commit()));
        assert_eq!(counted.count_total, 0, "{counted:?} for {COMMITS} commits");
        wal.close().unwrap();
    }
}
