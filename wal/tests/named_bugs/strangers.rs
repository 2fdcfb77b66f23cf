//! Files that the log did not make, or that somebody has changed: on a real file system, since it is
//! directories, links and locks that are about.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use wal::parts::segment::{FileStore, Recycling};
use wal::{ErrorKind, Lsn, Reader, Result, Verdict, Wal};

use std::sync::Arc;

const TEXT: &[u8] = b"notes of a person\n";

fn dir() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn try_open(dir: &Path) -> Result<Wal> {
    Wal::builder(dir).segment_size(16 * 1024).open().map(|(wal, _)| wal)
}

fn record(number: u64) -> Vec<u8> {
    format!("{number:0900}").into_bytes()
}

/// Commits so many records more, each by its number.
fn commit(wal: &Wal, records: u64) -> Result<()> {
    for _ in 0..records {
        let lsn = wal.append(record(wal.last_lsn().next().get()))?;
        wal.wait_for_lsn(lsn).wait()?;
    }
    Ok(())
}

/// A life of the log: so many records, and a close.
fn life(dir: &Path, records: u64) {
    let wal = try_open(dir).unwrap();
    commit(&wal, records).unwrap();
    wal.close().unwrap();
}

fn segment(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:020}.wal"))
}

/// The segments there are, by their number.
fn segments(dir: &Path) -> Vec<u64> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
    let number = |name: String| name.strip_suffix(".wal")?.parse().ok();
    let mut numbers: Vec<_> =
        names.filter_map(|name| number(name.into_string().unwrap())).collect();
    numbers.sort_unstable();
    numbers
}

fn newest(dir: &Path) -> PathBuf {
    segment(dir, *segments(dir).last().unwrap())
}

/// Records 1 to n, each as it was written.
fn holds(dir: &Path, records: u64) {
    let wal = try_open(dir).unwrap();
    let entries: Vec<_> = wal.read_from(Lsn::FIRST).unwrap().map(Result::unwrap).collect();
    assert_eq!(entries.len() as u64, records);
    for (number, entry) in (1..).zip(&entries) {
        assert_eq!((entry.lsn.get(), &entry.payload[..]), (number, &record(number)[..]));
    }
    wal.close().unwrap();
}

/// It does not open, says that it is damaged, and what is there stays as it is.
fn is_damaged_and_left_alone(dir: &Path) {
    let contents = || -> Vec<_> {
        let numbers = segments(dir).into_iter();
        numbers.map(|number| (number, fs::read(segment(dir, number)).ok())).collect()
    };
    let before = contents();
    for _ in 0..2 {
        let error = try_open(dir).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert_eq!(contents(), before);
    }
    // Looked at without the lock it is no better.
    let verdict = Reader::open(dir).and_then(|reader| reader.verify(|_| ()));
    if let Ok(verification) = verdict {
        assert_ne!(verification.verdict, Verdict::Clean);
    }
}

/// The name of the next segment was taken, by a link or by a second writer's segment: the failed
/// `create` removed it, as if it had made it, and acknowledged records went with it. Found on this
/// log by trying (F1); whatever fails, only what the handle made goes.
#[test]
fn f1_what_has_the_next_name_is_left_alone() {
    let dir = dir();
    let wal = try_open(dir.path()).unwrap();
    commit(&wal, 3).unwrap();
    let next = segments(dir.path()).last().unwrap() + 1;
    // Also where one was prepared under it.
    for number in next..next + 3 {
        fs::write(segment(dir.path(), number), TEXT).unwrap();
    }
    let failed = commit(&wal, 60);
    let kept = wal.durable_lsn().get();
    drop((failed, wal.close()));
    drop(wal);
    for number in next..next + 3 {
        assert_eq!(fs::read(segment(dir.path(), number)).unwrap(), TEXT, "segment {number}");
        fs::remove_file(segment(dir.path(), number)).unwrap();
    }
    let wal = try_open(dir.path()).unwrap();
    assert!(wal.last_lsn().get() >= kept);
}

