//! Recovery over arbitrary files.

use std::sync::Arc;

use wal::parts::core::{SegmentStore, TransformId};
use wal::parts::replay::Transforms;
use wal::{ErrorKind, Lsn, Reader, Recovery, Result, Strategy, Verdict, Wal};

use crate::files::{Image, SeenAs, image, store, unpack};
use crate::input::Input;
use crate::still::Still;
use crate::zero_runs::ZeroRuns;

/// LSNs further than this are not to be had in an honest log: a thousand years of a thousand
/// million records a second. Behind them nothing is appended.
const LAST_HONEST_LSN: u64 = u64::MAX / 2;

/// The files of a log, as anyone may have made them. Whatever they are:
///
/// - looking at them changes nothing, and neither does an open that is refused;
/// - a log that verifies opens, and reads to its end; one that is refused as corrupt does not verify;
/// - what one open reads, the next one reads; and where it verifies, after an append one record more,
///   after a truncation all records before it, after a pruning all records behind it.
///
/// Bodies may be what a transform made, or claim to be. Damage in there does not show in a checksum:
/// such a log may verify and not be readable to its end.
pub fn recovery(bytes: &[u8]) {
    recovery_over(bytes, &|store| store);
}

pub(crate) fn recovery_over(bytes: &[u8], seen_as: SeenAs<'_>) {
    let files = unpack(&mut Input::new(bytes));
    let store = seen_as(Arc::new(store(&files)));
    let Looked { verdict, reads } = look(&store);
    assert!(image(&*store) == files, "looking at a log changed it");

    let env = Arc::new(Still::default());
    let first = match open(&store, &env) {
        Ok(opened) => opened,
        Err(error) => {
            refused(&error, verdict, &files, &*store);
            return;
        }
    };
    let seen = Seen::of(&first.0, &first.1);
    let sound = verdict.is_some_and(|verdict| verdict != Verdict::Corrupt);
    if sound {
        let corrupt = seen.stopped == Some(ErrorKind::Corrupt);
        assert!(!corrupt || !reads, "it verified, was read, and does not read when it is open");
        if seen.stopped.is_none() {
            assert_eq!(seen.records.len() as u64, first.1.valid_records, "it verified: {seen:?}");
        }
    }
    drop(first);
    again(&store, &env, &seen);
    if sound && reads && seen.stopped.is_none() && seen.last.get() < LAST_HONEST_LSN {
        goes_on(&store, &env, &seen);
    }
}

/// What a log looks like that was not opened.
struct Looked {
    /// What verification says of it, if it says anything.
    verdict: Option<Verdict>,
    /// Whether all of it can be read.
    reads: bool,
}

fn look(store: &Arc<dyn SegmentStore>) -> Looked {
    let transforms = Transforms::new(vec![Arc::new(ZeroRuns)]);
    let reader = Reader::with_store(Arc::clone(store)).transforms(transforms);
    let mut transformed = false;
    let verified =
        reader.verify(|frame| transformed |= frame.header.transform != TransformId::NONE);
    let reads = |lsn| match reader.read_from(lsn) {
        Ok(mut entries) => entries.all(|entry| entry.is_ok()),
        Err(_) => false,
    };
    let mut readable = true;
    if let Ok(Some(survey)) = reader.survey() {
        readable = reads(survey.chain.start.lsn);
        for lsn in [survey.last_lsn(), Lsn::FIRST, Lsn::MAX] {
            let _ = reads(lsn);
        }
    }
    if let Ok(Some(chain)) = reader.prefix() {
        let _ = reader.read_chain(&chain, chain.start.lsn).map(Iterator::count);
    }
    let verdict = match verified {
        Ok(found) => {
            assert_eq!(found.findings.is_empty(), found.verdict == Verdict::Clean, "{found:?}");
            Some(found.verdict)
        }
        Err(error) => {
            assert_ne!(error.kind(), ErrorKind::Corrupt, "damage is a finding: {error:?}");
            None
        }
    };
    let sound = verdict.is_some_and(|verdict| verdict != Verdict::Corrupt);
    assert!(readable || transformed || !sound, "it verified, and does not read");
    Looked { verdict, reads: readable }
}

fn open(store: &Arc<dyn SegmentStore>, env: &Arc<Still>) -> Result<(Wal, Recovery)> {
    Wal::with_store(Arc::clone(store))
        .segment_size(16 * 1024)
        .also_reads(Arc::new(ZeroRuns))
        .strategy(Strategy::Sync)
        .env(Arc::clone(env) as _)
        .open()
}

