use std::env;
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use wal_core::SegmentReader;

use super::*;
use crate::file::OsFiles;
use crate::file::mapped::MappedReader;

const PAGE: usize = 4096;
const CHILD: &str = "WAL_SEGMENT_MAP_TEST_CHILD";

/// Windows are counted in one test: nobody else maps meanwhile.
static ALONE: Mutex<()> = Mutex::new(());

/// A file of `pages` pages, page `n` full of `n + 1`, and a reader of it.
fn mapped(dir: &tempfile::TempDir, pages: u8) -> (File, MappedReader) {
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(dir.path().join("file"))
        .unwrap();
    fill(&file, pages);
    (file, MappedReader::open(&OsFiles::open(dir.path()).unwrap(), "file").unwrap())
}

fn fill(file: &File, pages: u8) {
    for page in 0..pages {
        file.write_all_at(&[page + 1; PAGE], u64::from(page) * PAGE as u64).unwrap();
    }
}

#[test]
fn a_map_reads_what_the_file_holds_at_any_offset_and_length() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let bytes: Vec<u8> = (0..10_000_u32).flat_map(u32::to_le_bytes).collect();
    fs::write(&path, &bytes).unwrap();
    let map = Map::new(&File::open(&path).unwrap()).unwrap().unwrap();
    for offset in (0..40).chain(39_900..39_960) {
        for len in 0..40 {
            let mut buffer = vec![0xee; len];
            assert!(map.copy(offset, &mut buffer));
            let from = usize::try_from(offset).unwrap();
            assert_eq!(buffer, bytes[from..from + len], "{offset} {len}");
        }
    }
}

/// Out of memory of any kind; this one Miri follows.
#[test]
fn bytes_are_copied_as_they_lie_at_any_alignment() {
    let bytes: Vec<u8> = (0..64).collect();
    for from in 0..20 {
        for len in 0..40 {
            let mut buffer = vec![0xee; len];
            // SAFETY: `from + len` is below 64.
            unsafe { copy_volatile(bytes.as_ptr().add(from), &mut buffer) };
            assert_eq!(buffer, bytes[from..from + len], "{from} {len}");
        }
    }
}

#[test]
fn what_is_cut_off_under_a_map_breaks_the_read_and_nothing_else() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, vec![7; 8 * PAGE]).unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    let map = Map::new(&File::open(&path).unwrap()).unwrap().unwrap();
    let other = Map::new(&File::open(&path).unwrap()).unwrap().unwrap();
    let mut buffer = vec![0; 2 * PAGE];
    assert!(map.copy(6 * PAGE as u64, &mut buffer) && buffer == vec![7; 2 * PAGE]);

    file.set_len(7 * PAGE as u64).unwrap();
    assert!(!map.copy(6 * PAGE as u64, &mut buffer), "the last page is gone");
    assert!(!map.copy(0, &mut buffer), "a broken map stays broken");
    assert!(other.copy(0, &mut buffer) && buffer == vec![7; 2 * PAGE], "and no other is");

    // Its window serves again, for another file.
    drop(map);
    let again = Map::new(&File::open(&path).unwrap()).unwrap().unwrap();
    buffer.fill(0);
    assert!(again.copy(5 * PAGE as u64, &mut buffer) && buffer == vec![7; 2 * PAGE]);
}

#[test]
fn a_reader_meets_the_new_end_of_a_file_that_was_cut_off() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().unwrap();
    let (file, reader) = mapped(&dir, 8);
    let mut buffer = vec![0; 8 * PAGE];
    assert_eq!(reader.read_at(0, &mut buffer).unwrap(), 8 * PAGE);
    file.set_len(3 * PAGE as u64).unwrap();
    assert_eq!(reader.read_at(PAGE as u64, &mut buffer).unwrap(), 2 * PAGE);
    assert_eq!((buffer[0], buffer[PAGE]), (2, 3));
    assert_eq!(reader.read_at(5 * PAGE as u64, &mut buffer).unwrap(), 0);
    assert_eq!(reader.size().unwrap(), 3 * PAGE as u64);
    fill(&file, 8);
    assert_eq!(reader.read_at(5 * PAGE as u64, &mut buffer).unwrap(), 3 * PAGE, "it grew again");
    assert_eq!((buffer[0], buffer[PAGE]), (6, 7));
}

