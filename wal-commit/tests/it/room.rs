//! Back-pressure: what is staged is bounded by bytes, and an append chooses what to do about it.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use wal_commit::{
    FlushThread, GroupCommit, Interval, Options, Os, Pipeline, Pipelined, Sync, WhenFull,
};
use wal_core::{CommitStrategy, ErrorKind, Lsn};
use wal_testkit::{Call, Fault, FaultRule, Profile, SimDisk, SimStore};

use crate::common::{Hooked, Step, left_of, start};
use crate::{Gate, eventually, within};

const BUFFER: usize = 1000;
const RECORD: [u8; 100] = [7; 100];

fn options() -> Options {
    let mut options = Options::default();
    options.segment_size = 256 << 10;
    options.buffer_size = BUFFER;
    options
}

/// A disk whose writes of frames stop at a gate.
fn stalled(disk: &SimDisk) -> (Arc<Gate>, Hooked) {
    let gate = Arc::new(Gate::default());
    let at = Arc::clone(&gate);
    let store = Hooked::new(SimStore::new(disk.clone()), move |step| {
        if matches!(step, Step::Append(_, end) if end > 0) {
            at.pass();
        }
        Ok(())
    });
    (gate, store)
}

/// A log under group commit on such a disk, with a flush that stands at the gate.
fn stalled_log(disk: &SimDisk) -> (Arc<Gate>, Arc<Pipeline>) {
    let (gate, store) = stalled(disk);
    let log = start(store, Arc::new(GroupCommit::new()), options()).unwrap();
    log.append(b"what the disk stalls on").unwrap();
    gate.reached();
    (gate, log)
}

fn strategies() -> Vec<Arc<dyn CommitStrategy>> {
    vec![
        Arc::new(GroupCommit::new()),
        Arc::new(FlushThread::new()),
        Arc::new(Pipelined::new()),
        Arc::new(Sync::new()),
    ]
}

/// A disk that stands still, and producers that do not: memory has a bound, and when the disk goes on
/// so do they.
#[test]
fn a_stalled_disk_and_fast_producers_fill_no_more_than_the_bound() {
    for strategy in strategies() {
        let name = format!("{strategy:?}");
        let disk = SimDisk::new(Profile::STRICT);
        let (gate, store) = stalled(&disk);
        let log = start(store, strategy, options()).unwrap();
        let bytes = || log.staged_lsn().get() * 101;
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        log.append(&RECORD).unwrap();
                    }
                });
            }
            gate.reached();
            if !name.starts_with("Sync") {
                eventually("the buffer is full", || bytes() > BUFFER as u64);
            }
            // Time for what is wrong to show; what is right holds however long it is.
            thread::sleep(Duration::from_millis(100));
            // Twice: what is being written, and what is staged. Each may exceed it by a record.
            assert!(bytes() <= 2 * (BUFFER as u64 + 101), "{name}: {} bytes in memory", bytes());
            gate.open();
        });
        log.close().unwrap();
        assert_eq!(left_of(&disk).last_lsn(), Lsn::new(400), "{name}");
    }
}

/// Appends until one is refused; none of them waits for the disk.
fn fill(log: &Pipeline) -> Lsn {
    loop {
        match log.try_append(&RECORD) {
            Ok(lsn) => assert!(lsn < Lsn::new(100), "the buffer has no bound"),
            Err(error) => {
                assert_eq!((error.kind(), error.at_lsn()), (ErrorKind::Backpressure, None));
                return log.staged_lsn();
            }
        }
    }
}

#[test]
fn who_must_not_wait_is_refused_and_nothing_is_staged() {
    for refuse in [WhenFull::Block, WhenFull::Refuse] {
        let disk = SimDisk::new(Profile::STRICT);
        let (gate, store) = stalled(&disk);
        let mut options = options();
        options.when_full = refuse;
        let log = start(store, Arc::new(GroupCommit::new()), options).unwrap();
        log.append(b"what the disk stalls on").unwrap();
        gate.reached();
        let staged = fill(&log);
        if refuse == WhenFull::Refuse {
            assert_eq!(log.append(&RECORD).unwrap_err().kind(), ErrorKind::Backpressure);
            let batch = log.append_batch(&[RECORD, RECORD]);
            assert_eq!(batch.unwrap_err().kind(), ErrorKind::Backpressure);
        }
        assert_eq!(log.staged_lsn(), staged);
        gate.open();
        // Nobody waits for a record: that one was refused is enough for the strategy to make room.
        eventually("there is room", || log.try_append(&RECORD).is_ok());
        log.close().unwrap();
        assert_eq!(left_of(&disk).last_lsn(), staged.next());
    }
}

/// A strategy that does nothing by itself makes room when asked to.
#[test]
fn a_refusal_asks_for_room_under_every_strategy() {
    for strategy in strategies() {
        let name = format!("{strategy:?}");
        let disk = SimDisk::new(Profile::STRICT);
        let log = start(SimStore::new(disk.clone()), strategy, options()).unwrap();
        for _ in 0..200 {
            eventually(&name, || log.try_append(&RECORD).is_ok());
        }
        log.close().unwrap();
        assert_eq!(left_of(&disk).last_lsn(), Lsn::new(200), "{name}");
    }
}

