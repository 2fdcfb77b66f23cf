//! Who syncs how often, and what a returned call means.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use wal_commit::{FlushThread, GroupCommit, Os, Sync};
use wal_core::{ErrorKind, Lsn};
use wal_testkit::{Counting, Profile, SimDisk, SimStore};

use crate::common::{Hooked, Step, left, left_of, one_segment, start};
use crate::{Gate, within};

fn counted() -> (SimDisk, Counting) {
    let disk = SimDisk::new(Profile::STRICT);
    let store = Counting::new(Arc::new(SimStore::new(disk.clone())));
    (disk, store)
}

/// The whole of a thousand appends fits in one segment, so that every sync counted but the one of
/// its header is one for a record.
#[test]
fn sync_syncs_a_thousand_times_for_a_thousand_appends() {
    let (disk, store) = counted();
    let mut options = one_segment();
    options.segment_size = 1 << 20;
    let log = start(store.clone(), Arc::new(Sync::new()), options).unwrap();
    for n in 1..=1000_u64 {
        assert_eq!(log.append(&n.to_le_bytes()).unwrap(), Lsn::new(n));
        assert_eq!(log.durable_lsn(), Lsn::new(n));
    }
    assert_eq!(log.syncs(), 1000);
    assert_eq!(store.counts().syncs, 1001);
    assert_eq!(left_of(&disk).records.len(), 1000);
}

/// The staging thread never meets the disk: neither while a sync hangs nor before it.
#[test]
fn an_append_under_group_commit_never_waits_for_a_sync() {
    let gate = Arc::new(Gate::default());
    let stop = Arc::clone(&gate);
    let store = Hooked::new(SimStore::new(SimDisk::new(Profile::STRICT)), move |step| {
        // The header's sync comes first and is another.
        if matches!(step, Step::Sync(_)) {
            stop.pass();
        }
        Ok(())
    });
    let log = start(store, Arc::new(GroupCommit::new()), one_segment()).unwrap();
    let first = log.append(b"first").unwrap();
    let waiting = Arc::clone(&log);
    let waiter = thread::spawn(move || waiting.wait(first));
    gate.reached();
    let appending = Arc::clone(&log);
    within("appends beside a sync that hangs", move || {
        (2..=1001).for_each(|lsn| assert_eq!(appending.append(b"more").unwrap(), Lsn::new(lsn)));
    });
    assert_eq!(log.durable_lsn(), Lsn::ZERO);
    gate.open();
    waiter.join().unwrap().unwrap();
    log.wait(Lsn::new(1001)).unwrap();
}

/// Everyone who came while a sync ran shares the next one.
#[test]
fn a_thousand_records_and_one_wait_are_one_flush() {
    let (disk, store) = counted();
    let gate = Arc::new(Gate::default());
    let stop = Arc::clone(&gate);
    let store = Hooked::new(store, move |step| {
        if matches!(step, Step::Create(_)) {
            stop.pass();
        }
        Ok(())
    });
    let log = start(store, Arc::new(GroupCommit::new()), one_segment()).unwrap();
    // The first flush hangs with the first record in hand, and the rest is staged meanwhile.
    let first = log.append(b"first").unwrap();
    let waiting = Arc::clone(&log);
    let waiter = thread::spawn(move || waiting.wait(first));
    gate.reached();
    let last = Lsn::new(1001);
    (2..=1001).for_each(|lsn| assert_eq!(log.append(b"more").unwrap(), Lsn::new(lsn)));
    gate.open();
    log.wait(last).unwrap();
    waiter.join().unwrap().unwrap();
    assert_eq!(log.syncs(), 2, "one for the first record, one for the others");
    assert_eq!(left_of(&disk).last_lsn(), last);
}

#[test]
fn os_writes_at_once_and_never_syncs() {
    let (disk, store) = counted();
    let log = start(store, Arc::new(Os::new()), one_segment()).unwrap();
    for n in 1..=100 {
        let lsn = log.append(b"record").unwrap();
        assert_eq!((lsn, log.written_lsn()), (Lsn::new(n), Lsn::new(n)));
        log.wait(lsn).unwrap();
    }
    assert_eq!((log.syncs(), log.durable_lsn()), (0, Lsn::ZERO));
    assert!(left_of(&disk).records.is_empty());
    let killed = left(&SimStore::new(disk.kill()), &|_, body| body.to_vec());
    assert_eq!(killed.records.len(), 100, "what is written survives the process");

    log.sync().unwrap();
    assert_eq!((log.syncs(), log.durable_lsn()), (1, Lsn::new(100)));
    assert_eq!(left_of(&disk).records.len(), 100);
}

#[test]
fn a_batch_has_dense_lsns_and_one_frame() {
    let (disk, store) = counted();
    let mut options = one_segment();
    options.frame_size = 100;
    let log = start(store, Arc::new(GroupCommit::new()), options).unwrap();
    log.append(&[0; 60]).unwrap();
    let records: Vec<_> = (0..50_u8).map(|n| vec![n; 20]).collect();
    assert_eq!(log.append_batch(&records).unwrap(), (Lsn::new(2), Lsn::new(51)));
    assert_eq!(log.append(b"after").unwrap(), Lsn::new(52));
    log.wait(Lsn::new(52)).unwrap();
    let left = left_of(&disk);
    assert_eq!(left.frames, [1, 50, 1]);
    assert_eq!(left.records[1..51], records);
}