/// LOCK was removed, or another file moved over it, by a script that clears lock files: a second
/// writer came in, and what the first one acknowledged from then on was gone, with both of them at
/// ease (F2). The lock is the directory's.
#[test]
fn f2_a_lock_file_that_is_gone_lets_nobody_in() {
    let ways: [fn(&Path); 2] = [
        |lock| fs::remove_file(lock).unwrap(),
        |lock| {
            fs::write(lock.with_extension("x"), "").unwrap();
            fs::rename(lock.with_extension("x"), lock).unwrap();
        },
    ];
    for take in ways {
        let dir = dir();
        let wal = try_open(dir.path()).unwrap();
        commit(&wal, 3).unwrap();
        take(&dir.path().join("LOCK"));
        let second = try_open(dir.path()).unwrap_err();
        assert_eq!(second.kind(), ErrorKind::Locked, "{second}");
        let more = commit(&wal, 40).map_or(0, |()| 40);
        let durable = wal.durable_lsn().get();
        assert!(more == 0 || durable == 43);
        drop(wal.close());
        drop(wal);
        let wal = try_open(dir.path()).unwrap();
        assert!(wal.last_lsn().get() >= durable, "acknowledged records are gone");
    }
}

/// A copy put back into a directory that was not emptied: every segment with a number below the
/// newest that was not in the chain counted as dead, and the next open deleted it (F3).
#[test]
fn f3_segments_of_another_log_are_named_and_left() {
    let (ours, theirs) = (dir(), dir());
    life(theirs.path(), 120);
    life(ours.path(), 3);
    let number = segments(theirs.path()).into_iter().nth(2).unwrap();
    // Below our newest, and above it.
    for _ in 0..4 {
        life(ours.path(), 1);
    }
    let last = *segments(ours.path()).last().unwrap();
    for (nth, under) in [last + 1, last + 7].into_iter().enumerate() {
        fs::copy(segment(theirs.path(), number), segment(ours.path(), under)).unwrap();
        let bytes = fs::read(segment(ours.path(), under)).unwrap();
        let opened = try_open(ours.path());
        assert!(opened.is_err(), "opened beside another log's segment, the {nth}th");
        assert_eq!(fs::read(segment(ours.path(), under)).unwrap(), bytes);
        fs::remove_file(segment(ours.path(), under)).unwrap();
    }
    holds(ours.path(), 7);
}

/// As [`f3_segments_of_another_log_are_named_and_left`], with numbers that ours has pruned.
#[test]
fn f3_segments_of_another_log_are_not_obsolete_ones() {
    let (ours, theirs) = (dir(), dir());
    life(theirs.path(), 60);
    let wal = try_open(ours.path()).unwrap();
    commit(&wal, 120).unwrap();
    wal.prune_before(Lsn::new(100)).unwrap();
    wal.close().unwrap();
    drop(wal);
    let first = segments(ours.path())[0];
    assert!(first > 1, "nothing was pruned");
    fs::copy(segment(theirs.path(), 1), segment(ours.path(), 1)).unwrap();
    let bytes = fs::read(segment(ours.path(), 1)).unwrap();
    let wal = try_open(ours.path());
    drop(wal.map(|wal| wal.close()));
    assert_eq!(fs::read(segment(ours.path(), 1)).unwrap(), bytes, "another log's segment is gone");
}

/// The newest segment was emptied, cut to less than a header, zeroed, or a foreign file: "an
/// interrupted beginning, nothing is lost with it", three acknowledged records were gone, and the next
/// open deleted the file (F4). A segment gets its name when its header is durable.
#[test]
fn f4_an_emptied_newest_segment_is_damage() {
    type Spoils = fn(&Path);
    let ways: [Spoils; 4] = [
        |path| fs::write(path, b"").unwrap(),
        |path| fs::OpenOptions::new().write(true).open(path).unwrap().set_len(100).unwrap(),
        |path| fs::write(path, vec![0; fs::read(path).unwrap().len()]).unwrap(),
        |path| fs::write(path, TEXT).unwrap(),
    ];
    for spoil in ways {
        let dir = dir();
        life(dir.path(), 3);
        life(dir.path(), 3);
        spoil(&newest(dir.path()));
        is_damaged_and_left_alone(dir.path());
    }
}

