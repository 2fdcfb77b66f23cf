//! Readers that were made before the log was cut, or that look from outside while a writer prunes, cuts,
//! uses files again or opens the log: a sound log was called corrupt, or ended early without an error,
//! or gave what had been cut off.

use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;

use tempfile::TempDir;
use wal::parts::core::{Applied, Transform, TransformId};
use wal::parts::segment::MemoryStore;
use wal::{
    Config, Cursor, Error, ErrorKind, Lsn, Reader, Recycling, Retention, SegmentId, Strategy,
    Verdict, Wal,
};

/// What a kill of the writer would leave.
fn copied(dir: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        if !entry.file_name().to_string_lossy().starts_with("spare-") {
            fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
        }
    }
    copy
}

/// A cursor from before a truncation: what was cut off was damage to it, after it had given some of that.
#[test]
fn cursor_beside_cuts() {
    for before in [0, 3, 5, 9] {
        let dir = tempfile::tempdir().unwrap();
        let (wal, _) = Wal::builder(dir.path()).segment_size(64 << 10).open().unwrap();
        for _ in 0..60 {
            wal.append_durable([7; 500]).unwrap();
        }
        let mut cursor = wal.read_from(Lsn::FIRST).unwrap();
        let from_outside = Reader::open(dir.path()).unwrap().read_from(Lsn::FIRST).unwrap();
        let mut given: Vec<_> = cursor.by_ref().take(before).map(|it| it.unwrap().lsn).collect();
        wal.truncate_after(Lsn::new(5)).unwrap();
        let error = loop {
            match cursor.next() {
                Some(Ok(entry)) => given.push(entry.lsn),
                Some(Err(error)) => break error,
                None => panic!("{before}: an end without an error, behind {given:?}"),
            }
        };
        assert_eq!(error.kind(), ErrorKind::Changed, "{before}: {error:?}");
        let expected: Vec<_> = (1..=before.max(5) as u64).map(Lsn::new).collect();
        assert_eq!(given, expected, "{before}");
        let read: Result<Vec<_>, Error> = from_outside.collect();
        assert_eq!(read.unwrap().len(), 5, "{before}: all that there is");
        wal.close().unwrap();
    }
}

/// A reader in another process, while a writer opens the log and carries over what is in doubt: the
/// segment that is being read gets shorter, and that looked like the end of the log.
#[test]
fn cursor_beside_an_open_that_recovers() {
    let dir = tempfile::tempdir().unwrap();
    let (wal, _) = Wal::builder(dir.path()).strategy(Strategy::Os).open().unwrap();
    for n in 1..=60 {
        wal.append([7; 500]).unwrap();
        if n == 30 {
            wal.sync().unwrap();
        }
    }
    for before in [0, 10, 40, 60] {
        let killed = copied(dir.path());
        let reader = Reader::open(killed.path()).unwrap();
        let survey = reader.survey().unwrap().unwrap();
        let mut cursor = reader.read_chain(&survey.chain, Lsn::FIRST).unwrap();
        assert_eq!(cursor.by_ref().take(before).flatten().count(), before);
        let (recovered, recovery) = Wal::builder(killed.path()).open().unwrap();
        assert_eq!(survey.records(), recovery.valid_records);
        let rest: Result<Vec<_>, Error> = cursor.collect();
        let read = before as u64 + rest.unwrap().len() as u64;
        assert_eq!(read, recovery.valid_records, "{before} before the recovery");
        drop(recovered);
    }
}

