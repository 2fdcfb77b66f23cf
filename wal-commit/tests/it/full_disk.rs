//! No room: nothing is lost, and after there is room the log goes on.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context, Waker};
use std::thread;

use wal_commit::{GroupCommit, Interval, Options, Os, Pipeline, Sync, WhenDiskFull};
use wal_core::{CommitStrategy, ErrorKind, Lsn};
use wal_testkit::{Call, Fault, FaultRule, Profile, SimDisk, SimStore};

use crate::common::{Hooked, Step, left_of, one_segment, small_segments, start};
use crate::{eventually, within};

fn log(strategy: impl CommitStrategy + 'static, options: Options) -> (SimDisk, Arc<Pipeline>) {
    let disk = SimDisk::new(Profile::STRICT);
    let log = start(SimStore::new(disk.clone()), Arc::new(strategy), options).unwrap();
    (disk, log)
}

/// Where the segment cannot be made, and where it cannot be written to.
#[test]
fn a_waiter_is_told_once_and_the_next_wait_succeeds() {
    for call in [Call::Create, Call::Allocate, Call::Write] {
        let (disk, log) = log(GroupCommit::new(), one_segment());
        disk.fail(FaultRule::next(call, Fault::StorageFull).forever());
        let lsn = log.append(b"record").unwrap();
        assert_eq!(log.wait(lsn).unwrap_err().kind(), ErrorKind::StorageFull, "{call}");
        assert_eq!(log.append(b"more").unwrap(), Lsn::new(2), "appends go on: {call}");
        disk.heal();
        log.wait(Lsn::new(2)).unwrap();
        log.wait(lsn).unwrap();
        log.close().unwrap();
        assert_eq!(left_of(&disk).records, [b"record".to_vec(), b"more".to_vec()], "{call}");
    }
}

/// A task is told, too, and the helper that leads for tasks tries again by itself.
#[test]
fn a_task_is_told_once_and_what_is_staged_goes_out_by_itself() {
    let (disk, log) = log(GroupCommit::new(), one_segment());
    disk.set_room(Some(0));
    let lsn = log.append(b"record").unwrap();
    let task = Arc::clone(&log);
    let error = within("a task", move || pollster::block_on(task.wait_async(lsn)).unwrap_err());
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    disk.set_room(None);
    eventually("what was staged on a full disk", || log.durable_lsn() == lsn);
    assert_eq!(left_of(&disk).records, [b"record"]);
}

