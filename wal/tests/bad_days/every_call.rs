//! A call of the file store's that fails, each of them in turn, beneath a whole log.

use std::sync::Arc;

use tempfile::TempDir;
use wal::parts::segment::OsFiles;
use wal::{ErrorKind, Lsn, Wal};

use crate::failing::{Call, Failing, Fault, Plan, When};
use crate::policy::{Policy, SEGMENT};
use crate::prepared_ahead::PreparedAhead;
use crate::records::{check, commit, in_memory, recovers};

const RECORDS: u64 = 36;
const KEEP: u64 = 20;

/// What a life of a log came to.
#[derive(Debug, Default)]
struct Life {
    acknowledged: u64,
    errors: Vec<wal::Error>,
}

/// Opens, commits over several segments, prunes, commits, and closes; an error is tried again once,
/// as somebody does who has made room.
fn live(dir: &TempDir, policy: Policy, fault: Fault, when: When) -> (Life, Arc<Plan>) {
    let (files, plan) = Failing::new(OsFiles::open(dir.path()).unwrap(), fault, when);
    let store = Arc::new(PreparedAhead(policy.store(files)));
    let mut life = Life::default();
    let open = || Wal::with_store(Arc::clone(&store) as _).segment_size(SEGMENT).open();
    let opened = open().or_else(|error| {
        life.errors.push(error);
        open()
    });
    match opened {
        Ok((wal, _)) => work(&wal, &mut life),
        Err(error) => life.errors.push(error),
    }
    (life, plan)
}

fn work(wal: &Wal, life: &mut Life) {
    commit_through(wal, RECORDS / 2, life);
    // Nothing that was acknowledged goes by this: those before it are not wanted any more.
    let keep = Lsn::new(KEEP.min(life.acknowledged + 1));
    for _ in 0..2 {
        match wal.prune_before(keep) {
            Ok(_) => break,
            Err(error) => life.errors.push(error),
        }
    }
    commit_through(wal, RECORDS, life);
    for _ in 0..2 {
        match wal.close() {
            Ok(()) => break,
            Err(error) => life.errors.push(error),
        }
    }
    life.acknowledged = wal.durable_lsn().get().max(life.acknowledged);
}

fn commit_through(wal: &Wal, last: u64, life: &mut Life) {
    let mut failures = 0;
    while wal.last_lsn().get() < last && failures < 2 {
        let before = wal.last_lsn();
        if let Err(error) = commit(wal) {
            life.errors.push(error);
            failures += 1;
        }
        // What is staged waits for the next try; no two records get the same number.
        assert!(wal.last_lsn().get() <= before.get() + 1);
        life.acknowledged = wal.durable_lsn().get().max(life.acknowledged);
    }
}

/// Lives once for each call of a healthy life, with this fault at that call or from there on, and
/// looks what the healthy disk holds afterwards.
fn each_call(fault: Fault, when: fn(usize) -> When, judge: impl Fn(&Life, &[Call], &str)) {
    for policy in Policy::ALL {
        let dir = in_memory();
        let (life, plan) = live(&dir, policy, fault, When::Once(0));
        assert!(life.errors.is_empty(), "{policy:?}: {:?}", life.errors);
        assert_eq!(life.acknowledged, RECORDS);
        let mut hits = 0;
        for nth in 1..=plan.calls() {
            let when = when(nth);
            let dir = in_memory();
            let (life, plan) = live(&dir, policy, fault, when);
            let hit = plan.hit();
            let context = format!("{policy:?}, {fault:?} {when:?} {hit:?}: {life:?}");
            hits += hit.len();
            assert!(!hit.is_empty() || life.errors.is_empty(), "{context}");
            judge(&life, &hit, &context);
            recovers(dir.path(), policy.in_memory(), life.acknowledged, &context);
        }
        assert!(hits > 0, "{policy:?}: {fault:?} never happened");
    }
}

#[test]
fn an_io_error_loses_nothing_that_was_acknowledged() {
    for fault in [Fault::Eio, Fault::EioAfter, Fault::EioHalfway] {
        each_call(fault, When::Once, |life, _, context| {
            for error in &life.errors {
                assert!(error.kind() != ErrorKind::StorageFull, "{context}");
                assert!(error.report().contains("os error 5"), "{context}: {}", error.report());
            }
        });
    }
}

#[test]
fn a_disk_that_is_gone_from_some_call_on_loses_nothing_that_was_acknowledged() {
    each_call(Fault::Eio, When::From, |life, _, context| {
        assert!(life.acknowledged == RECORDS || !life.errors.is_empty(), "{context}");
    });
}

/// Where no sync met it, one call that found no room costs one error at the most: the same handle
/// commits all that is left, and closes.
#[test]
fn a_full_disk_is_got_over_by_the_same_handle() {
    each_call(Fault::Full, When::Once, |life, hit, context| {
        let sync = hit.iter().any(|call| matches!(call, Call::Sync | Call::SyncDir));
        assert!(sync || life.acknowledged == RECORDS, "{context}");
        assert!(sync || life.errors.len() <= 1, "{context}");
        for error in &life.errors {
            let full = error.kind() == ErrorKind::StorageFull;
            // "Make room and try again" is never the answer to a failed sync of records.
            assert!(full || sync, "{context}");
            assert!(error.report().contains("os error 28"), "{context}: {}", error.report());
        }
    });
}

#[test]
fn a_disk_that_stays_full_loses_nothing_that_was_acknowledged() {
    each_call(Fault::Full, When::From, |life, _, context| {
        assert!(life.acknowledged == RECORDS || !life.errors.is_empty(), "{context}");
    });
}

#[test]
fn short_writes_are_nobodys_business() {
    for when in [When::Once, When::From] {
        each_call(Fault::Short, when, |life, _, context| {
            assert!(life.errors.is_empty(), "{context}");
            assert_eq!(life.acknowledged, RECORDS, "{context}");
        });
    }
}

/// The log of a full disk holds what was read from it while it was full.
#[test]
fn what_was_read_on_a_full_disk_is_there_afterwards() {
    for policy in Policy::ALL {
        let dir = in_memory();
        let files = OsFiles::open(dir.path()).unwrap();
        let (files, _) = Failing::new(files, Fault::Full, When::From(120));
        let store = Arc::new(PreparedAhead(policy.store(files)));
        let (wal, _) = Wal::with_store(store).segment_size(SEGMENT).open().unwrap();
        while commit(&wal).is_ok() {}
        let shown = check(&wal, wal.durable_lsn().get(), "full");
        assert!(shown > 0, "{policy:?}");
        drop(wal);
        recovers(dir.path(), policy.in_memory(), shown, "with room");
    }
}
