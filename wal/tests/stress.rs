//! Every strategy under many threads on a store that pauses at random: what is acknowledged is
//! there, in order, and nothing hangs. `WAL_STRESS_ROUNDS` makes it longer, `WAL_STRESS_SEED` begins
//! with another seed.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use wal::parts::commit::{
    FlushThread, GroupCommit, Interval, Os, Parallel, Pipelined, Sync, Tuning, Window,
};
use wal::parts::core::CommitStrategy;
use wal::{Acknowledgement, Config, ErrorKind, Lsn, Preparation, Wal};
use wal_testkit::{CutChoice, Profile, SimDisk, SimStore, Throttled};

const PRODUCERS: u64 = 6;
const RECORDS: u64 = 60;

type Make = fn() -> Arc<dyn CommitStrategy>;

const STRATEGIES: [(&str, Make); 8] = [
    ("sync", || Arc::new(Sync::new())),
    ("group commit", || Arc::new(GroupCommit::new())),
    ("group commit in windows", || {
        let mut window = Window::new(Duration::from_millis(1));
        (window.siblings, window.tuning) = (2, Tuning::Adaptive);
        Arc::new(GroupCommit::with_window(window))
    }),
    ("flush thread", || Arc::new(FlushThread::with_trigger(Duration::from_millis(1), 10))),
    ("pipelined", || Arc::new(Pipelined::new())),
    ("parallel", || Arc::new(Parallel::new(3))),
    ("interval", || Arc::new(Interval::new(Duration::from_millis(2)))),
    ("os", || Arc::new(Os::new())),
];

#[test]
fn every_strategy_under_pauses_at_random() {
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let first = number("WAL_STRESS_SEED").unwrap_or(1);
    for seed in first..first + number("WAL_STRESS_ROUNDS").unwrap_or(2) {
        for (name, make) in STRATEGIES {
            println!("{name}, seed {seed}");
            stress(make(), seed);
        }
    }
}

fn stress(strategy: Arc<dyn CommitStrategy>, seed: u64) {
    let disk = SimDisk::new(Profile::STRICT);
    let store = Arc::new(SimStore::new(disk.clone()));
    let store = Throttled::at_random(store, Duration::from_micros(400), seed);
    let mut config = Config::default();
    config.segment_size = 16 << 10;
    config.preparation = Some(Preparation::None);
    config.buffer_size = 2 << 10;
    let opened = Wal::with_store(Arc::new(store)).config(config).custom_strategy(strategy).open();
    let (wal, _) = opened.unwrap();
    let durable = matches!(wal.acknowledges(), Acknowledgement::Durable);
    // What each LSN was given to; and what is known to be durable.
    let given = Mutex::new(BTreeMap::new());
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let marks = scope.spawn(|| {
            let mut last = Lsn::ZERO;
            while !over.load(Ordering::Relaxed) {
                let now = wal.durable_lsn();
                assert!(now >= last, "the watermark went back from {last} to {now}");
                assert!(now <= wal.last_lsn());
                last = now;
                thread::yield_now();
            }
        });
        let producers: Vec<_> = (0..PRODUCERS)
            .map(|producer| {
                let (wal, given) = (&wal, &given);
                scope.spawn(move || produce(wal, producer, seed, durable, given))
            })
            .collect();
        for producer in producers {
            producer.join().unwrap();
        }
        over.store(true, Ordering::Relaxed);
        marks.join().unwrap();
    });
    wal.sync().unwrap();
    let given = given.into_inner().unwrap();
    // The power goes before the log is closed; every record has been synced.
    let left = disk.power_cut(CutChoice::Nothing);
    drop(wal);
    let (wal, recovery) = Wal::with_store(Arc::new(SimStore::new(left))).open().unwrap();
    assert_eq!(recovery.valid_records, given.len() as u64);
    for (entry, (lsn, record)) in wal.read_from(Lsn::FIRST).unwrap().zip(&given) {
        let entry = entry.unwrap();
        assert_eq!((entry.lsn, &entry.payload[..]), (*lsn, &record[..]));
    }
}

/// One thread's records: by every verb, waited for in every way.
fn produce(
    wal: &Wal,
    producer: u64,
    seed: u64,
    durable: bool,
    given: &Mutex<BTreeMap<Lsn, Vec<u8>>>,
) {
    let give = |lsn, record: &[u8]| {
        let before = given.lock().unwrap().insert(lsn, record.to_vec());
        assert!(before.is_none(), "{lsn} was given out twice");
    };
    let mut last = Lsn::ZERO;
    for number in 0..RECORDS {
        let record =
            format!("{producer}:{number}:{}", "x".repeat(usize::try_from(number).unwrap()));
        let record = record.as_bytes();
        let lsn = match (producer + number * 7 + seed) % 6 {
            0 => pollster::block_on(wal.append_async(record)).unwrap(),
            1 => wal.append_durable(record).unwrap(),
            2 => loop {
                match wal.try_append(record) {
                    Ok(lsn) => break lsn,
                    Err(error) => assert_eq!(error.kind(), ErrorKind::Backpressure),
                }
                thread::yield_now();
            },
            3 => {
                let lsns = wal.append_batch([record, b"second", b"third"]).unwrap();
                give(lsns[1], b"second");
                give(lsns[2], b"third");
                lsns[0]
            }
            _ => wal.append(record).unwrap(),
        };
        give(lsn, record);
        assert!(lsn > last, "the records of one thread are in its order");
        last = lsn;
        match (producer * 3 + number + seed) % 5 {
            0 => wal.wait_for_lsn(lsn).wait().unwrap(),
            1 => pollster::block_on(wal.wait_for_lsn(lsn)).unwrap(),
            2 => drop(wal.wait_for_lsn(lsn)),
            3 => {
                wal.sync().unwrap();
                assert!(wal.durable_lsn() >= lsn);
            }
            _ => continue,
        }
        if durable && (producer * 3 + number + seed) % 5 < 2 {
            assert!(wal.durable_lsn() >= lsn);
        }
    }
}