#[test]
fn a_file_that_grows_is_read_to_its_end() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().unwrap();
    let (file, reader) = mapped(&dir, 0);
    let mut buffer = [0; PAGE];
    for page in 0..50 {
        let offset = u64::from(page) * PAGE as u64;
        assert_eq!(reader.read_at(offset, &mut buffer).unwrap(), 0);
        file.write_all_at(&[page + 1; 100], offset).unwrap();
        assert_eq!(reader.read_at(offset, &mut buffer).unwrap(), 100);
        assert_eq!(buffer[..100], [page + 1; 100]);
        file.write_all_at(&[page + 1; PAGE], offset).unwrap();
    }
    assert!(reader.map.as_ref().is_some_and(|map| map.copy(0, &mut buffer)), "by the map");
}

/// A file is cut off and written again, over and over, while four threads read it. What they find is
/// a page as it was written, with zeros behind it where the page was being made, or the end.
#[test]
fn many_threads_read_while_the_file_is_cut_off_and_grows() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().unwrap();
    let (file, _) = mapped(&dir, 64);
    let (done, broken) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for first in 0..4_u8 {
            let (dir, done, broken) = (&dir, &done, &broken);
            scope.spawn(move || {
                let files = OsFiles::open(dir.path()).unwrap();
                let mut buffer = vec![0; 4 * PAGE];
                while !done.load(Ordering::Relaxed) {
                    // A reader's map breaks once: a fresh one each round.
                    let reader = MappedReader::open(&files, "file").unwrap();
                    for page in (first..60).step_by(4) {
                        buffer.fill(0xff);
                        let offset = u64::from(page) * PAGE as u64;
                        let read = reader.read_at(offset, &mut buffer).unwrap();
                        for (at, byte) in buffer[..read].iter().enumerate() {
                            let should = usize::from(page) + at / PAGE + 1;
                            assert!(*byte == 0 || usize::from(*byte) == should, "{page} {at}");
                        }
                    }
                    let whole = reader.map.as_ref().is_some_and(|map| map.copy(0, &mut []));
                    broken.fetch_add(u64::from(!whole), Ordering::Relaxed);
                }
            });
        }
        // Until real signals have been met, however the threads are scheduled; within a bound that
        // only a handler which does not say so reaches.
        let mut rounds = 0_u32;
        while broken.load(Ordering::Relaxed) < 50 && rounds < 50_000 {
            rounds += 1;
            file.set_len(2 * PAGE as u64).unwrap();
            thread::yield_now();
            fill(&file, 64);
            thread::yield_now();
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(broken.into_inner() >= 50, "no signal was met");
}

#[test]
fn where_all_windows_are_taken_a_reader_goes_without() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().unwrap();
    let (_file, reader) = mapped(&dir, 2);
    let os_file = File::open(dir.path().join("file")).unwrap();
    let mut maps = vec![];
    while let Some(map) = Map::new(&os_file).unwrap() {
        maps.push(map);
    }
    assert_eq!(maps.len(), arena::WINDOWS - 1);
    let without = MappedReader::open(&OsFiles::open(dir.path()).unwrap(), "file").unwrap();
    assert!(without.map.is_none() && reader.map.is_some());
    let mut buffer = [0; 2 * PAGE];
    assert_eq!(without.read_at(0, &mut buffer).unwrap(), 2 * PAGE);
    assert_eq!((buffer[0], buffer[PAGE]), (1, 2));
    maps.pop();
    assert!(Map::new(&os_file).unwrap().is_some(), "a window that was given back");
}

/// Starts this test again, in a process of its own.
fn child(test: &str, role: &str) -> ExitStatus {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", &format!("system::map::tests::{test}"), "--nocapture"])
        .env(CHILD, role)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap()
}

