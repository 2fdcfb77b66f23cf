//! Pairs that lost acknowledged records, or stopped to open, with nothing wrong but one half.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use wal::parts::segment::{Ahead, FileStore, Mismatch, OnLoss, Preparation, Recycling, TeeStore};
use wal::{Lsn, Reader, Result, Wal};

/// Two directories.
struct Dirs(TempDir);

impl Dirs {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn half(&self, name: &str) -> Arc<FileStore> {
        Arc::new(FileStore::open(self.path(name)).unwrap())
    }

    fn pair(&self, on_loss: OnLoss) -> Arc<TeeStore> {
        Arc::new(TeeStore::open(self.half("a"), self.half("b"), on_loss).unwrap())
    }

    fn copy(&self, from: &str, to: &str) {
        fs::remove_dir_all(self.path(to)).ok();
        fs::create_dir_all(self.path(to)).unwrap();
        for file in fs::read_dir(self.path(from)).unwrap().map(std::result::Result::unwrap) {
            fs::copy(file.path(), self.path(to).join(file.file_name())).unwrap();
        }
    }

    /// How many records are in this half by itself.
    fn records(&self, name: &str) -> Result<usize> {
        let reader = Reader::with_store(self.half(name));
        let all = reader.read_from(Lsn::FIRST)?.collect::<Result<Vec<_>>>()?;
        Ok(all.len())
    }
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn segment(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:020}.wal"))
}

/// The first half's disk was replaced, and its directory restored from last night's copy: the pair opened
/// without a word with 50 of 550 records, and cut the second half to last night. The first half won
/// whatever it was.
#[test]
fn tee_restored() -> Result<()> {
    for stale in ["a", "b"] {
        for on_loss in [OnLoss::Fail, OnLoss::GoOn] {
            let dirs = Dirs::new();
            let open = |on_loss| Wal::with_store(dirs.pair(on_loss)).segment_size(64 << 10).open();
            let write = |count: u32| -> Result<()> {
                let wal = open(OnLoss::Fail)?.0;
                for _ in 0..count {
                    wal.append_durable(vec![7; 10_000])?;
                }
                wal.close()
            };
            write(50)?;
            dirs.copy(stale, "last-night");
            write(150)?;
            dirs.copy("last-night", stale);

            match TeeStore::open(dirs.half("a"), dirs.half("b"), on_loss) {
                // The half lacks a life of the pair: its marks say so.
                Err(error) => {
                    assert_eq!(on_loss, OnLoss::Fail);
                    assert!(matches!(Mismatch::of(&error), Some(Mismatch::Behind(_))), "{error}");
                    let good = if stale == "a" { "b" } else { "a" };
                    TeeStore::rebuild(&*dirs.half(good), &*dirs.half(stale)).unwrap();
                }
                Ok(store) => assert!(store.lost().is_some(), "{on_loss:?}"),
            }
            let (wal, _) = open(on_loss)?;
            assert_eq!(wal.last_lsn(), Lsn::new(200), "{stale}, {on_loss:?}");
        }
    }
    Ok(())
}

/// As [`tee_restored`], from a copy of the same life, which no mark tells: the half that is whole wins, and
/// the other one is healed. A reader without the lock is shown the good half, too.
#[test]
fn tee_restored_from_a_copy_of_the_same_life() -> Result<()> {
    for (stale, closed) in [("a", true), ("b", true), ("a", false), ("b", false)] {
        let dirs = Dirs::new();
        let open = || Wal::with_store(dirs.pair(OnLoss::Fail)).segment_size(64 << 10).open();
        let wal = open()?.0;
        for number in 0..200 {
            wal.append_durable(vec![7; 10_000])?;
            if number == 50 {
                dirs.copy(stale, "a-moment-ago");
            }
        }
        if closed {
            wal.close()?;
        }
        drop(wal);
        dirs.copy("a-moment-ago", stale);
        let (wal, _) = open()?;
        assert_eq!(wal.last_lsn(), Lsn::new(200), "{stale}, closed: {closed}");
        wal.close()?;
        drop(wal);
        for half in ["a", "b"] {
            assert_eq!(dirs.records(half)?, 200, "{half} of a stale {stale}");
        }
    }
    Ok(())
}

