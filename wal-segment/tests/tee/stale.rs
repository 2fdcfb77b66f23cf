//! Halves that come back: gone, left behind, strange.

use std::io::ErrorKind;
use std::sync::Arc;

use wal_core::{SegmentId, SegmentStore};
use wal_segment::{FileStore, Half, MemoryStore, Mismatch, OnLoss, TeeStore};

use super::{ONE, TWO, bytes, put};

fn open(halves: &[MemoryStore; 2], on_loss: OnLoss) -> std::io::Result<TeeStore> {
    let [first, second] = halves.each_ref().map(|half| Arc::new(half.clone()));
    TeeStore::open(first, second, on_loss)
}

fn refused(halves: &[MemoryStore; 2], on_loss: OnLoss) -> Option<Mismatch> {
    let error = open(halves, on_loss).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    Mismatch::of(&error)
}

/// A pair with one segment in both.
fn pair() -> [MemoryStore; 2] {
    let halves = [MemoryStore::new(), MemoryStore::new()];
    let store = open(&halves, OnLoss::Fail).unwrap();
    let _lock = store.lock().unwrap();
    put(&store, ONE, b"both").unwrap();
    halves
}

/// The half of this number goes on by itself.
fn go_on(half: &MemoryStore, which: Half) {
    let store = TeeStore::alone(Arc::new(half.clone()), which).unwrap();
    let _lock = store.lock().unwrap();
    put(&store, TWO, format!("of {which}").as_bytes()).unwrap();
    assert_eq!(store.lost(), Some(which.other()));
}

fn all(store: &dyn SegmentStore) -> Vec<(SegmentId, Vec<u8>)> {
    store.list().unwrap().into_iter().map(|id| (id, bytes(store, id))).collect()
}

#[test]
fn either_directory_may_go() {
    for gone in [0, 1] {
        let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let paths = dirs.each_ref().map(|dir| dir.path().join("log"));
        let file = |at: usize| Arc::new(FileStore::open(&paths[at]).unwrap());
        let store = TeeStore::open(file(0), file(1), OnLoss::Fail).unwrap();
        let lock = store.lock().unwrap();
        put(&store, ONE, b"first").unwrap();
        put(&store, TWO, b"second").unwrap();
        drop((lock, store));
        std::fs::remove_dir_all(&paths[gone]).unwrap();

        // Made anew by opening it, it is blank, and that is not taken for an empty log.
        let half = [Half::First, Half::Second][gone];
        for on_loss in [OnLoss::Fail, OnLoss::GoOn] {
            let error = TeeStore::open(file(0), file(1), on_loss).unwrap_err();
            assert_eq!(Mismatch::of(&error), Some(Mismatch::Blank(half)));
        }
        let wanted = vec![(ONE, b"first".to_vec()), (TWO, b"second".to_vec())];
        assert_eq!(all(&TeeStore::alone(file(1 - gone), half.other()).unwrap()), wanted);

        TeeStore::rebuild(&*file(1 - gone), &*file(gone)).unwrap();
        let store = TeeStore::open(file(0), file(1), OnLoss::Fail).unwrap();
        let _lock = store.lock().unwrap();
        assert_eq!((store.lost(), all(&store)), (None, wanted.clone()));
        for at in [0, 1] {
            assert_eq!(&all(&*file(at))[..2], &wanted[..]);
        }
    }
}

#[test]
fn a_stale_half_never_wins() {
    for (at, ahead) in [Half::First, Half::Second].into_iter().enumerate() {
        let halves = pair();
        go_on(&halves[at], ahead);
        let wanted = all(&halves[at]);
        let stale = Mismatch::Behind(ahead.other());
        assert_eq!(refused(&halves, OnLoss::Fail), Some(stale));

        // It goes on without the stale one, as often as it is opened.
        for _ in 0..2 {
            let store = open(&halves, OnLoss::GoOn).unwrap();
            let _lock = store.lock().unwrap();
            assert_eq!(store.lost(), Some(ahead.other()));
            assert_eq!(bytes(&store, TWO), format!("of {ahead}").as_bytes());
            assert_eq!(all(&halves[at]), wanted);
        }

        // Rebuilt, it is as good as the other.
        TeeStore::rebuild(&halves[at], &halves[1 - at]).unwrap();
        let store = open(&halves, OnLoss::Fail).unwrap();
        let _lock = store.lock().unwrap();
        assert_eq!(store.lost(), None);
        for half in &halves {
            assert_eq!(bytes(half, TWO), format!("of {ahead}").as_bytes());
        }
    }
}

