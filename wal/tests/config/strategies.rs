//! Each strategy, by its name, on a log.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use wal::parts::core::SegmentStore;
use wal::{Acknowledgement, Config, Lsn, Wal};
use wal_testkit::{Profile, SimDisk, SimStore};

use crate::{read, strategies};

/// A runtime for the strategy that needs one, entered as long as this lives.
#[cfg(feature = "tokio")]
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap()
}

fn simulated() -> Arc<dyn SegmentStore> {
    Arc::new(SimStore::new(SimDisk::new(Profile::STRICT)))
}

#[track_caller]
fn open(store: &Arc<dyn SegmentStore>, config: &Config) -> Wal {
    let builder = Wal::with_store(Arc::clone(store)).config(config.clone());
    builder.open().unwrap_or_else(|error| panic!("{config:?}: {error}")).0
}

/// The settings that consist of a strategy's name.
fn named(name: &str) -> Config {
    read(&format!("[wal]\nsegment_size = 65536\nstrategy = '{name}'"))
}

#[test]
fn each_name_opens_a_log_that_acknowledges_as_it_says() {
    #[cfg(feature = "tokio")]
    let runtime = runtime();
    #[cfg(feature = "tokio")]
    let _entered = runtime.enter();
    for (name, _) in strategies() {
        let store = simulated();
        let wal = open(&store, &named(name));
        let says = match name {
            "interval" => Acknowledgement::Buffered(Duration::from_millis(10)),
            "os" => Acknowledgement::Written,
            _ => Acknowledgement::Durable,
        };
        assert_eq!(wal.acknowledges(), says, "{name}");
        for number in 1..=20_u64 {
            let lsn = wal.append(number.to_le_bytes()).unwrap();
            if number % 5 == 0 {
                wal.wait_for_lsn(lsn).wait().unwrap();
                let durable = wal.durable_lsn() >= lsn;
                assert!(durable || says != Acknowledgement::Durable, "{name}: {lsn}");
                assert_eq!(wal.read_from(Lsn::FIRST).unwrap().count() as u64, number, "{name}");
            }
        }
        if name == "os" {
            assert_eq!((wal.syncs(), wal.durable_lsn()), (0, Lsn::ZERO));
        }
        if name == "sync" {
            assert_eq!(wal.syncs(), 20);
        }
        wal.close().unwrap();
    }
}

/// All ordered pairs: written under one, read and continued under the other, and back again.
#[test]
fn a_log_of_every_strategy_opens_under_every_other() {
    #[cfg(feature = "tokio")]
    let runtime = runtime();
    #[cfg(feature = "tokio")]
    let _entered = runtime.enter();
    let append = |wal: &Wal, numbers: std::ops::Range<u64>| {
        for number in numbers {
            wal.append(number.to_le_bytes()).unwrap();
        }
        wal.wait_for_lsn(wal.last_lsn()).wait().unwrap();
    };
    let check = |wal: &Wal, end: u64, pair: (&str, &str)| {
        let entries = wal.read_from(Lsn::FIRST).unwrap();
        let numbers: Vec<_> = entries.map(|entry| entry.unwrap().payload.to_vec()).collect();
        let expected: Vec<_> = (0..end).map(|number| number.to_le_bytes().to_vec()).collect();
        assert_eq!(numbers, expected, "{pair:?}");
    };
    for (before, _) in strategies() {
        for (after, _) in strategies() {
            let pair = (before, after);
            let store = simulated();
            let mut end = 0;
            for name in [before, after, before] {
                let wal = open(&store, &named(name));
                check(&wal, end, pair);
                append(&wal, end..end + 10);
                end += 10;
                check(&wal, end, pair);
                wal.close().unwrap();
            }
            check(&open(&store, &named(after)), end, pair);
        }
    }
}

/// The table's values reach the strategies that have a use for them: a record waits for a second one,
/// and for that alone, since the interval is as long as one can be. Where the values had been lost, the first would
/// be synced by itself.
#[test]
fn the_first_record_waits_for_the_second() {
    const PAIRS: u64 = 8;
    for mode in ["group_commit", "flush_thread"] {
        let config = read(&format!(
            r#"
            [wal.group_commit]
            max_flush_interval_ms = 60000
            max_batch_size = 2
            min_batch_size = 0
            durability_mode = "{mode}"
            "#
        ));
        let wal = open(&simulated(), &config);
        let mut together = 0;
        for pair in 1..=PAIRS {
            thread::scope(|scope| {
                let first = scope.spawn(|| {
                    let lsn = wal.append("first").unwrap();
                    wal.wait_for_lsn(lsn).wait().unwrap();
                    wal.durable_lsn()
                });
                while wal.last_lsn().get() < 2 * pair - 1 {
                    thread::yield_now();
                }
                // Time for a strategy with the values of the default; a right one has no use for it.
                thread::sleep(Duration::from_millis(30));
                let second = wal.append("second").unwrap();
                together += u64::from(first.join().unwrap() == second);
            });
        }
        assert_eq!(together, PAIRS, "{mode}");
        wal.close().unwrap();
    }
}

/// `PostgreSQL`'s rule: with a window of a minute, who commits alone does not notice it.
#[test]
fn a_lone_committer_pays_no_delay() {
    let wal = open(
        &simulated(),
        &read(
            "[wal.group_commit]\nmax_flush_interval_ms = 60000\ndurability_mode = 'group_commit'",
        ),
    );
    for number in 0..100_u8 {
        let lsn = wal.append([number]).unwrap();
        wal.wait_for_lsn(lsn).wait().unwrap();
        assert_eq!(wal.durable_lsn(), lsn);
    }
    wal.close().unwrap();
}

#[test]
fn every_preset_opens_a_log() {
    for name in
        ["oltp", "analytics", "mixed", "low_latency", "high_throughput", "durability_critical"]
    {
        let dir = tempfile::tempdir().unwrap();
        let config = read(&format!("[wal]\npreset = '{name}'\nsegment_size = 1048576"));
        let (wal, _) = Wal::builder(dir.path()).config(config).open().unwrap();
        assert_eq!(wal.acknowledges(), Acknowledgement::Durable, "{name}");
        let lsn = wal.append(name).unwrap();
        wal.wait_for_lsn(lsn).wait().unwrap();
        assert_eq!(wal.durable_lsn(), lsn, "{name}");
        wal.close().unwrap();
    }
}
