//! The file store over files that fail: at every call, in every way, in the middle of a life.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod calls;
#[path = "../common/mod.rs"]
mod common;
mod disk;
mod order;

use std::io::{self, ErrorKind};
use std::sync::Arc;

use disk::{Call, Disk, Fault, Kind, Outcome, When};
use wal_core::{SegmentId, SegmentStore, SegmentWriter};
use wal_segment::{FileStore, Preparation};

use common::{held, made};

const SIZE: u64 = 20_000;
const PIECE: usize = 3000;
const PREPARATIONS: [Preparation; 4] =
    [Preparation::None, Preparation::Whole, Preparation::Chunks(4096), Preparation::ZeroFill];

fn id(number: u64) -> SegmentId {
    SegmentId::new(number)
}

/// What a life of a store left behind.
struct Life {
    /// What was appended to segment 1 with success.
    appended: Vec<u8>,
    /// The segments made with success.
    made: Vec<SegmentId>,
    /// Those whose first sync failed: there or not.
    unsure: Vec<SegmentId>,
    errors: Vec<(&'static str, io::Error)>,
    calls: Vec<(Call, Outcome)>,
}

/// Locks, makes three segments, fills and syncs the first, cuts it, reads it; checks what the seam
/// says of every call, failed or not.
fn live(disk: &Arc<Disk>, preparation: Preparation) -> Life {
    let store = FileStore::over(disk.clone()).preparation(preparation);
    let mut life =
        Life { appended: vec![], made: vec![], unsure: vec![], errors: vec![], calls: vec![] };
    let _lock = match store.lock() {
        Ok(lock) => lock,
        Err(error) => {
            life.errors.push(("lock", error));
            life.calls = disk.take_calls();
            return life;
        }
    };
    for number in 1..=3 {
        let writer = match store.create(id(number), SIZE) {
            Ok(writer) => writer,
            Err(error) => {
                life.errors.push(("create", error));
                continue;
            }
        };
        if let Err(error) = writer.syncer().sync() {
            life.errors.push(("sync", error));
            life.unsure.push(id(number));
            continue;
        }
        life.made.push(id(number));
        if number == 1 {
            write(writer, &mut life);
        }
    }
    if life.made.first() == Some(&id(1)) {
        cut_and_read(&store, &mut life);
    }
    if let Err(error) = store.list() {
        life.errors.push(("list", error));
    }
    life.calls = disk.take_calls();
    life
}

fn cut_and_read(store: &FileStore, life: &mut Life) {
    let len = life.appended.len();
    if let Err(error) = store.trim(id(1), len as u64) {
        life.errors.push(("trim", error));
    }
    let mut read = vec![0; len];
    match store.open(id(1)).and_then(|reader| reader.read_at(0, &mut read)) {
        Ok(count) => assert_eq!((count, &read), (len, &life.appended)),
        Err(error) => life.errors.push(("read", error)),
    }
}

fn write(mut writer: Box<dyn SegmentWriter>, life: &mut Life) {
    let syncer = writer.syncer();
    let mut refused = None;
    for fill in 1..=4 {
        let bytes = [fill; PIECE];
        let mut appended = writer.append(&bytes);
        if appended.is_err() && refused.is_none() {
            assert_eq!(writer.end(), life.appended.len() as u64, "a failed append moved the end");
            life.errors.extend(appended.err().map(|error| ("append", error)));
            // The way on after a full disk.
            appended = writer.append(&bytes);
        }
        match (appended, refused) {
            (Ok(()), Some(_)) => panic!("appended after a failed sync"),
            (Ok(()), None) => life.appended.extend(bytes),
            (Err(error), Some(kind)) => assert_eq!(error.kind(), kind),
            (Err(_), None) => {}
        }
        assert_eq!(writer.end(), life.appended.len() as u64);
        if let Err(error) = syncer.sync() {
            let kind = *refused.get_or_insert(error.kind());
            assert_eq!(error.kind(), kind, "a sync after a failed one");
            life.errors.push(("sync", error));
        }
    }
}

/// What must be true on the healthy disk afterwards.
fn check(disk: &Disk, life: &Life) {
    let store = FileStore::open(disk.dir.path()).unwrap();
    let listed = store.list().unwrap();
    for made in &life.made {
        assert!(listed.contains(made), "segment {made} was made and is gone");
    }
    for id in listed {
        let reader = store.open(id).unwrap();
        let mut bytes = vec![0; usize::try_from(reader.size().unwrap()).unwrap()];
        reader.read_at(0, &mut bytes).unwrap();
        if id == SegmentId::FIRST && life.made.contains(&id) {
            assert!(bytes.starts_with(&life.appended), "what was appended is gone");
        } else {
            assert!(bytes.iter().all(|byte| *byte == 0), "an empty segment is not all zeros");
        }
    }
}

fn failed(life: &Life, verb: &str) -> bool {
    life.errors.iter().any(|(failed, _)| *failed == verb)
}

/// Lives once for every call of a healthy life, with this fault at that call or from there on.
fn each_call(fault: Fault, when: fn(usize) -> When, mut judge: impl FnMut(&Disk, &Life)) {
    for preparation in PREPARATIONS {
        let calls = live(&Disk::new(Kind::Usual), preparation).calls.len();
        let mut hits = 0;
        for n in 1..=calls {
            let when = when(n);
            let disk = Disk::new(Kind::Usual);
            disk.plan(fault, when);
            let life = live(&disk, preparation);
            let hit = life.calls.iter().filter(|(_, outcome)| *outcome != Outcome::AsAsked).count();
            hits += hit;
            // Shown where something below panics.
            println!("{preparation:?}, {fault:?} {when:?}: {:?}, {:?}", life.calls, life.errors);
            assert!(hit > 0 || life.errors.is_empty(), "an error without a fault");
            check(&disk, &life);
            judge(&disk, &life);
        }
        assert!(hits > 0, "{preparation:?}: {fault:?} never happened");
    }
}

#[test]
fn a_healthy_disk_gives_no_error() {
    for preparation in PREPARATIONS {
        let disk = Disk::new(Kind::Usual);
        let life = live(&disk, preparation);
        assert!(life.errors.is_empty(), "{preparation:?}: {:?}", life.errors);
        assert_eq!(life.appended.len(), 4 * PIECE);
        check(&disk, &life);
    }
}

#[test]
fn an_io_error_at_any_call_loses_nothing_that_was_appended() {
    for fault in [Fault::Eio, Fault::EioAfter, Fault::EioHalfway] {
        each_call(fault, When::Once, |_, life| {
            let hit = life.calls.iter().any(|(_, outcome)| hit(*outcome));
            assert_eq!(life.errors.is_empty(), !hit || signing_the_lock(life) || allocating(life));
        });
    }
}

#[test]
fn a_disk_that_is_gone_from_any_call_on_loses_nothing_that_was_appended() {
    for fault in [Fault::Eio, Fault::EioAfter] {
        each_call(fault, When::From, |_, life| assert!(!life.errors.is_empty()));
    }
}

#[test]
fn a_full_disk_at_any_call_gives_back_what_create_took() {
    for (fault, kind) in
        [(Fault::Full, ErrorKind::StorageFull), (Fault::Quota, ErrorKind::QuotaExceeded)]
    {
        for when in [When::Once, When::From] {
            each_call(fault, when, |disk, life| {
                let store = FileStore::open(disk.dir.path()).unwrap();
                let mut listed = store.list().unwrap();
                listed.retain(|id| !life.unsure.contains(id));
                assert_eq!(listed, life.made, "a failed create left its file");
                for (verb, error) in &life.errors {
                    // "Make room and try again" is never the answer to a failed sync.
                    let again = *verb != "sync" && error.kind() == kind;
                    assert!(again || error.kind() == ErrorKind::Other, "{verb}: {error}");
                }
            });
        }
    }
}

#[test]
fn a_step_that_does_not_fit_is_no_error() {
    each_call(Fault::Full, When::Once, |_, life| {
        let step = life.calls.windows(2).any(|calls| {
            calls[0] == (Call::Allocate, Outcome::Hit(Fault::Full)) && calls[1].0 == Call::WriteAt
        });
        assert!(!step || life.errors.is_empty());
    });
}

/// After a full disk, an append that is tried again once there is room goes where the failed one
/// was to go: no hole, and nothing of the failed one in front of it.
#[test]
fn an_append_that_failed_succeeds_once_there_is_room() {
    for fault in [Fault::Full, Fault::Quota, Fault::EioHalfway] {
        each_call(fault, When::Once, |_, life| {
            if failed(life, "append") && !failed(life, "sync") {
                assert_eq!(life.appended.len(), 4 * PIECE);
            }
        });
    }
}

#[test]
fn signals_and_short_counts_are_nobodys_business() {
    each_call(Fault::Short, When::Once, |_, life| assert!(life.errors.is_empty()));
    each_call(Fault::Interrupted, When::Once, |_, life| {
        let sync_broken_off =
            life.calls.iter().any(|(call, outcome)| hit(*outcome) && call.is_sync());
        assert_eq!(!life.errors.is_empty(), sync_broken_off, "{:?}", life.errors);
        // Whoever repeats an interrupted call would repeat a failed sync for ever.
        assert!(
            life.errors
                .iter()
                .all(|(verb, error)| { *verb != "sync" || error.kind() != ErrorKind::Interrupted })
        );
    });
}

#[test]
fn one_byte_at_a_time_is_enough() {
    for preparation in PREPARATIONS {
        let disk = Disk::new(Kind::Usual);
        disk.plan(Fault::Short, When::From(1));
        let life = live(&disk, preparation);
        assert!(life.errors.is_empty(), "{preparation:?}: {:?}", life.errors);
        assert!(life.calls.len() > 4 * PIECE);
        check(&disk, &life);
    }
}

fn hit(outcome: Outcome) -> bool {
    outcome != Outcome::AsAsked
}

/// Space that cannot be taken ahead is taken by writing, which finds out what is wrong, if anything is.
fn allocating(life: &Life) -> bool {
    life.calls.iter().any(|(call, outcome)| *call == Call::Allocate && hit(*outcome))
}

/// Who holds the lock is written down for people; failing to is no failure. These are the first
/// calls after the lock is taken, up to the look for what was left unfinished.
fn signing_the_lock(life: &Life) -> bool {
    let calls = life.calls.iter();
    let mut signing = calls.skip_while(|(call, _)| *call != Call::Look).skip(1);
    signing
        .by_ref()
        .take_while(|(call, _)| !matches!(call, Call::List | Call::SyncDir))
        .any(|(_, outcome)| hit(*outcome))
}
