//! An append allocates nothing, once its buffers have grown to what the load needs. (The counter
//! counts what the calling thread allocates.)

use std::sync::Arc;

use allocation_counter::measure;
use wal_commit::{FlushThread, GroupCommit, Interval, Options, Parallel, Pipelined};
use wal_core::CommitStrategy;
use wal_testkit::{Profile, SimDisk, SimStore};

use crate::common::{one_segment, start};

const ROUND: usize = 1000;

fn options() -> Options {
    let mut options = one_segment();
    options.segment_size = 64 << 20;
    options
}

#[test]
fn an_append_allocates_nothing_in_steady_state() {
    let strategies: [Arc<dyn CommitStrategy>; 5] = [
        Arc::new(GroupCommit::new()),
        Arc::new(FlushThread::new()),
        Arc::new(Pipelined::new()),
        Arc::new(Parallel::new(2)),
        Arc::new(Interval::new(std::time::Duration::from_millis(10))),
    ];
    for strategy in strategies {
        let name = format!("{strategy:?}");
        let store = SimStore::new(SimDisk::new(Profile::STRICT));
        let log = start(store, strategy, options()).unwrap();
        // Both buffers, what is staged and what is being written, have held more than a round.
        for _ in 0..8 {
            for _ in 0..4 * ROUND {
                log.append(&[7; 100]).unwrap();
            }
            log.sync().unwrap();
        }
        for _ in 0..4 {
            let counted = measure(|| {
                for _ in 0..ROUND {
                    log.append(&[7; 100]).unwrap();
                }
            });
            assert_eq!(counted.count_total, 0, "{name}: {counted:?} for {ROUND} appends");
            log.sync().unwrap();
        }
    }
}
