//! Whose file is whose: every breach of the rules ends the test, and tells what was done.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use wal_testkit::{CutChoice, Profile, SimDisk};

/// What the disk says about this, done by two openers.
fn breach(deed: impl FnOnce(&SimDisk, &SimDisk)) -> Option<String> {
    let disk = SimDisk::new(Profile::STRICT);
    let (one, other) = (disk.opener(), disk.opener());
    let panic = catch_unwind(AssertUnwindSafe(|| deed(&one, &other))).err();
    let text = panic.map(|panic| panic.downcast_ref::<String>().unwrap().clone());
    assert_eq!(text.is_some(), disk.breach().is_some());
    if let Some(text) = text {
        assert!(text.contains("0. create a"), "the history is told: {text}");
        let again = catch_unwind(AssertUnwindSafe(|| disk.list().map(drop)));
        assert!(again.is_err(), "whoever uses the disk after a breach is told of it");
        assert!(disk.kill().list().is_ok(), "what the processes leave is no longer theirs");
    }
    disk.breach()
}

#[track_caller]
fn breaks(wanted: &str, deed: impl FnOnce(&SimDisk, &SimDisk)) {
    let breach = breach(deed).unwrap_or_else(|| panic!("nothing was said of {wanted}"));
    assert!(breach.contains(wanted), "{breach}");
}

#[test]
fn a_file_that_another_writes_is_not_removed_or_renamed() {
    breaks("opener 2 removes a, which opener 1 has open", |one, other| {
        let _file = one.create_new("a").unwrap();
        other.remove("a").ok();
    });
    breaks("opener 2 renames a, which opener 1 has open", |one, other| {
        let _file = one.create_new("a").unwrap();
        other.rename("a", "b").ok();
    });
    breaks("opener 2 replaces a, which opener 1 has open", |one, other| {
        let _file = one.create_new("a").unwrap();
        drop(other.create_new("b").unwrap());
        other.rename("b", "a").ok();
    });
}

#[test]
fn a_file_that_another_writes_is_not_written_cut_or_allocated() {
    let by = |deed: fn(&wal_testkit::SimFile)| {
        breaks("opener 2 writes to a: a file that opener 1 has open", |one, other| {
            drop(one.create_new("a").unwrap());
            let file = one.open("a").unwrap();
            file.write_all_at(0, b"mine").unwrap();
            let theirs = other.open("a").unwrap();
            deed(&theirs);
        });
    };
    by(|file| file.write_all_at(0, b"yours").unwrap());
    by(|file| file.set_len(1).unwrap());
    by(|file| file.allocate(0, 4096).unwrap());
}

#[test]
fn nothing_is_renamed_over_what_is_there() {
    breaks("opener 1 renames b over a, which is there", |one, _| {
        drop(one.create_new("a").unwrap());
        drop(one.create_new("b").unwrap());
        one.rename("b", "a").ok();
    });
}

/// The landed store's own defect: one part of it takes the name away, another goes on writing.
#[test]
fn no_file_is_written_or_synced_by_an_opener_that_took_its_name() {
    breaks("opener 1 syncs a: a file that its own opener has taken the name of", |one, _| {
        let file = one.create_new("a").unwrap();
        one.remove("a").unwrap();
        drop(one.create_new("a").unwrap());
        file.sync_data().ok();
    });
    breaks("opener 1 writes to a", |one, _| {
        let file = one.create_new("a").unwrap();
        one.remove("a").unwrap();
        file.write_all_at(0, b"lost").ok();
    });
}

#[test]
fn an_old_handle_does_not_write_to_a_file_that_is_used_again() {
    breaks("opener 1 writes to a: a file that has gone on to another use", |one, _| {
        let old = one.create_new("a").unwrap();
        one.rename("a", "segment").unwrap();
        one.rename("segment", "spare").unwrap();
        old.write_all_at(0, b"zeros").ok();
    });
}

#[test]
fn nothing_changes_while_another_holds_the_lock_or_after_it_was_given_up() {
    breaks("opener 2 removes a, while opener 1 holds the lock", |one, other| {
        drop(one.create_new("a").unwrap());
        let _lock = one.lock("LOCK").unwrap();
        other.remove("a").ok();
    });
    breaks("opener 1 makes b, after it gave its lock up", |one, _| {
        drop(one.create_new("a").unwrap());
        drop(one.lock("LOCK").unwrap());
        one.create_new("b").ok();
    });
    breaks("opener 1 writes to a: after it gave its lock up", |one, _| {
        let file = one.create_new("a").unwrap();
        drop(one.lock("LOCK").unwrap());
        file.write_all_at(0, b"late").ok();
    });
}

/// A panic of a thread may go unseen; the next one to use the disk is told.
#[test]
fn a_breach_by_a_thread_is_told_to_all() {
    breaks("opener 2 removes a", |one, other| {
        let _file = one.create_new("a").unwrap();
        let other = other.clone();
        assert!(thread::spawn(move || other.remove("a")).join().is_err());
        one.list().ok();
    });
}

#[test]
fn what_is_allowed_is_allowed() {
    let said = breach(|one, other| {
        let file = one.create_new("a").unwrap();
        let lock = one.lock("LOCK").unwrap();
        assert!(other.lock("LOCK").is_err());
        file.write_all_at(0, b"bytes").unwrap();
        one.rename("a", "segment").unwrap();
        file.write_all_at(5, b" more").unwrap();
        file.sync_data().unwrap();
        assert!(one.holds(b"bytes more"));
        assert!(!one.holds(b"others"));
        other.open("segment").unwrap().read_at(0, &mut [0]).unwrap();
        // What is given up is taken away while it is open, and then closed.
        let pending = one.create_new("b").unwrap();
        one.remove("b").unwrap();
        drop(pending);
        one.open("segment").unwrap().set_len(3).unwrap();
        drop((file, lock));
        let _lock = other.lock("LOCK").unwrap();
        other.open("segment").unwrap().set_len(2).unwrap();
        other.remove("segment").unwrap();
    });
    assert_eq!(said, None);
}

/// The hand of the test, and what is left after a crash, are nobody's.
#[test]
fn a_test_may_do_anything() {
    let disk = SimDisk::new(Profile::STRICT);
    let one = disk.opener();
    let _lock = one.lock("LOCK").unwrap();
    let _file = one.create_new("a").unwrap();
    disk.open("a").unwrap().write_all_at(0, b"stranger").unwrap();
    let left = disk.kill().opener();
    left.remove("a").unwrap();
    disk.remove("a").unwrap();
    let left = disk.power_cut(CutChoice::Everything).opener();
    left.create_new("a").unwrap();
    assert_eq!(disk.breach(), None);
}
