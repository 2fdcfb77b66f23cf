//! Segment files that are lost, copied, swapped, rolled back, or renamed by hand.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use wal::{ErrorKind, Lsn, Reader, SegmentId, Verdict};

use crate::policy::Policy;
use crate::records::{check, commit, in_memory, record};

const RECORDS: u64 = 45;

/// The files of a log, by their name.
type Files = BTreeMap<String, Vec<u8>>;

fn files(dir: &Path) -> Files {
    let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    paths.map(|path| (name(&path), fs::read(&path).unwrap())).collect()
}

fn put(files: &Files) -> TempDir {
    let dir = in_memory();
    for (name, bytes) in files {
        fs::write(dir.path().join(name), bytes).unwrap();
    }
    dir
}

fn name(segment: u64) -> String {
    format!("{segment:020}.wal")
}

fn has_extension(name: &str, extension: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found == extension)
}

/// The segments of these files and no others.
fn segments(files: &Files) -> Files {
    let segments = files.iter().filter(|(name, _)| has_extension(name, "wal"));
    segments.map(|(name, bytes)| (name.clone(), bytes.clone())).collect()
}

/// A log as it lies there at some moments of its life.
struct Written {
    policy: Policy,
    /// After a third of the records.
    earlier: Files,
    /// With all of them, as a kill of the process leaves it.
    killed: Files,
    /// The same, closed.
    closed: Files,
    newest: u64,
}

fn written(policy: Policy) -> Written {
    let dir = tempfile::tempdir().unwrap();
    let wal = policy.open(dir.path()).unwrap();
    let mut earlier = Files::new();
    for lsn in 1..=RECORDS {
        commit(&wal).unwrap();
        if lsn == RECORDS / 3 {
            earlier = files(dir.path());
        }
    }
    let killed = settled(dir.path());
    wal.close().unwrap();
    let closed = files(dir.path());
    let newest = segments(&killed).len() as u64;
    assert!(newest > 3, "{policy:?}: {newest} segments");
    Written { policy, earlier, killed, closed, newest }
}

/// The files once the thread that prepares the next segment has done so, or rests.
fn settled(dir: &Path) -> Files {
    let mut before = files(dir);
    loop {
        std::thread::yield_now();
        let now = files(dir);
        if now == before {
            return now;
        }
        before = now;
    }
}

/// What a look and an open say of these files.
#[derive(Debug, PartialEq)]
enum Said {
    /// The log is there, through this record.
    Through(u64),
    /// It is corrupt, in this segment.
    Corrupt(SegmentId),
}

/// Opens the log in these files. A look says the same as an open, and one that refuses deletes
/// nothing and changes nothing.
fn said(policy: Policy, files: &Files, context: &str) -> Said {
    let dir = put(files);
    let verified = Reader::open(dir.path()).unwrap().verify(|_| ()).unwrap();
    assert_eq!(segments(&self::files(dir.path())), segments(files), "{context}: a look");
    match policy.in_memory().open(dir.path()) {
        Ok(wal) => {
            // Damage in a segment that an open has no reason to read is found by who reads it.
            let last = wal.last_lsn().get();
            let first = wal.first_lsn();
            let entries = match wal.read_from(first) {
                Ok(entries) => entries,
                Err(error) => return refused(&error, &verified, context),
            };
            for (entry, lsn) in entries.zip(first.get()..) {
                match entry {
                    Ok(entry) => assert!(entry.payload == record(lsn), "{context}: LSN {lsn}"),
                    Err(error) => return refused(&error, &verified, context),
                }
            }
            // But for a seal that is not there, of which the next segment's header knows.
            let hurts = |it: &wal::parts::replay::Finding| {
                it.verdict == Verdict::Corrupt && !it.what.contains("no record is hurt")
            };
            assert!(!verified.findings.iter().any(hurts), "{context}: {verified:?}");
            assert_eq!(check(&wal, 0, context), last);
            Said::Through(last)
        }
        Err(error) => {
            assert_eq!(segments(&self::files(dir.path())), segments(files), "{context}: {error:?}");
            refused(&error, &verified, context)
        }
    }
}

fn refused(error: &wal::Error, verified: &wal::Verification, context: &str) -> Said {
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{context}: {error:?}");
    assert_eq!(verified.verdict, Verdict::Corrupt, "{context}: {error:?}, {verified:?}");
    let segment = error.at_segment().unwrap_or_else(|| panic!("{context}: {error:?}"));
    let found = verified.findings.iter().any(|finding| finding.segment == Some(segment));
    assert!(found, "{context}: {error:?}, {verified:?}");
    Said::Corrupt(segment)
}

