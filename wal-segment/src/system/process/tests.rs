#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::{env, process};

use wal_core::{Fenced, SegmentId, SegmentStore};

use super::process;
use crate::FileStore;

/// What a child says that no handler of the C library has seen. One that panics says no: it must not go on
/// as a copy of the harness, whose end is a success.
fn in_a_bare_clone(run: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child goes on where the only thread of this process that does anything is.
    let child = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
    if child == 0 {
        let code = i32::from(!catch_unwind(AssertUnwindSafe(run)).unwrap_or(false));
        // SAFETY: ends the child, with no destructor of the parent's.
        unsafe { libc::_exit(code) };
    }
    let mut status = 0;
    let child = libc::pid_t::try_from(child).unwrap();
    // SAFETY: waits for a child of this test's own.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
}

/// Runs the test of this name as a process of its own, in which no other thread holds a lock of the allocator
/// for ever; says whether this is that one.
fn alone(test: &str) -> bool {
    const ALONE: &str = "WAL_TEST_ALONE";
    if env::var_os(ALONE).is_some() {
        return true;
    }
    let mut again = Command::new(env::current_exe().unwrap());
    let ran = again.args(["--exact", test, "--test-threads=1"]).env(ALONE, "1").output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
    let stdout = String::from_utf8_lossy(&ran.stdout);
    assert!(stdout.contains("1 passed"), "{stdout}");
    false
}

#[test]
fn a_child_of_a_bare_clone_is_another_process() {
    if !alone("system::process::tests::a_child_of_a_bare_clone_is_another_process") {
        return;
    }
    let parent = process();
    assert_eq!(parent, process());
    assert!(in_a_bare_clone(|| {
        let child = process();
        // Its own child is none of the two.
        let another = in_a_bare_clone(|| ![parent, child].contains(&process()));
        another && child != parent && child == process()
    }));
    assert_eq!(parent, process());
}

/// A child that the C library does not know of was taken for its parent until it synced: it wrote at the end
/// that it knew of, over 18 of 23 records that the parent had acknowledged since.
#[test]
fn a_child_of_a_bare_clone_writes_over_nothing() {
    if !alone("system::process::tests::a_child_of_a_bare_clone_writes_over_nothing") {
        return;
    }
    let dir = env::temp_dir().join(format!("wal-clone-{}", process::id()));
    fs::create_dir_all(&dir).unwrap();
    let store = FileStore::open(&dir).unwrap();
    let lock = store.lock().unwrap();
    let mut writer = store.create(SegmentId::FIRST, 1 << 16).unwrap();
    writer.append(&[1; 100]).unwrap();
    writer.syncer().sync().unwrap();
    let fenced = |error: &std::io::Error| {
        error.get_ref().is_some_and(|cause| cause.downcast_ref::<Fenced>().is_some())
    };
    assert!(in_a_bare_clone(|| writer.append(&[2; 100]).is_err_and(|error| fenced(&error))));
    writer.append(&[3; 100]).unwrap();
    writer.syncer().sync().unwrap();
    let mut read = [0; 200];
    store.open(SegmentId::FIRST).unwrap().read_at(0, &mut read).unwrap();
    assert_eq!((read[99], read[100], read[199]), (1, 3, 3));
    drop((writer, lock));
    fs::remove_dir_all(dir).unwrap();
}