/// A half left behind by many more losses than a half remembers is still not taken for good.
#[test]
fn a_half_left_behind_long_ago_is_refused() {
    let [first, second] = pair();
    for round in 0..40 {
        let third = MemoryStore::new();
        TeeStore::rebuild(&first, &third).unwrap();
        let store = TeeStore::alone(Arc::new(first.clone()), Half::First).unwrap();
        let _lock = store.lock().unwrap();
        put(&store, SegmentId::new(10 + round), b"more").unwrap();
    }
    assert!(first.list().unwrap().len() < 40 + 40);
    for halves in [[first.clone(), second.clone()], [second, first]] {
        for on_loss in [OnLoss::Fail, OnLoss::GoOn] {
            assert_eq!(refused(&halves, on_loss), Some(Mismatch::Diverged));
        }
    }
}

#[test]
fn halves_that_each_went_on_alone_are_refused() {
    let halves = pair();
    go_on(&halves[0], Half::First);
    go_on(&halves[1], Half::Second);
    for on_loss in [OnLoss::Fail, OnLoss::GoOn] {
        assert_eq!(refused(&halves, on_loss), Some(Mismatch::Diverged));
    }
    // Somebody has to say which it is.
    TeeStore::rebuild(&halves[1], &halves[0]).unwrap();
    assert_eq!(bytes(&open(&halves, OnLoss::Fail).unwrap(), TWO), b"of the second half");
}

#[test]
fn halves_of_different_pairs_are_refused() {
    let ([first, _], [_, second]) = (pair(), pair());
    assert_eq!(refused(&[first, second], OnLoss::GoOn), Some(Mismatch::Diverged));
}

/// A log that was in one store becomes one in two by rebuilding, not by being opened beside an empty
/// store, which might as well be taken for the good one.
#[test]
fn stores_that_were_no_pair_are_not_made_one_by_opening() {
    for at in [0, 1] {
        let halves = [MemoryStore::new(), MemoryStore::new()];
        put(&halves[at], ONE, b"plain").unwrap();
        let store = open(&halves, OnLoss::Fail).unwrap();
        let error = store.lock().unwrap_err();
        assert_eq!(Mismatch::of(&error), Some(Mismatch::NoHistory));
        TeeStore::rebuild(&halves[at], &halves[1 - at]).unwrap();
        let store = open(&halves, OnLoss::Fail).unwrap();
        let _lock = store.lock().unwrap();
        assert_eq!(all(&store), [(ONE, b"plain".to_vec())]);
    }
}

/// Taking the first half's word for it might overwrite the last good copy.
#[test]
fn damage_in_an_old_segment_is_told_and_nothing_changed() {
    for at in [0, 1] {
        let halves = pair();
        let store = open(&halves, OnLoss::Fail).unwrap();
        let lock = store.lock().unwrap();
        for number in 2..=4 {
            put(&store, SegmentId::new(number), b"both").unwrap();
        }
        drop(lock);
        halves[at].remove(&[TWO]).unwrap();
        put(&halves[at], TWO, b"boTh").unwrap();
        let before = halves.each_ref().map(|half| all(half));
        for on_loss in [OnLoss::Fail, OnLoss::GoOn] {
            let error = open(&halves, on_loss).unwrap().lock().unwrap_err();
            assert_eq!(Mismatch::of(&error), Some(Mismatch::Damaged(TWO)));
            assert_eq!(halves.each_ref().map(|half| all(half)), before);
        }
        TeeStore::rebuild(&halves[1 - at], &halves[at]).unwrap();
        let store = open(&halves, OnLoss::Fail).unwrap();
        let _lock = store.lock().unwrap();
        assert_eq!(bytes(&store, TWO), b"both");
    }
}

/// Its history is there, and its segments are not.
#[test]
fn an_emptied_first_half_does_not_empty_the_second() {
    let halves = pair();
    let store = open(&halves, OnLoss::Fail).unwrap();
    let lock = store.lock().unwrap();
    let all = [1, 2, 3].map(SegmentId::new);
    all[1..].iter().for_each(|id| put(&store, *id, b"both").unwrap());
    drop(lock);
    halves[0].remove(&all).unwrap();
    let store = open(&halves, OnLoss::GoOn).unwrap();
    let _lock = store.lock().unwrap();
    assert_eq!(store.lost(), None);
    for half in &halves {
        assert!(all.iter().all(|id| bytes(half, *id) == b"both"));
    }
}

#[test]
fn marks_are_no_segments() {
    let halves = pair();
    let store = open(&halves, OnLoss::Fail).unwrap();
    assert_eq!(store.list().unwrap(), [ONE]);
    let mark = *halves[0].list().unwrap().last().unwrap();
    assert_eq!(store.open(mark).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(store.create(mark.next(), 0).unwrap_err().kind(), ErrorKind::InvalidInput);
    store.remove(&[mark]).unwrap();
    assert_eq!(halves[0].list().unwrap().last(), Some(&mark));
}

#[test]
fn a_store_open_for_writing_is_not_rebuilt() {
    let halves = pair();
    let store = open(&halves, OnLoss::Fail).unwrap();
    let _lock = store.lock().unwrap();
    let error = TeeStore::rebuild(&halves[0], &halves[1]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
}