/// One bit of the first half rotted, within its last two segments: what a crash leaves, the pair thought,
/// and copied it over the good half. Both were damaged afterwards, and nothing was said.
#[test]
fn tee_flip() -> Result<()> {
    for rotten in ["a", "b"] {
        for byte in [100, 4096 + 20, 50_000, 101_000] {
            let dirs = Dirs::new();
            let open = || Wal::with_store(dirs.pair(OnLoss::GoOn)).open();
            let wal = open()?.0;
            for _ in 0..10 {
                wal.append_durable(vec![7; 10_000])?;
            }
            wal.close()?; // Sealed: in both halves, all of it.
            drop(wal);
            let path = segment(&dirs.path(rotten), 1);
            flip(&path, byte);
            let damaged = fs::read(&path).unwrap();

            let (wal, recovery) = open()?;
            let place = format!("byte {byte} of {rotten}");
            assert_eq!((recovery.valid_records, recovery.torn_at), (10, None), "{place}");
            wal.close()?;
            drop(wal);
            for half in ["a", "b"] {
                assert_eq!(dirs.records(half)?, 10, "{half}, {place}");
            }
            // What was replaced is kept, and given back.
            let half = dirs.half(rotten);
            let kept = TeeStore::kept(&*half).unwrap();
            assert_eq!(kept.len(), 1, "{place}");
            let mut bytes = vec![0; damaged.len()];
            let reader = TeeStore::open_kept(&*half, &kept[0]).unwrap();
            assert_eq!(reader.read_at(0, &mut bytes).unwrap(), damaged.len(), "{place}");
            assert!(bytes == damaged, "{place}");
            TeeStore::discard_kept(&*half).unwrap();
            assert_eq!(TeeStore::kept(&*half).unwrap(), [], "{place}");
        }
    }
    Ok(())
}

/// The same in a log of several segments that was not closed: frames behind it, and the successors,
/// vouch for what rotted.
#[test]
fn tee_flip_in_any_segment() -> Result<()> {
    for (rotten, number) in
        ["a", "b"].into_iter().flat_map(|half| [(half, 1), (half, 2), (half, 3)])
    {
        let dirs = Dirs::new();
        let open = || Wal::with_store(dirs.pair(OnLoss::Fail)).segment_size(64 << 10).open();
        let wal = open()?.0;
        for _ in 0..15 {
            wal.append_durable(vec![7; 10_000])?;
        }
        drop(wal);
        flip(&segment(&dirs.path(rotten), number), 6000);
        let (wal, _) = open()?;
        assert_eq!(wal.last_lsn(), Lsn::new(15), "segment {number} of {rotten}");
        let all = wal.read_from(Lsn::FIRST)?.collect::<Result<Vec<_>>>()?;
        assert_eq!(all.len(), 15, "segment {number} of {rotten}");
    }
    Ok(())
}

/// Rot in both halves, in different segments: neither is whole, nothing is changed, and no record is
/// lost without a word.
#[test]
fn rot_in_both_halves_is_refused() -> Result<()> {
    let dirs = Dirs::new();
    let wal = Wal::with_store(dirs.pair(OnLoss::Fail)).segment_size(64 << 10).open()?.0;
    for _ in 0..15 {
        wal.append_durable(vec![7; 10_000])?;
    }
    wal.close()?;
    drop(wal);
    let paths = [segment(&dirs.path("a"), 1), segment(&dirs.path("b"), 2)];
    for path in &paths {
        flip(path, 6000);
    }
    let before = paths.each_ref().map(|path| fs::read(path).unwrap());
    let store = dirs.pair(OnLoss::GoOn);
    let error = wal_core::SegmentStore::lock(&*store).unwrap_err();
    assert!(matches!(Mismatch::of(&error), Some(Mismatch::Damaged(_))), "{error}");
    assert!(paths.each_ref().map(|path| fs::read(path).unwrap()) == before);
    Ok(())
}