/// A map that is not ours, read behind the end of its file.
fn foreign_fault() {
    let file = tempfile::tempfile().unwrap();
    (&file).write_all(b"x").unwrap();
    // SAFETY: the system chooses the address. Reading there raises a signal, which is the test.
    unsafe {
        let flags = libc::MAP_SHARED;
        let map =
            libc::mmap(ptr::null_mut(), 2 * PAGE, libc::PROT_READ, flags, file.as_raw_fd(), 0);
        assert_ne!(map, libc::MAP_FAILED);
        map.cast::<u8>().add(PAGE).read_volatile();
    }
}

/// Provokes a signal of ours, which is caught.
fn own_fault() {
    let dir = tempfile::tempdir().unwrap();
    let (file, reader) = mapped(&dir, 4);
    let mut buffer = [0; PAGE];
    assert_eq!(reader.read_at(0, &mut buffer).unwrap(), PAGE);
    assert_eq!(reader.read_at(3 * PAGE as u64, &mut buffer).unwrap(), PAGE);
    file.set_len(0).unwrap();
    assert_eq!(reader.read_at(0, &mut buffer).unwrap(), 0);
    assert!(reader.map.as_ref().is_some_and(|map| !map.copy(0, &mut [])), "it was broken");
}

#[test]
fn any_other_signal_still_kills() {
    match env::var(CHILD).as_deref() {
        Ok("fault") => {
            own_fault();
            foreign_fault();
        }
        Ok("sent") => {
            default_action();
            own_fault();
            // SAFETY: sends a signal to the calling thread.
            unsafe { libc::raise(libc::SIGBUS) };
        }
        Ok(role) => panic!("{role}"),
        Err(_) => {
            for role in ["fault", "sent"] {
                let status = child("any_other_signal_still_kills", role);
                assert_eq!(status.signal(), Some(libc::SIGBUS), "{role}: {status}");
            }
        }
    }
}

fn default_action() {
    // SAFETY: sets the default action.
    unsafe { libc::signal(libc::SIGBUS, libc::SIG_DFL) };
}

extern "C" fn leave(_signal: libc::c_int) {
    // SAFETY: ends the process, as a handler may.
    unsafe { libc::_exit(42) };
}

extern "C" fn leave_told(
    _signal: libc::c_int,
    info: *mut libc::siginfo_t,
    _context: *mut libc::c_void,
) {
    // SAFETY: the system passes a `siginfo_t` that lives as long as the handler runs.
    unsafe { libc::_exit(if (*info).si_code > 0 { 43 } else { 44 }) };
}

#[test]
fn a_handler_that_was_there_gets_what_is_not_ours() {
    let test = "a_handler_that_was_there_gets_what_is_not_ours";
    let Ok(role) = env::var(CHILD) else {
        assert_eq!(child(test, "plain").code(), Some(42));
        assert_eq!(child(test, "told").code(), Some(43));
        return;
    };
    // SAFETY: a handler of the form that each flag asks for.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        let plain: extern "C" fn(libc::c_int) = leave;
        let told: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) = leave_told;
        (action.sa_sigaction, action.sa_flags) = match role.as_str() {
            "plain" => (plain as libc::sighandler_t, 0),
            _ => (told as libc::sighandler_t, libc::SA_SIGINFO),
        };
        assert_eq!(libc::sigaction(libc::SIGBUS, &raw const action, ptr::null_mut()), 0);
    }
    own_fault();
    foreign_fault();
}

#[test]
fn a_reader_can_be_shared() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().unwrap();
    let (_file, reader) = mapped(&dir, 16);
    let reader = Arc::new(reader);
    let threads: Vec<_> = (0..4_u8)
        .map(|first| {
            let reader = Arc::clone(&reader);
            thread::spawn(move || {
                let mut buffer = [0; PAGE];
                for page in (0..16).map(|page| (page + first) % 16) {
                    let offset = u64::from(page) * PAGE as u64;
                    assert_eq!(reader.read_at(offset, &mut buffer).unwrap(), PAGE);
                    assert_eq!(buffer, [page + 1; PAGE]);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}