/// Runs `body` over every policy, for the log as it was killed and as it was closed.
fn each(body: impl Fn(&Written, &Files, &str)) {
    for policy in Policy::ALL {
        let written = written(policy);
        for (how, files) in [("killed", &written.killed), ("closed", &written.closed)] {
            let context = format!("{policy:?}, {how}");
            assert_eq!(said(policy, files, &context), Said::Through(RECORDS));
            body(&written, files, &context);
        }
    }
}

#[test]
fn a_segment_that_vanished_is_named() {
    each(|written, files, context| {
        for segment in 1..=written.newest {
            let context = format!("{context}, without {segment}");
            let mut less = files.clone();
            less.remove(&name(segment)).unwrap();
            let said = said(written.policy, &less, &context);
            // The newest, too: the anchor knows that it was there.
            assert_eq!(said, Said::Corrupt(SegmentId::new(segment)), "{context}");
        }
    });
}

#[test]
fn a_segment_under_another_number_is_named() {
    each(|written, files, context| {
        for from in 1..=written.newest {
            for to in [from - 1, from + 1, 1, written.newest + 1, written.newest + 2] {
                if [0, from].contains(&to) {
                    continue;
                }
                let context = format!("{context}, {from} also as {to}");
                let mut more = files.clone();
                more.insert(name(to), files[&name(from)].clone());
                let said = said(written.policy, &more, &context);
                // A number that was left out is missed first.
                let named = [to, to - 1].map(|segment| Said::Corrupt(SegmentId::new(segment)));
                assert!(named.contains(&said), "{context}: {said:?}");
            }
        }
    });
}

#[test]
fn two_segments_that_were_swapped_are_named() {
    each(|written, files, context| {
        for one in 1..written.newest {
            for other in [one + 1, written.newest] {
                let context = format!("{context}, {one} and {other} swapped");
                let mut swapped = files.clone();
                swapped.insert(name(one), files[&name(other)].clone());
                swapped.insert(name(other), files[&name(one)].clone());
                let said = said(written.policy, &swapped, &context);
                let named = [one, other].map(|segment| Said::Corrupt(SegmentId::new(segment)));
                assert!(named.contains(&said), "{context}: {said:?}");
            }
        }
    });
}

/// Another log of the same records, kept in the same way: only who wrote it tells the two apart.
#[test]
fn a_segment_of_another_log_is_named() {
    each(|written, files, context| {
        let other = self::written(written.policy);
        for segment in 1..=written.newest + 1 {
            let context = format!("{context}, {segment} of another log");
            let mut mixed = files.clone();
            let foreign = &other.closed[&name(segment.min(other.newest))];
            mixed.insert(name(segment), foreign.clone());
            // Which of the two beside each other is the stranger cannot be told.
            let said = said(written.policy, &mixed, &context);
            let named = [segment, segment - 1, segment + 1];
            let named = named.map(|segment| Said::Corrupt(SegmentId::new(segment)));
            assert!(named.contains(&said), "{context}: {said:?}");
        }
    });
}

/// An open reads the newest segment and no other, and yet does not go on behind another log's: that
/// one would say where this log begins and how much of it counts.
#[test]
fn the_newest_segment_of_another_log_is_refused_by_an_open() {
    each(|written, files, context| {
        let mut other = self::written(written.policy).closed;
        assert_eq!(segments(&other).len() as u64, written.newest, "{context}");
        let newest = name(written.newest);
        refuses(written, files, &newest, &other[&newest], context);

        // By its word everything before itself was pruned, and is to be deleted.
        let dir = put(&other);
        let wal = written.policy.in_memory().open(dir.path()).unwrap();
        for _ in 0..RECORDS {
            commit(&wal).unwrap();
        }
        let last = wal.list_segments().unwrap().last().unwrap().id;
        wal.delete_segments_before(last).unwrap();
        wal.close().unwrap();
        other = self::files(dir.path());
        let newest = name(last.get());
        // A log of as many segments, so that the one before has the number that the newest names.
        let dir = put(files);
        let wal = written.policy.in_memory().open(dir.path()).unwrap();
        while wal.current_segment_id().is_none_or(|id| id < last) {
            commit(&wal).unwrap();
        }
        wal.close().unwrap();
        let long = self::files(dir.path());
        refuses(written, &long, &newest, &other[&newest], &format!("{context}, pruned"));
    });
}