/// `verify` beside a writer that prunes and rotates: the file that is read becomes another segment's, and
/// a sound log was called corrupt.
#[test]
fn verify_beside_recycling() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.segment_size = 4 << 20;
    config.recycling = Some(Recycling::Keep(1));
    let (wal, _) = Wal::builder(dir.path()).config(config).open().unwrap();
    let fill = |segments: u64| {
        let until = wal.current_segment_id().map_or(0, SegmentId::get) + segments;
        while wal.current_segment_id().map_or(0, SegmentId::get) < until {
            wal.append_durable(vec![7; 100_000]).unwrap();
        }
    };
    fill(4);
    let (mut once, mut visited) = (false, Vec::new());
    let found = Reader::open(dir.path()).unwrap().verify(|note| {
        visited.push((note.position.segment, note.position.offset));
        if note.position.segment.get() == 1 && note.header.first_lsn.get() == 3 && !once {
            once = true;
            wal.delete_segments_before(SegmentId::new(2)).unwrap();
            fill(2);
        }
    });
    let found = found.unwrap();
    assert!(once);
    assert_eq!((found.verdict, found.findings), (Verdict::Clean, Vec::new()));
    assert_eq!(found.first_lsn, wal.first_lsn());
    assert!(visited.is_sorted_by(|one, next| one < next), "each frame once, oldest first");
}

/// Which records were overruled by what, for readers that judge what they get. An entry has the number of
/// cuts that had begun when it was appended.
#[derive(Default)]
struct Truth {
    begun: AtomicU64,
    finished: Mutex<Vec<(u64, Lsn)>>,
    durable: AtomicU64,
    over: AtomicBool,
}

impl Truth {
    /// The cuts that have come to their end.
    fn cuts(&self) -> Vec<(u64, Lsn)> {
        self.finished.lock().unwrap().clone()
    }

    /// Reads this cursor to its end and judges it: nothing is there that one of these `cuts` overruled;
    /// `begun` cuts and `durable` are of before it was made.
    fn judge(
        &self,
        cursor: Cursor,
        cuts: &[(u64, Lsn)],
        begun: u64,
        durable: u64,
    ) -> Result<(), Error> {
        // A log of which everything was pruned ends before its first record.
        let (mut last, mut expected) = (cursor.next_lsn().previous().get(), None);
        for entry in cursor {
            let entry = entry?;
            assert!(expected.is_none_or(|lsn| lsn == entry.lsn), "{} in place", entry.lsn);
            let number =
                |at: usize| u64::from_le_bytes(entry.payload[at..at + 8].try_into().unwrap());
            let (generation, lsn) = (number(0), number(8));
            assert_eq!(lsn, entry.lsn.get());
            for &(cut, behind) in cuts {
                let overruled = generation < cut && entry.lsn > behind;
                assert!(!overruled, "LSN {lsn} of {generation} was cut off by {cut} ({behind})");
            }
            (last, expected) = (lsn, Some(entry.lsn.next()));
        }
        let undisturbed = begun == self.begun.load(SeqCst);
        assert!(!undisturbed || last >= durable, "ends with {last}, {durable} was durable");
        Ok(())
    }
}

/// What a reader may be told of a sound log.
fn may_be(error: &Error) {
    let kind = error.kind();
    assert!(matches!(kind, ErrorKind::NotFound | ErrorKind::Changed), "{error:?}");
}

/// Every kind of reader beside a writer that appends, prunes, cuts and closes and opens again.
#[test]
fn readers_beside_a_writer() {
    for seed in 1..=3 {
        let dir = tempfile::tempdir().unwrap();
        let truth = Truth::default();
        let wal = Mutex::new(Arc::new(open(dir.path())));
        println!("seed {seed}");
        thread::scope(|scope| {
            for kind in 0..4 {
                let (truth, wal, dir) = (&truth, &wal, dir.path());
                scope.spawn(move || {
                    loop {
                        let over = truth.over.load(SeqCst);
                        if let Err(error) = look(kind, dir, wal, truth) {
                            may_be(&error);
                        }
                        if over {
                            break;
                        }
                    }
                });
            }
            let wrote = scope.spawn(|| write(seed, dir.path(), &wal, &truth)).join();
            truth.over.store(true, SeqCst);
            wrote.unwrap();
        });
    }
}

