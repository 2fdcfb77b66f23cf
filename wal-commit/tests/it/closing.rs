//! Closing, truncating, and going away without either.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;

use wal_commit::{GroupCommit, Os, Pipeline, Sync};
use wal_core::{CommitStrategy, Error, ErrorKind, Lsn, Uncut};
use wal_testkit::{Counting, Profile, SimDisk, SimStore};

use crate::common::{Hooked, Step, left_of, one_segment, start};
use crate::within;

fn log(strategy: impl CommitStrategy + 'static) -> (SimDisk, Arc<Pipeline>) {
    let disk = SimDisk::new(Profile::STRICT);
    let log = start(SimStore::new(disk.clone()), Arc::new(strategy), one_segment()).unwrap();
    (disk, log)
}

#[test]
fn a_close_drains_and_a_second_one_is_fine() {
    for (disk, log) in [log(GroupCommit::new()), log(Sync::new()), log(Os::new())] {
        let last = Lsn::new(100);
        (1..=100).for_each(|lsn| assert_eq!(log.append(b"record").unwrap(), Lsn::new(lsn)));
        log.close().unwrap();
        assert_eq!((log.durable_lsn(), left_of(&disk).last_lsn()), (last, last));
        let counts = disk.counts();
        log.close().unwrap();
        assert_eq!(disk.counts(), counts, "nothing is left to do");
        log.wait(last).unwrap();
        pollster::block_on(log.wait_async(last)).unwrap();
        for error in [log.append(b"late").unwrap_err(), log.append_batch(&[b"l"]).unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
        }
        assert_eq!(log.staged_lsn(), last);
    }
}

#[test]
fn a_log_without_records_is_closed_without_a_trace() {
    let (disk, log) = log(GroupCommit::new());
    log.close().unwrap();
    assert!(disk.list().unwrap().is_empty());
}

/// Threads append and wait, two others close: whatever an append took is on disk, and every wait
/// for it ends well.
#[test]
fn a_close_beside_appends_and_waits() {
    for _ in 0..50 {
        let (disk, log) = log(GroupCommit::new());
        thread::scope(|scope| {
            for name in 0..4_u8 {
                let log = &log;
                scope.spawn(move || {
                    for n in 0.. {
                        match log.append(&[name]) {
                            Ok(lsn) if n % 2 == 0 => log.wait(lsn).unwrap(),
                            Ok(lsn) => pollster::block_on(log.wait_async(lsn)).unwrap(),
                            Err(error) => {
                                assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
                                break;
                            }
                        }
                    }
                });
            }
            for _ in 0..2 {
                scope.spawn(|| {
                    log.close().unwrap();
                    assert_eq!(log.durable_lsn(), log.staged_lsn(), "closed, and not all durable");
                });
            }
        });
        assert_eq!(left_of(&disk).last_lsn(), log.staged_lsn());
    }
}

/// The last handle goes away with records staged: they are written, and no thread of the log is
/// left behind with it.
#[test]
fn dropping_a_log_closes_it() {
    let disk = SimDisk::new(Profile::STRICT);
    let store = Counting::new(Arc::new(SimStore::new(disk.clone())));
    let strategy = Arc::new(GroupCommit::new());
    let driven = Arc::clone(&strategy) as Arc<dyn CommitStrategy>;
    let log = start(store, driven, one_segment()).unwrap();
    log.append(b"record").unwrap();
    within("the drop of a log", move || drop(log));
    assert_eq!(left_of(&disk).records, [b"record"]);
    // The helper thread had a share in what the strategy is made of, and has let go of it.
    let name = format!("{strategy:?}");
    assert!(name.contains("handle: Mutex { data: None"), "{name}");
}

/// A truncation that fails has cut or not cut, so the log is poisoned; one that is refused is not.
#[test]
fn a_failed_truncation_poisons() {
    let (disk, log) = log(GroupCommit::new());
    log.append(b"record").unwrap();
    log.wait(Lsn::FIRST).unwrap();
    let error = log.truncate(|_| Err(Error::new(ErrorKind::Io, "half cut").into())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Poisoned);
    assert!(error.report().contains("half cut"), "{error:?}");
    assert_eq!(log.append(b"more").unwrap_err().kind(), ErrorKind::Poisoned);
    assert_eq!((log.durable_lsn(), left_of(&disk).last_lsn()), (Lsn::FIRST, Lsn::FIRST));
}

/// A truncation that found no room poisoned. Where the log is handed back as it was, it goes on: what is
/// durable stays so, and the next records come behind.
#[test]
fn a_truncation_without_room_leaves_the_log_as_it_was() {
    let (disk, log) = log(GroupCommit::new());
    log.append(b"one").unwrap();
    log.append(b"two").unwrap();
    log.sync().unwrap();
    let error = log
        .truncate(|resume| {
            let error = Error::new(ErrorKind::StorageFull, "no room for the cut");
            Err(Uncut { error, log: Some(Box::new(resume)) })
        })
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    assert_eq!((log.durable_lsn(), log.staged_lsn()), (Lsn::new(2), Lsn::new(2)));
    let lsn = log.append(b"three").unwrap();
    log.wait(lsn).unwrap();
    assert_eq!(left_of(&disk).records, [b"one".to_vec(), b"two".to_vec(), b"three".to_vec()]);
    log.close().unwrap();
}

/// A record that was written, and acknowledged as that, while a truncation synced was cut off without a
/// word: only one that was still staged was looked for.
#[test]
fn a_truncation_refuses_beside_a_record_that_is_written() {
    let (log, armed) =
        (Arc::new(OnceLock::<Arc<Pipeline>>::new()), Arc::new(AtomicBool::new(false)));
    let (appends, is_armed) = (Arc::clone(&log), Arc::clone(&armed));
    let disk = SimDisk::new(Profile::STRICT);
    let store = Hooked::new(SimStore::new(disk.clone()), move |step| {
        // The truncation's own sync has done its work.
        if matches!(step, Step::Synced(_)) && is_armed.swap(false, Ordering::SeqCst) {
            appends.get().unwrap().append(b"meanwhile").unwrap();
        }
        Ok(())
    });
    let log = log.get_or_init(|| start(store, Arc::new(Os::new()), one_segment()).unwrap());
    log.append(b"first").unwrap();
    armed.store(true, Ordering::SeqCst);
    let refused = log.truncate(|_| panic!("cut"));
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!((log.staged_lsn(), log.written_lsn()), (Lsn::new(2), Lsn::new(2)));
    log.truncate(Ok::<_, Uncut>).unwrap();
    assert_eq!(left_of(&disk).records, [b"first".to_vec(), b"meanwhile".to_vec()]);
    log.close().unwrap();
}