/// Two halves that keep files of removed segments, healthy all the time: the pair stopped opening in its
/// third life, since bytes of former lives behind the end differed.
#[test]
fn tee_recycled() -> Result<()> {
    for second in [Recycling::Keep(1), Recycling::Off] {
        let dirs = Dirs::new();
        let half = |name: &str, keep: Recycling| {
            let store = FileStore::open(dirs.path(name)).unwrap();
            Arc::new(store.recycling(keep).ahead(Ahead::Never))
        };
        let pair = || {
            let halves = (half("a", Recycling::Keep(2)), half("b", second));
            Arc::new(TeeStore::open(halves.0, halves.1, OnLoss::Fail).unwrap())
        };
        let mut acknowledged = 0;
        for life in 0..6_usize {
            let (wal, _) = Wal::with_store(pair()).segment_size(256 << 10).open()?;
            assert_eq!(wal.last_lsn().get(), acknowledged, "life {life}, {second:?}");
            for n in 0..60_usize {
                let size = 20_000 + (n * 7919 + life * 131) % 40_000;
                let byte = u8::try_from(n % 251).unwrap() + 1;
                acknowledged = wal.append_durable(vec![byte; size])?.get();
                if n % 12 == 11 && acknowledged > 40 {
                    wal.prune_before(Lsn::new(acknowledged - 30))?;
                }
            }
            // Every other one is killed.
            if life % 2 == 0 {
                wal.close()?;
            }
        }
    }
    Ok(())
}

/// Half b rotted in files that had been used before; it was made anew from half a, said Ok, and the pair
/// stayed refused: a longer file had been used again, and not been cut.
#[test]
fn tee_rebuild_never() -> Result<()> {
    let dirs = Dirs::new();
    let a = || Arc::new(FileStore::open(dirs.path("a")).unwrap().preparation(Preparation::None));
    let b = || Arc::new(FileStore::open(dirs.path("b")).unwrap().recycling(Recycling::Keep(4)));
    let open = || {
        let store = TeeStore::open(a(), b(), OnLoss::Fail).unwrap();
        Wal::with_store(Arc::new(store)).segment_size(256 << 10).open()
    };
    let (wal, _) = open()?;
    for n in 0..60_usize {
        let byte = u8::try_from(n).unwrap() + 1;
        wal.append_durable(vec![byte; 20_000 + n * 7919 % 40_000])?;
    }
    wal.close()?;
    drop(wal);
    for round in 0..3 {
        for number in 1..=4 {
            flip(&segment(&dirs.path("b"), number), 5000);
        }
        TeeStore::rebuild(&*a(), &*b()).unwrap();
        assert_eq!(dirs.records("b")?, 60, "round {round}");
        let (wal, recovery) = open()?;
        assert_eq!((recovery.valid_records, recovery.torn_at), (60, None), "round {round}");
        wal.close()?;
    }
    Ok(())
}

/// The anchor of one half is rotten in both its slots: the pair could not be healed, for nothing was
/// written where the anchor could not be read. Where it is somebody's text, it is named, and nothing is
/// changed; with it moved away, the pair is healed.
#[test]
fn tee_garbage_in_one_anchor() -> Result<()> {
    for half in ["a", "b"] {
        let dirs = Dirs::new();
        let open = || Wal::with_store(dirs.pair(OnLoss::Fail)).segment_size(64 << 10).open();
        let (wal, _) = open()?;
        for _ in 0..20 {
            wal.append_durable(vec![7; 10_000])?;
        }
        wal.close()?;
        drop(wal);
        let anchor = dirs.path(half).join("ANCHOR");
        flip(&anchor, 100);
        flip(&anchor, 4096 + 100);
        let (wal, recovery) = open()?;
        assert_eq!(recovery.valid_records, 20, "{half}");
        wal.close()?;
        drop(wal);
        assert_eq!(dirs.records(half)?, 20, "{half}");

        fs::write(&anchor, "a text of somebody's").unwrap();
        let error = open().map(drop).unwrap_err();
        assert!(error.report().contains("ANCHOR"), "{half}: {}", error.report());
        assert_eq!(fs::read(&anchor).unwrap(), b"a text of somebody's");
        fs::remove_file(&anchor).unwrap();
        let (wal, recovery) = open()?;
        assert_eq!(recovery.valid_records, 20, "{half}");
        wal.close()?;
    }
    Ok(())
}