fn open(dir: &Path) -> Wal {
    let mut config = Config::default();
    config.segment_size = 32 << 10;
    config.recycling = Some(Recycling::Keep(2));
    Wal::builder(dir).config(config).open().unwrap().0
}

fn look(kind: u32, dir: &Path, wal: &Mutex<Arc<Wal>>, truth: &Truth) -> Result<(), Error> {
    let (begun, durable) = (truth.begun.load(SeqCst), truth.durable.load(SeqCst));
    let reader = Reader::open(dir)?;
    match kind {
        0 => {
            let Some(survey) = reader.survey()? else { return Ok(()) };
            let cursor = reader.read_from(survey.chain.start.lsn)?;
            truth.judge(cursor, &truth.cuts(), begun, durable)
        }
        1 => {
            let wal = wal.lock().unwrap().clone();
            let durable = durable.min(wal.durable_lsn().get());
            let cursor = wal.read_from(wal.first_lsn())?;
            truth.judge(cursor, &truth.cuts(), begun, durable)
        }
        2 => {
            let found = reader.verify(|_| ())?;
            // A write under way may look torn.
            assert_ne!(found.verdict, Verdict::Corrupt, "{:?}", found.findings);
            Ok(())
        }
        _ => {
            let (copy, cuts) = (Arc::new(MemoryStore::new()), truth.cuts());
            reader.backup_to(copy.clone())?;
            let reader = Reader::with_store(copy);
            let Some(survey) = reader.survey()? else { return Ok(()) };
            truth.judge(reader.read_from(survey.chain.start.lsn)?, &cuts, begun, durable)
        }
    }
}

fn write(seed: u64, dir: &Path, shared: &Mutex<Arc<Wal>>, truth: &Truth) {
    let mut state = seed;
    let mut chance = |below: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for _ in 0..150 {
        let wal = shared.lock().unwrap().clone();
        match chance(12) {
            0 => drop(wal.retain(&Retention::all().at_most_segments(1 + chance(3))).unwrap()),
            1 => {
                let (first, last) = (wal.first_lsn().get(), wal.last_lsn().get());
                let behind = Lsn::new(last - chance((last + 1 - first).min(30) + 1));
                let cut = truth.begun.load(SeqCst) + 1;
                truth.durable.store(0, SeqCst);
                truth.begun.store(cut, SeqCst);
                wal.truncate_after(behind).unwrap();
                truth.finished.lock().unwrap().push((cut, behind));
            }
            2 => {
                wal.close().unwrap();
                drop(wal);
                let wal = open(dir);
                *shared.lock().unwrap() = Arc::new(wal);
            }
            _ => append(&wal, 1 + chance(20), truth),
        }
    }
    shared.lock().unwrap().close().unwrap();
}

fn append(wal: &Wal, records: u64, truth: &Truth) {
    let mut waiting = VecDeque::new();
    for _ in 0..records {
        let lsn = wal.last_lsn().next();
        let mut record = vec![0; 300];
        record[..8].copy_from_slice(&truth.begun.load(SeqCst).to_le_bytes());
        record[8..16].copy_from_slice(&lsn.get().to_le_bytes());
        assert_eq!(wal.append(record).unwrap(), lsn);
        waiting.push_back(wal.wait_for_lsn(lsn));
    }
    for wait in waiting {
        wait.wait().unwrap();
    }
    truth.durable.store(wal.durable_lsn().get(), SeqCst);
}

/// Turns every bit over, and is not at hand when the log is next opened.
#[derive(Debug)]
struct Turned;

impl Transform for Turned {
    fn id(&self) -> TransformId {
        TransformId(200)
    }

    fn apply(&self, body: &[u8], out: &mut Vec<u8>) -> wal::Result<Applied> {
        out.extend(body.iter().map(|byte| !byte));
        Ok(Applied::Stored)
    }