/// A segment was moved to another disk and linked: it was not listed, the log was "clean" and empty,
/// and a new one began at LSN 1 (F5). Links are followed.
#[test]
fn f5_links_to_segments_are_followed() {
    let (dir, elsewhere) = (dir(), dir_elsewhere());
    life(dir.path(), 40);
    let moved: Vec<_> = segments(dir.path());
    for number in moved {
        let to = segment(elsewhere.path(), number);
        fs::copy(segment(dir.path(), number), &to).unwrap();
        fs::remove_file(segment(dir.path(), number)).unwrap();
        symlink(&to, segment(dir.path(), number)).unwrap();
    }
    let seen = Reader::open(dir.path()).unwrap().verify(|_| ()).unwrap();
    assert_eq!((seen.verdict, seen.last_lsn), (Verdict::Clean, Lsn::new(40)));
    holds(dir.path(), 40);
}

fn dir_elsewhere() -> tempfile::TempDir {
    dir()
}

/// A link that leads nowhere is a segment that is missing, and no empty log.
#[test]
fn f5_a_dangling_link_is_no_empty_log() {
    let dir = dir();
    life(dir.path(), 3);
    for number in segments(dir.path()) {
        fs::remove_file(segment(dir.path(), number)).unwrap();
        symlink("nowhere", segment(dir.path(), number)).unwrap();
    }
    assert!(try_open(dir.path()).is_err());
    let verdict = Reader::open(dir.path()).and_then(|reader| reader.verify(|_| ()));
    assert!(verdict.is_err() || verdict.unwrap().verdict != Verdict::Clean);
    assert!(segments(dir.path()).iter().all(|number| segment(dir.path(), *number).is_symlink()));
}

/// A snapshot made of hard links was overwritten: pruned files were used again, whatever other
/// names they had (F6).
#[test]
fn f6_a_hard_linked_snapshot_is_left_alone() {
    let (dir, snapshot) = (dir(), dir_elsewhere());
    let store = FileStore::open(dir.path()).unwrap().recycling(Recycling::Keep(2));
    let (wal, _) = Wal::with_store(Arc::new(store)).segment_size(16 * 1024).open().unwrap();
    commit(&wal, 100).unwrap();
    let sealed: Vec<_> = {
        let all = segments(dir.path());
        all[..all.len() - 2].to_vec()
    };
    assert!(sealed.len() >= 3, "too few segments");
    let linked: Vec<_> = sealed
        .iter()
        .map(|&number| {
            fs::hard_link(segment(dir.path(), number), segment(snapshot.path(), number)).unwrap();
            fs::read(segment(snapshot.path(), number)).unwrap()
        })
        .collect();
    wal.prune_before(wal.last_lsn()).unwrap();
    commit(&wal, 100).unwrap();
    wal.close().unwrap();
    for (number, bytes) in sealed.iter().zip(&linked) {
        let now = fs::read(segment(snapshot.path(), *number)).unwrap();
        assert!(now == *bytes, "segment {number} of the snapshot has changed");
    }
}

/// A copy put aside as `N.old` was the remains of a recycling to the next open, which deleted it,
/// and it may be the only one (F8). So it was with `N.new`.
#[test]
fn f8_what_a_person_put_aside_is_left_alone() {
    let dir = dir();
    life(dir.path(), 30);
    let aside: Vec<_> = ["old", "new", "bak", "wal~", "tmp"]
        .map(|ending| segment(dir.path(), 1).with_extension(ending))
        .into_iter()
        .chain([dir.path().join("spare-1.tmp"), dir.path().join("LOCK.old")])
        .collect();
    for path in &aside {
        fs::copy(segment(dir.path(), 1), path).unwrap();
    }
    let bytes = fs::read(segment(dir.path(), 1)).unwrap();
    for _ in 0..2 {
        life(dir.path(), 30);
        for path in &aside {
            assert!(fs::read(path).is_ok_and(|now| now == bytes), "{}", path.display());
        }
    }
    holds(dir.path(), 90);
}
