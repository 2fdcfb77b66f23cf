//! Closing and truncating while others are at work.

use shuttle::thread;
use wal_commit::{GroupCommit, Sync};
use wal_core::format::Predecessor;
use wal_core::{CommitStrategy, ErrorKind, Lsn, Resume};

use crate::common::{Left, left_of, small_segments};
use crate::explore;
use crate::world::{Fate, World, join};

/// Every append either is refused, or its record is on disk once the log is closed; and its wait
/// ends well whenever it began.
fn close_in_the_middle(strategy: impl CommitStrategy + 'static, fate: Fate) {
    let world = World::with(strategy, small_segments(), fate);
    let producers = (0..2).map(|name| {
        world.spawn(move |world| {
            for n in 0..3 {
                match world.append(&[name, n]) {
                    Ok(lsn) => match world.wait(lsn, &[name, n]) {
                        Err(_) if !matches!(fate, Fate::Well) => return,
                        waited => waited.unwrap(),
                    },
                    Err(error) if matches!(fate, Fate::Well) => {
                        assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
                        return;
                    }
                    Err(_) => return,
                }
            }
        })
    });
    let syncing = world.spawn(World::sync);
    let closing = (0..2).map(|_| {
        world.spawn(move |world| {
            while let Err(error) = world.close() {
                assert!(!matches!(fate, Fate::Well), "{error:?}");
                if error.kind() != ErrorKind::StorageFull {
                    return;
                }
                thread::yield_now();
            }
        })
    });
    join(producers.chain([syncing]).chain(closing));
    world.check();
    if matches!(fate, Fate::Well) {
        assert_eq!(left_of(&world.disk).last_lsn(), world.log.staged_lsn());
    }
    assert!(world.log.append(b"late").is_err());
}

#[test]
fn a_close_drains_under_group_commit() {
    explore(|| close_in_the_middle(GroupCommit::new(), Fate::Well));
}

#[test]
fn a_close_drains_under_sync() {
    explore(|| close_in_the_middle(Sync::new(), Fate::Well));
}

#[test]
fn a_close_on_a_failing_store_ends() {
    explore(|| close_in_the_middle(GroupCommit::new(), Fate::Fails));
}

#[test]
fn a_close_on_a_full_disk_is_repeated() {
    explore(|| close_in_the_middle(GroupCommit::new(), Fate::Full));
}

/// Nobody calls `close`; the last handle goes away. What was appended is there, and no thread is
/// left behind, or shuttle says so.
#[test]
fn the_last_handle_closes_the_log() {
    explore(|| {
        let world = World::new(GroupCommit::new(), small_segments());
        let disk = world.disk.clone();
        join((0..2).map(|name| {
            world.spawn(move |world| {
                world.append(&[name]).unwrap();
            })
        }));
        drop(world);
        assert_eq!(left_of(&disk).records.len(), 2);
    });
}

/// What a truncation after `lsn` makes of a log that is `left` so.
fn cut(left: &Left, mut resume: Resume, lsn: Lsn) -> Resume {
    let &(_, id, length) = left.starts.iter().find(|(first, ..)| *first == lsn.next()).unwrap();
    let before = match &resume.current {
        Some(current) if current.open.header().id == id => current.open.as_predecessor(),
        _ => resume.predecessor.filter(|before| before.id == id).unwrap(),
    };
    resume.predecessor = Some(Predecessor { length, seal_len: 0, last_lsn: lsn, ..before });
    resume.epoch = resume.epoch.next();
    resume.last_lsn = lsn;
    resume.current = None;
    resume
}

/// A truncation beside an append: it is refused, or it comes before the append, or after it. The
/// numbers behind the cut are given out anew, and each is acknowledged for what it is.
#[test]
fn a_truncation_comes_before_an_append_or_after_it() {
    explore(|| {
        let world = World::new(GroupCommit::new(), small_segments());
        world.log.append(b"one").unwrap();
        world.log.sync().unwrap();
        world.log.append(b"two").unwrap();
        world.log.sync().unwrap();
        let appending = world.spawn(|world| {
            let lsn = world.append(b"new").unwrap();
            if let Err(error) = world.log.wait(lsn) {
                // Cut off with the rest, before this thread had looked.
                assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
            }
        });
        let cutting = world.spawn(|world| {
            let disk = world.disk.clone();
            let result = world.log.truncate(|resume| Ok(cut(&left_of(&disk), resume, Lsn::FIRST)));
            if let Err(error) = result {
                assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
            }
        });
        join([appending, cutting]);
        let last = world.commit(b"last").unwrap();
        assert!([2, 3, 4].contains(&last.get()), "{last}");
        world.check();
        world.log.close().unwrap();
        assert_eq!(left_of(&world.disk).last_lsn(), last);
    });
}