    fn undo(&self, stored: &[u8], _: usize, out: &mut Vec<u8>) -> wal::Result<()> {
        out.extend(stored.iter().map(|byte| !byte));
        Ok(())
    }
}

/// A cut inside a frame that went through a transform needs it. Where it is not at hand nothing is
/// changed, and so the log goes on: it was poisoned.
#[test]
fn a_truncation_that_changes_nothing_does_not_poison() {
    let dir = tempfile::tempdir().unwrap();
    let (wal, _) = Wal::builder(dir.path()).transform(Arc::new(Turned)).open().unwrap();
    wal.append_batch(["one", "two", "three"]).unwrap();
    wal.close().unwrap();
    let (wal, _) = Wal::builder(dir.path()).open().unwrap();
    let error = wal.truncate_after(Lsn::new(2)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
    wal.truncate_after(Lsn::new(3)).unwrap();
    assert_eq!(wal.append_durable("four").unwrap(), Lsn::new(4));
    wal.truncate_after(Lsn::new(3)).unwrap();
    assert_eq!(wal.append_durable("four").unwrap(), Lsn::new(4));
    wal.close().unwrap();
}

/// What has a segment's name and no header, and is as large as a sparse file can be, was read to its end
/// by each look at the log.
#[test]
fn a_stray_sparse_file_is_not_read_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let (wal, _) = Wal::builder(dir.path()).open().unwrap();
    wal.append_durable("one").unwrap();
    wal.close().unwrap();
    let stray = fs::File::create(dir.path().join("00000000000000000009.wal")).unwrap();
    // At the speed of memory this would take minutes.
    stray.set_len(1 << 40).unwrap();
    let error = Reader::open(dir.path()).unwrap().survey().unwrap_err();
    assert_eq!(error.at_segment(), Some(SegmentId::new(9)), "{error:?}");
    assert!(error.what().contains("begins with nothing but zeros"), "{error:?}");
}

/// A reader had been given all records of a segment, and read on to its seal, when the segment was pruned and
/// its file used again: what it read was no frame of that segment any more, and it was told that the log had
/// been cut, though it goes on in the next segment. Found by `stress`, seed 20261221, after 13 minutes.
#[test]
fn cursor_behind_the_last_record_of_a_segment_that_is_used_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.segment_size = 256 << 10;
    config.recycling = Some(Recycling::Keep(4));
    let (wal, _) = Wal::builder(dir.path()).config(config).open().unwrap();
    let fill = |segments: u64| {
        let until = wal.current_segment_id().map_or(0, SegmentId::get) + segments;
        while wal.current_segment_id().map_or(0, SegmentId::get) < until {
            wal.append_durable(vec![7; 30_000]).unwrap();
        }
    };
    fill(4);
    let first = |id: u64| {
        let segments = wal.list_segments().unwrap();
        segments.iter().find(|it| it.id.get() == id).unwrap().first_lsn
    };
    let (second, third) = (first(2), first(3));
    let reader = Reader::open(dir.path()).unwrap();
    let mut cursor = reader.read_from(second).unwrap().read_ahead(4096);
    for lsn in second.get()..third.get() {
        assert_eq!(cursor.next().unwrap().unwrap().lsn.get(), lsn);
    }
    let gone = fs::File::open(dir.path().join("00000000000000000002.wal")).unwrap();
    wal.delete_segments_before(SegmentId::new(3)).unwrap();
    let used_again = |file: &fs::File| {
        use std::os::unix::fs::FileExt;
        let mut number = [0; 8];
        file.read_exact_at(&mut number, 40).unwrap();
        u64::from_le_bytes(number) > 2
    };
    for _ in 0..8 {
        fill(1);
    }
    assert!(used_again(&gone), "the file of segment 2 was not used again");
    let next = cursor.next().unwrap();
    assert_eq!(next.unwrap().lsn, third);
    let last = cursor.last().unwrap().unwrap().lsn;
    assert!(last > third, "{last}");
}