fn refused(error: &wal::Error, verdict: Option<Verdict>, files: &Image, store: &dyn SegmentStore) {
    match error.kind() {
        ErrorKind::Corrupt => {
            assert!(verdict.is_none_or(|verdict| verdict == Verdict::Corrupt), "{error:?}");
            assert!(image(store) == *files, "a refused log was changed: {error:?}");
        }
        // Which every reader can read, and no writer goes on with.
        ErrorKind::Unsupported if error.what().contains("flushes are padded") => {}
        ErrorKind::Unsupported => {
            assert!(verdict.is_none_or(|verdict| verdict == Verdict::Corrupt), "{error:?}");
        }
        // Claims that no store can hold, and numbers with nothing behind them.
        ErrorKind::StorageFull | ErrorKind::Io => {}
        other => panic!("an open is refused as {other:?}: {error:?}"),
    }
}

/// What a reader sees of an open log.
#[derive(PartialEq, Eq)]
struct Seen {
    first: Lsn,
    last: Lsn,
    records: Vec<Vec<u8>>,
    /// Why the reading ended before the log did.
    stopped: Option<ErrorKind>,
}

impl Seen {
    fn of(wal: &Wal, recovery: &Recovery) -> Self {
        let (first, last) = (recovery.first_lsn, recovery.last_lsn);
        assert_eq!((wal.first_lsn(), wal.last_lsn()), (first, last));
        let mut seen = Self { first, last, records: Vec::new(), stopped: None };
        let mut entries = match wal.read_from(first) {
            Ok(entries) => entries,
            Err(error) => {
                seen.stopped = Some(error.kind());
                return seen;
            }
        };
        for entry in entries.by_ref() {
            match entry {
                Ok(entry) => {
                    assert_eq!(entry.lsn, first.plus(seen.records.len() as u64), "a gap");
                    seen.records.push(entry.payload.to_vec());
                }
                Err(error) => seen.stopped = Some(error.kind()),
            }
        }
        assert!(entries.next().is_none(), "a cursor goes on behind its end");
        let whole = seen.records.len() as u64 == last.since(first.previous());
        assert!(whole || seen.stopped.is_some(), "a log without some of its records: {seen:?}");
        seen
    }
}

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seen")
            .field("first", &self.first)
            .field("last", &self.last)
            .field("records", &self.records.len())
            .field("stopped", &self.stopped)
            .finish()
    }
}

/// The log opens once more, and holds what was seen.
fn again(store: &Arc<dyn SegmentStore>, env: &Arc<Still>, seen: &Seen) {
    let (wal, recovery) = open(store, env).expect("what has opened opens again");
    let now = Seen::of(&wal, &recovery);
    assert!(now == *seen, "a second open sees {now:?}, and the first saw {seen:?}");
}

/// The log takes a record, a truncation and a pruning, and keeps all else.
fn goes_on(store: &Arc<dyn SegmentStore>, env: &Arc<Still>, seen: &Seen) {
    let with_one_more = |wal: &Wal| wal.append(b"one more").map(|_| ());
    let Some(now) = after(store, env, &with_one_more) else { return };
    assert_eq!(now.records.last().map(Vec::as_slice), Some(&b"one more"[..]), "{now:?}");
    assert!(now.records[..now.records.len() - 1] == seen.records, "{now:?}, before {seen:?}");

    let kept = seen.records.len() / 2;
    let last = seen.first.plus(kept as u64).previous();
    let Some(now) = after(store, env, &|wal| wal.truncate_after(last)) else { return };
    assert!(now.records == seen.records[..kept], "{now:?} after {last}, before {seen:?}");

    let first = seen.first.plus(kept as u64 / 2);
    let Some(now) = after(store, env, &|wal| wal.prune_before(first).map(|_| ())) else { return };
    assert!((seen.first..=first).contains(&now.first), "{now:?}, pruned before {first}");
    assert!(seen.records[..kept].ends_with(&now.records), "{now:?}, before {seen:?}");
    assert_eq!(now.last, last);
}

/// What the next open sees after this call and a close.
fn after(
    store: &Arc<dyn SegmentStore>,
    env: &Arc<Still>,
    call: &dyn Fn(&Wal) -> Result<()>,
) -> Option<Seen> {
    let (wal, _) = open(store, env).expect("what has opened opens again");
    match call(&wal).and_then(|()| wal.close()) {
        Ok(()) => {}
        // Numbers of segments or bytes that an honest log never comes to.
        Err(error) if matches!(error.kind(), ErrorKind::Io | ErrorKind::StorageFull) => {
            return None;
        }
        Err(error) => panic!("the log does not go on: {error:?}"),
    }
    drop(wal);
    let (wal, recovery) = open(store, env).expect("what was closed opens");
    Some(Seen::of(&wal, &recovery))
}
