//! The flush thread's triggers.

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use wal_commit::FlushThread;
use wal_core::Lsn;
use wal_testkit::{Profile, SimDisk, SimStore};

use crate::common::{one_segment, start};
use crate::{eventually, within};

/// The record that makes a batch large enough flushes it, whatever the thread is doing just then.
/// (Once a producer that had looked at an old mark could set the flag that says "the thread knows"
/// behind the thread's back, and the next batch waited for its age, here an hour.)
#[test]
fn the_record_that_is_enough_is_never_overslept() {
    let strategy = FlushThread::with_trigger(Duration::from_secs(3600), 2);
    let store = SimStore::new(SimDisk::new(Profile::STRICT));
    let log = start(store, Arc::new(strategy), one_segment()).unwrap();
    within("pairs of records", move || {
        let pair = Barrier::new(2);
        let producer = |late: u32| {
            for n in 0..3000 {
                pair.wait();
                // Each comes a little earlier or later than the other, by another time each round.
                for _ in 0..n * late % 97 {
                    std::hint::spin_loop();
                }
                let lsn = log.append(b"x").unwrap();
                log.wait(lsn).unwrap();
            }
        };
        thread::scope(|scope| {
            scope.spawn(|| producer(37));
            scope.spawn(|| producer(53));
        });
        assert_eq!(log.durable_lsn(), Lsn::new(6000));
    });
}

/// A record that nobody waits for is flushed when it is old enough, and no earlier is needed.
#[test]
fn the_oldest_record_is_flushed_at_its_age() {
    let strategy = FlushThread::with_trigger(Duration::from_millis(5), u64::MAX);
    let store = SimStore::new(SimDisk::new(Profile::STRICT));
    let log = start(store, Arc::new(strategy), one_segment()).unwrap();
    for n in 1..=3 {
        log.append(b"alone").unwrap();
        eventually("a record grows old", || log.durable_lsn() == Lsn::new(n));
    }
}
