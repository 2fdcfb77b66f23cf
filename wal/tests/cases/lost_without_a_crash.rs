//! No crash, no fault, default settings: and a batch that was acknowledged is gone.

use wal::{Lsn, Wal};

/// The seal of a segment that is just below the half of its space crosses the half, so the store asked
/// for the next segment to be prepared after that one had been made for the writer. The preparing
/// thread took the writer's file, which had no name of its own yet, for the remains of a dead process
/// and put an empty one in its place; the writer gave the empty one the segment's name, and what was
/// acknowledged in it was in a file without a name.
#[test]
fn lost_without_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let (wal, _) = Wal::builder(dir.path()).segment_size(70_000).open().unwrap();
    let batches = [vec![vec![7_u8; 29_500]], vec![vec![9_u8; 38_000]]];
    let mut acknowledged = Lsn::ZERO;
    for batch in batches.iter().cycle().take(400) {
        let lsn = *wal.append_batch(batch).unwrap().last().unwrap();
        wal.wait_for_lsn(lsn).wait().unwrap();
        acknowledged = lsn;
    }
    wal.close().unwrap();
    drop(wal);
    let (wal, recovery) = Wal::builder(dir.path()).open().unwrap();
    assert_eq!(recovery.last_lsn, acknowledged);
    for (entry, batch) in wal.read_from(Lsn::FIRST).unwrap().zip(batches.iter().cycle()) {
        assert_eq!(entry.unwrap().payload[..], batch[0][..]);
    }
}