/// Batches of several threads do not mix, whatever else is appended.
#[test]
fn batches_of_many_threads_are_contiguous() {
    let (disk, store) = counted();
    let mut options = one_segment();
    options.frame_size = 64;
    let log = start(store, Arc::new(GroupCommit::new()), options).unwrap();
    thread::scope(|scope| {
        for name in 0..4_u8 {
            let log = &log;
            scope.spawn(move || {
                for round in 0..50_u8 {
                    let batch = [[name, round, 0], [name, round, 1], [name, round, 2]];
                    let (first, last) = log.append_batch(&batch).unwrap();
                    assert_eq!(last.since(first), 2);
                    log.append(&[name]).unwrap();
                    if round % 8 == 0 {
                        log.wait(last).unwrap();
                    }
                }
            });
        }
    });
    log.close().unwrap();
    let left = left_of(&disk);
    assert_eq!(left.records.len(), 4 * 50 * 4);
    let mut at = 0;
    let mut batches = 0;
    while at < left.records.len() {
        match &left.records[at][..] {
            [_] => at += 1,
            &[name, round, 0] => {
                for (n, record) in (0..3).zip(&left.records[at..]) {
                    assert_eq!(record, &[name, round, n], "at {at}");
                }
                at += 3;
                batches += 1;
            }
            other => panic!("{other:?} at {at} is the middle of a batch"),
        }
    }
    assert_eq!(batches, 200);
}

/// The records of a batch are named by the caller's own code. Where that panics half-way, nothing
/// of the batch is staged, and the log goes on.
#[test]
fn a_batch_that_panics_is_not_staged() {
    enum Record {
        Fine(&'static [u8]),
        Bomb,
    }
    impl AsRef<[u8]> for Record {
        fn as_ref(&self) -> &[u8] {
            match self {
                Self::Fine(bytes) => bytes,
                Self::Bomb => panic!("the bomb goes off"),
            }
        }
    }
    let (disk, store) = counted();
    let mut options = one_segment();
    options.frame_size = 32;
    let log = start(store, Arc::new(GroupCommit::new()), options).unwrap();
    for before in [0, 1] {
        if before == 1 {
            log.append(b"before").unwrap();
        }
        let batch = [Record::Fine(b"fine"), Record::Fine(&[7; 30]), Record::Bomb];
        let append = std::panic::AssertUnwindSafe(|| log.append_batch(&batch));
        assert!(std::panic::catch_unwind(append).is_err());
        assert_eq!(log.staged_lsn(), Lsn::new(before));
        log.sync().unwrap();
    }
    assert_eq!(log.append(b"after").unwrap(), Lsn::new(2));
    log.wait(Lsn::new(2)).unwrap();
    assert_eq!(left_of(&disk).records, [b"before".to_vec(), b"after".to_vec()]);
}

#[test]
fn what_cannot_be_appended_is_refused_whole() {
    let (disk, store) = counted();
    let mut options = one_segment();
    (options.record_limit, options.batch_limit) = (10, 20);
    let log = start(store, Arc::new(GroupCommit::new()), options).unwrap();
    let refused = [
        log.append(&[0; 11]).map(|lsn| (lsn, lsn)),
        log.append_batch(&[vec![0; 5], vec![0; 11]]),
        log.append_batch(&[[0; 10], [0; 10], [0; 10]]),
        log.append_batch::<[u8; 0]>(&[]),
    ];
    // It said "over the record limit", and neither how large that is nor what sets it.
    let named = [
        "a record of 11 bytes is over the limit of 10 (the setting record_limit)",
        "a record of 11 bytes is over the limit of 10 (the setting record_limit)",
        "the batch takes 33 bytes, over the limit of 20 (the setting batch_limit)",
        "the batch is empty",
    ];
    for (result, named) in refused.into_iter().zip(named) {
        let error = result.unwrap_err();
        assert_eq!((error.kind(), error.what()), (ErrorKind::Invalid, named));
    }
    assert_eq!(log.staged_lsn(), Lsn::ZERO);
    log.append(&[1; 10]).unwrap();
    log.close().unwrap();
    assert_eq!(left_of(&disk).records, [[1; 10]]);
}

/// More staged than the buffer may hold: the caller that appends writes it out, and nobody syncs for it.
///
/// Under a strategy that does nothing by itself, so that there is no other thread. (Beside the helper
/// thread of group commit, which writes as well when the buffer fills, this compared two marks that moved
/// between the looks at them, and failed on a busy machine.)
#[test]
fn who_appends_to_a_full_buffer_writes_it_out() {
    let (_, store) = counted();
    let mut options = one_segment();
    options.buffer_size = 4096;
    options.segment_size = 1 << 20;
    let never = FlushThread::with_trigger(Duration::from_secs(1 << 32), u64::MAX);
    let log = start(store.clone(), Arc::new(never), options).unwrap();
    let mut most = 0;
    for _ in 0..100 {
        log.append(&[0; 1000]).unwrap();
        most = most.max(log.staged_lsn().since(log.written_lsn()));
    }
    // Four records fill the buffer; the fifth is the one that found it full.
    assert!((4..=6).contains(&most), "{most} records of 1000 bytes were staged in 4096 bytes");
    assert!(store.counts().appends >= 100 / 6);
    assert_eq!((log.syncs(), log.durable_lsn()), (0, Lsn::ZERO));
    log.close().unwrap();
}