/// A write that found no room told whoever waited when it came back, and so also a wait that began
/// later, when there was room: seen as a wait that failed right after a file had been removed, on a busy
/// machine.
#[test]
fn a_write_from_before_there_was_room_tells_nobody_who_came_after() {
    let (begun, go_on) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let held_up = {
        let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
        move |step| {
            if !matches!(step, Step::Create(_)) || begun.swap(true, SeqCst) {
                return Ok(());
            }
            eventually("the wait", || go_on.load(SeqCst));
            Err(io::ErrorKind::StorageFull.into())
        }
    };
    let store = Hooked::new(SimStore::new(SimDisk::new(Profile::STRICT)), held_up);
    let log = start(store, Arc::new(GroupCommit::new()), one_segment()).unwrap();
    // The helper writes it out, though nobody waits.
    let lsn = log.append(b"record").unwrap();
    eventually("a write", || begun.load(SeqCst));
    let mut wait = log.wait_async(lsn);
    assert!(Pin::new(&mut wait).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    go_on.store(true, SeqCst);
    within("the wait", move || pollster::block_on(wait)).unwrap();
}

/// Many waiters on a disk that is full for a while: each is told or acknowledged, and every record
/// is there once.
#[test]
fn many_waiters_on_a_disk_that_is_full_for_a_while() {
    let (disk, log) = log(GroupCommit::new(), small_segments());
    disk.set_room(Some(3 * 4096));
    thread::scope(|scope| {
        for name in 0..6_u8 {
            let log = &log;
            scope.spawn(move || {
                for n in 0..10_u8 {
                    let lsn = log.append(&[name, n]).unwrap();
                    let task = n % 2 == 0;
                    let wait = || {
                        if task { pollster::block_on(log.wait_async(lsn)) } else { log.wait(lsn) }
                    };
                    while let Err(error) = wait() {
                        assert_eq!(error.kind(), ErrorKind::StorageFull);
                        thread::yield_now();
                    }
                }
            });
        }
        eventually("a full disk", || log.staged_lsn() > log.durable_lsn());
        disk.set_room(None);
    });
    log.close().unwrap();
    let mut records = left_of(&disk).records;
    records.sort();
    records.dedup();
    assert_eq!(records.len(), 60);
}

#[test]
fn an_append_that_found_no_room_is_staged_under_its_lsn() {
    let strategies: [Arc<dyn CommitStrategy>; 2] = [Arc::new(Sync::new()), Arc::new(Os::new())];
    for strategy in strategies {
        let disk = SimDisk::new(Profile::STRICT);
        let log = start(SimStore::new(disk.clone()), strategy, one_segment()).unwrap();
        disk.set_room(Some(0));
        let error = log.append(b"record").unwrap_err();
        assert_eq!((error.kind(), error.at_lsn()), (ErrorKind::StorageFull, Some(Lsn::FIRST)));
        disk.set_room(None);
        log.wait(Lsn::FIRST).unwrap();
        log.sync().unwrap();
        assert_eq!(left_of(&disk).records, [b"record"]);
    }
}

/// A buffer that is full and cannot be written out refuses the append, and takes nothing of it.
#[test]
fn an_append_to_a_full_buffer_on_a_full_disk_is_refused() {
    let mut options = one_segment();
    options.buffer_size = 100;
    let (disk, log) = log(GroupCommit::new(), options);
    disk.set_room(Some(0));
    let error = loop {
        match log.append(&[0; 50]) {
            Ok(_) => assert!(log.staged_lsn() < Lsn::new(10), "the buffer has no bound"),
            Err(error) => break error,
        }
    };
    assert_eq!((error.kind(), error.at_lsn()), (ErrorKind::StorageFull, None));
    let staged = log.staged_lsn();
    disk.set_room(None);
    assert_eq!(log.append(&[0; 50]).unwrap(), staged.next());
    log.close().unwrap();
    assert_eq!(left_of(&disk).last_lsn(), staged.next());
}

/// A close that finds no room keeps what is staged. A task that waits then is told so at once, for
/// the helper that would lead for it is gone; a close after there is room ends it all well.
#[test]
fn a_close_without_room_is_repeated() {
    let (disk, log) = log(GroupCommit::new(), one_segment());
    disk.set_room(Some(0));
    let lsn = log.append(b"record").unwrap();
    let mut queued = log.wait_async(lsn);
    let polled = Pin::new(&mut queued).poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending() || polled.is_ready());
    assert_eq!(log.close().unwrap_err().kind(), ErrorKind::StorageFull);
    if polled.is_pending() {
        assert_eq!(pollster::block_on(queued).unwrap_err().kind(), ErrorKind::StorageFull);
    }
    let late = Arc::clone(&log);
    let told = within("a task after it", move || pollster::block_on(late.wait_async(lsn)));
    assert_eq!(told.unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(log.append(b"more").unwrap_err().kind(), ErrorKind::Invalid);
    disk.set_room(None);
    log.close().unwrap();
    pollster::block_on(log.wait_async(lsn)).unwrap();
    assert_eq!(left_of(&disk).records, [b"record"]);
}

/// ENOSPC from a sync is no "try again": bytes are lost that were written.
#[test]
fn a_full_disk_at_a_sync_poisons() {
    let (disk, log) = log(GroupCommit::new(), one_segment());
    log.append(b"durable").unwrap();
    log.wait(Lsn::FIRST).unwrap();
    disk.fail(FaultRule::next(Call::Sync, Fault::StorageFull));
    let lsn = log.append(b"lost").unwrap();
    assert_eq!(log.wait(lsn).unwrap_err().kind(), ErrorKind::Poisoned);
    assert_eq!(left_of(&disk).records, [b"durable"]);
}

/// A task that waits for room under a long interval: the thread tried once, and then not before the
/// interval was over, unless it was the log itself that made room.
#[test]
fn a_task_that_waits_for_room_need_not_ask_again() {
    let failed = AtomicBool::new(false);
    let store = Hooked::new(SimStore::new(SimDisk::new(Profile::STRICT)), move |step| match step {
        Step::Create(_) if !failed.swap(true, SeqCst) => Err(io::ErrorKind::StorageFull.into()),
        _ => Ok(()),
    });
    let mut options = one_segment();
    options.when_disk_full = WhenDiskFull::Wait;
    let strategy = Interval::new(std::time::Duration::from_secs(7200));
    let log = start(store, Arc::new(strategy), options).unwrap();
    let lsn = log.append(b"record").unwrap();
    let wait = log.wait_async(lsn);
    within("the wait", move || pollster::block_on(wait)).unwrap();
}