/// Where the header before the newest is damaged, nobody can tell whether the newest follows it. The log
/// opens all the same, as it does with damage further back, so that it can be pruned.
#[test]
fn a_log_with_a_damaged_header_before_the_newest_opens_and_is_pruned() {
    each(|written, files, context| {
        let mut damaged = files.clone();
        damaged.get_mut(&name(written.newest - 1)).unwrap()[40] ^= 1;
        let dir = put(&damaged);
        let found = Reader::open(dir.path()).unwrap().verify(|_| ()).unwrap();
        assert_eq!(found.verdict, Verdict::Corrupt, "{context}");
        let wal = written.policy.in_memory().open(dir.path()).unwrap();
        assert_eq!(wal.last_lsn(), Lsn::new(RECORDS), "{context}");
        commit(&wal).unwrap();
        wal.delete_segments_before(SegmentId::new(written.newest)).unwrap();
        wal.close().unwrap();
        let found = Reader::open(dir.path()).unwrap().verify(|_| ()).unwrap();
        assert_eq!(found.verdict, Verdict::Clean, "{context}: {:?}", found.findings);
    });
}

/// With this newest segment the log is `Corrupt` to an open, which changes nothing, and to a look.
fn refuses(written: &Written, files: &Files, newest: &str, foreign: &[u8], context: &str) {
    let mut mixed = files.clone();
    mixed.insert(newest.to_owned(), foreign.to_vec());
    let dir = put(&mixed);
    let error = written.policy.in_memory().open(dir.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{context}: {error:?}");
    assert_eq!(error.at_segment().map(|id| name(id.get())).as_deref(), Some(newest), "{context}");
    assert_eq!(segments(&self::files(dir.path())), segments(&mixed), "{context}");
    let found = Reader::open(dir.path()).unwrap().verify(|_| ()).unwrap();
    assert_eq!(found.verdict, Verdict::Corrupt, "{context}");
}

/// As by a restore of some of the files only.
#[test]
fn a_segment_that_was_rolled_back_is_named_unless_it_is_the_newest() {
    each(|written, files, context| {
        let old = segments(&written.earlier);
        let newest = old.len() as u64;
        let context = format!("{context}, {newest} as it was");
        assert!(newest < written.newest, "{context}");
        let mut mixed = files.clone();
        mixed.insert(name(newest), old[&name(newest)].clone());
        assert_ne!(mixed, *files, "{context}");
        let said = said(written.policy, &mixed, &context);
        // An older copy may have lacked nothing but its seal.
        let whole = said == Said::Through(RECORDS);
        assert!(whole || said == Said::Corrupt(SegmentId::new(newest)), "{context}: {said:?}");
    });
    for policy in Policy::ALL {
        // The whole log as it was once is a log, and an older newest segment is a part of one.
        let written = written(policy);
        let said = said(policy, &segments(&written.earlier), &format!("{policy:?}"));
        assert_eq!(said, Said::Through(RECORDS / 3), "{policy:?}");
    }
}

/// What is no segment becomes none by its name: the log is whole, or says which one it cannot take.
#[test]
fn a_file_that_is_no_segment_is_not_taken_for_one() {
    for policy in [Policy::Recycled, Policy::Direct] {
        let dir = tempfile::tempdir().unwrap();
        let wal = policy.open(dir.path()).unwrap();
        for _ in 0..RECORDS {
            commit(&wal).unwrap();
        }
        let first = wal.prune_before(Lsn::new(RECORDS / 2)).unwrap();
        assert!(first > Lsn::FIRST, "{policy:?}");
        let files = settled(dir.path());
        wal.close().unwrap();
        let mut tried = 0;
        for spare in files.keys().filter(|name| name.starts_with("spare-")) {
            let newest = segments(&files).keys().map(|name| name[..20].parse().unwrap()).max();
            let newest: u64 = newest.unwrap();
            // A number that went, and the next one.
            for to in [1, newest + 1] {
                let context = format!("{policy:?}, {spare} as segment {to}");
                let mut renamed = files.clone();
                let bytes = renamed.remove(spare).unwrap();
                renamed.insert(name(to), bytes);
                let said = said(policy, &renamed, &context);
                let whole = said == Said::Through(RECORDS);
                assert!(whole || said == Said::Corrupt(SegmentId::new(to)), "{context}: {said:?}");
                tried += 1;
            }
        }
        assert!(tried > 0, "{policy:?}: {:?}", files.keys());
    }
}