#[test]
fn an_append_that_awaits_room_gets_it_or_was_never_there() {
    let disk = SimDisk::new(Profile::STRICT);
    let (gate, log) = stalled_log(&disk);
    let staged = fill(&log);
    {
        let mut dropped = pin!(log.append_async(b"dropped"));
        let mut context = Context::from_waker(Waker::noop());
        assert!(matches!(dropped.as_mut().poll(&mut context), Poll::Pending));
        assert!(matches!(dropped.as_mut().poll(&mut context), Poll::Pending));
    }
    let awaited = Arc::clone(&log);
    let task = thread::spawn(move || {
        let one = pollster::block_on(awaited.append_async(&RECORD)).unwrap();
        let batch = pollster::block_on(awaited.append_batch_async(&[RECORD, RECORD])).unwrap();
        (one, batch)
    });
    assert_eq!(log.staged_lsn(), staged);
    gate.open();
    let (one, batch) = within("an append that awaits room", move || task.join().unwrap());
    let after = |n| Lsn::new(staged.get() + n);
    assert_eq!((one, batch), (after(1), (after(2), after(3))));
    log.close().unwrap();
    let records = left_of(&disk).records;
    assert_eq!(records.len() as u64, after(3).get());
    assert!(!records.contains(&b"dropped".to_vec()));
}

/// A full disk is told to who awaits room, and so is the end of the log; no hang.
#[test]
fn an_append_that_awaits_room_hears_why_there_is_none() {
    let failures = [
        (FaultRule::next(Call::Write, Fault::StorageFull).forever(), ErrorKind::StorageFull),
        (FaultRule::next(Call::Write, Fault::Io).forever(), ErrorKind::Poisoned),
    ];
    for (failure, kind) in failures {
        let disk = SimDisk::new(Profile::STRICT);
        let (gate, log) = stalled_log(&disk);
        let staged = fill(&log);
        disk.fail(failure);
        let awaited = Arc::clone(&log);
        let task = thread::spawn(move || {
            loop {
                // Told of the full disk, or by chance there was room for one more.
                if let Err(error) = pollster::block_on(awaited.append_async(&RECORD)) {
                    return error;
                }
            }
        });
        gate.open();
        let error = within("an append that awaits room", move || task.join().unwrap());
        assert_eq!((error.kind(), error.at_lsn()), (kind, None));
        if kind == ErrorKind::StorageFull {
            disk.heal();
            let lsn = pollster::block_on(log.append_async(&RECORD)).unwrap();
            log.wait(lsn).unwrap();
            assert!(lsn > staged);
        }
    }
}

#[test]
fn one_record_can_be_made_durable_under_any_strategy() {
    let strategies: [Arc<dyn CommitStrategy>; 4] = [
        Arc::new(Os::new()),
        Arc::new(Interval::new(Duration::from_secs(3600))),
        Arc::new(GroupCommit::new()),
        Arc::new(Sync::new()),
    ];
    for strategy in strategies {
        let name = format!("{strategy:?}");
        let disk = SimDisk::new(Profile::STRICT);
        let log = start(SimStore::new(disk.clone()), strategy, options()).unwrap();
        log.append(b"before").unwrap();
        let lsn = log.append_durable(b"must not be lost").unwrap();
        assert_eq!(lsn, Lsn::new(2), "{name}");
        assert!(log.durable_lsn() >= lsn, "{name}");
        assert_eq!(left_of(&disk).record(lsn), b"must not be lost", "{name}");
        disk.fail(FaultRule::next(Call::Sync, Fault::Io));
        let error = log.append_durable(b"indeterminate").unwrap_err();
        assert_eq!((error.kind(), error.at_lsn()), (ErrorKind::Poisoned, Some(Lsn::new(3))));
    }
}

/// Under a strategy that syncs nothing, those who want their record durable at the same time share
/// a sync: one is under way, and the next is for all who came meanwhile.
#[test]
fn who_wants_durability_at_the_same_time_shares_a_sync() {
    let disk = SimDisk::new(Profile::STRICT);
    let gate = Arc::new(Gate::default());
    let at = Arc::clone(&gate);
    let store = Hooked::new(SimStore::new(disk.clone()), move |step| {
        // Not the segment's header.
        if matches!(step, Step::Sync(_)) && at.armed() {
            at.pass();
        }
        Ok(())
    });
    let log = start(store, Arc::new(Os::new()), options()).unwrap();
    log.append(b"makes the segment").unwrap();
    gate.arm();
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| log.append_durable(b"durable").unwrap());
        }
        gate.reached();
        eventually("all are written", || log.written_lsn() == Lsn::new(17));
        gate.open();
    });
    assert_eq!(left_of(&disk).last_lsn(), Lsn::new(17));
    assert!(log.syncs() <= 2, "{} syncs", log.syncs());
}

/// Nobody asks for a sync, and yet no more is unsynced at once than the segment's header says: from
/// that a recovery knows damage from a torn end. And there are no more syncs than it takes.
#[test]
fn no_more_is_in_flight_than_the_header_says() {
    let mut options = options();
    (options.record_limit, options.batch_limit) = (RECORD.len(), 8 * BUFFER);
    let in_flight = 2 * (BUFFER + 8 * BUFFER) as u64;
    let (synced, synced_end) = (AtomicBool::new(false), AtomicU64::new(4096));
    let store = Hooked::new(SimStore::new(SimDisk::new(Profile::STRICT)), move |step| {
        if matches!(step, Step::Synced(_)) {
            synced.store(true, Ordering::SeqCst);
        }
        if let Step::Append(_, end) = step
            && end > 0
        {
            if synced.swap(false, Ordering::SeqCst) {
                synced_end.store(end, Ordering::SeqCst);
            }
            let unsynced = end - synced_end.load(Ordering::SeqCst);
            assert!(unsynced <= in_flight, "{unsynced} bytes are in flight");
        }
        Ok(())
    });
    let never = FlushThread::with_trigger(Duration::from_secs(1 << 32), u64::MAX);
    let log = start(store, Arc::new(never), options).unwrap();
    for _ in 0..500 {
        log.append(&RECORD).unwrap();
    }
    assert!((2..=6).contains(&log.syncs()), "{} syncs", log.syncs());
    log.close().unwrap();
}
