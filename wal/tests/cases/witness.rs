//! What counts as a witness of damage, and what as damage at all.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use wal::parts::core::format::{FrameHeader, HEADER_LEN, Identity, SegmentHeader};
use wal::parts::core::{Applied, Transform, TransformId};
use wal::parts::replay::Verdict;
use wal::parts::segment::{Ahead, FileStore, Preparation, Recycling};
use wal::{Config, ErrorKind, Lsn, Reader, Result, Strategy, Wal};
use wal_testkit::model::OnWait;
use wal_testkit::{CutChoice, Profile, SimDisk, SimFiles};

/// The files of a log while it is open, as a kill leaves them.
fn killed(dir: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}

fn first(dir: &TempDir) -> PathBuf {
    dir.path().join("00000000000000000001.wal")
}

fn crc(seed: u32, bytes: &[u8]) -> u32 {
    let mut crc = !seed;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
        }
    }
    !crc
}

/// A killed log of five records, each synced, and the places of its frames; the last frame is made one of
/// this kind and these flags, as a newer version may write it.
fn with_a_last_frame(kind: u8, flags: u16) -> (TempDir, Vec<usize>) {
    let dir = tempfile::tempdir().unwrap();
    let (wal, _) = Wal::builder(dir.path()).strategy(Strategy::Os).open().unwrap();
    for n in 1..=5 {
        wal.append(format!("record {n}")).unwrap();
        wal.sync().unwrap();
    }
    let copy = killed(dir.path());
    let mut bytes = fs::read(first(&copy)).unwrap();
    let identity = Identity::of(&SegmentHeader::decode(&bytes[..HEADER_LEN]).unwrap());
    let (mut at, mut frames) = (HEADER_LEN, Vec::new());
    while let Ok(header) = FrameHeader::decode(&bytes[at..], identity, at as u64) {
        frames.push(at);
        at += usize::try_from(header.frame_len()).unwrap();
    }
    let last = *frames.last().unwrap();
    bytes[last + 4] = kind;
    bytes[last + 6..last + 8].copy_from_slice(&flags.to_le_bytes());
    bytes[last + 8..last + 12].fill(0);
    let seed = crc(identity.get(), &(last as u64).to_le_bytes());
    let sum = crc(seed, &bytes[last..last + 44]);
    bytes[last + 44..last + 48].copy_from_slice(&sum.to_le_bytes());
    fs::write(first(&copy), &bytes).unwrap();
    (copy, frames)
}

/// Rot in this frame's body.
fn rot(dir: &TempDir, frame: usize) {
    let mut bytes = fs::read(first(dir)).unwrap();
    bytes[frame + 50] ^= 1;
    fs::write(first(dir), &bytes).unwrap();
}

/// A frame of a newer version behind damage said that what is damaged had been synced, and the damage was
/// called torn all the same, and cut together with that frame.
#[test]
fn unknown_kind_is_no_witness() {
    let (sound, frames) = with_a_last_frame(5, 0);
    let told = Reader::open(sound.path()).unwrap().survey().unwrap_err();
    assert_eq!(told.kind(), ErrorKind::Unsupported);
    rot(&sound, frames[3]);
    let found = Reader::open(sound.path()).unwrap().verify(|_| ()).unwrap();
    assert_eq!(found.verdict, Verdict::Corrupt);
    assert_eq!(found.findings[0].offset, Some(frames[3] as u64));
    assert_eq!(Wal::builder(sound.path()).open().unwrap_err().kind(), ErrorKind::Corrupt);
}

/// Of a frame with flags that are not known nothing is believed, and nothing is cut that it is part of.
#[test]
fn what_is_not_understood_is_not_cut() {
    let (log, frames) = with_a_last_frame(1, 0x8000);
    rot(&log, frames[3]);
    let before = fs::read(first(&log)).unwrap();
    assert_eq!(Wal::builder(log.path()).open().unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(fs::read(first(&log)).unwrap(), before);
}

/// Stores nothing for the body of one empty record.
#[derive(Debug)]
struct NothingForZeros;

impl Transform for NothingForZeros {
    fn id(&self) -> TransformId {
        TransformId(200)
    }

    fn apply(&self, body: &[u8], _: &mut Vec<u8>) -> Result<Applied> {
        Ok(if body == [0] { Applied::Stored } else { Applied::Skipped })
    }

    fn undo(&self, _: &[u8], _: usize, out: &mut Vec<u8>) -> Result<()> {
        out.push(0);
        Ok(())
    }
}

/// The seam lets a transform store nothing, and a frame of nothing was acknowledged and made no sense to
/// any reader: the log never opened again.
#[test]
fn empty_stored_form() {
    let dir = tempfile::tempdir().unwrap();
    let builder = |dir: &Path| Wal::builder(dir).transform(Arc::new(NothingForZeros));
    let (wal, _) = builder(dir.path()).open().unwrap();
    wal.append_durable("").unwrap();
    wal.append_durable("something").unwrap();
    let killed = killed(dir.path());
    let (again, recovery) = builder(killed.path()).open().unwrap();
    assert_eq!(recovery.valid_records, 2);
    let records: Vec<_> =
        again.read_from(Lsn::FIRST).unwrap().map(|entry| entry.unwrap().payload.to_vec()).collect();
    assert_eq!(records, [b"".to_vec(), b"something".to_vec()]);
}

/// The index of a seal has an entry every 64 KiB and must fit one body: a segment of more than 4 TiB was
/// allowed, and sealed by a frame that no reader takes.
#[test]
fn seal_of_a_huge_segment() {
    let mut config = Config::default();
    config.segment_size = 5 << 40;
    let error = config.validate().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("segment_size"), "{error}");
}

/// Zeros that are written ahead of the end tear in a power cut, and the log refused to open: "damage is
/// wider than what can have been in flight". No record was in flight at all.
#[test]
fn zeros_ahead_too_wide() {
    let store = |disk: &SimDisk| {
        let files = Arc::new(SimFiles::new(disk.clone()));
        let store = FileStore::over(files).recycling(Recycling::Off);
        Arc::new(store.preparation(Preparation::ZerosAhead(1 << 20)).ahead(Ahead::Caller))
    };
    let open = |store: Arc<FileStore>| {
        let mut config = Config::default();
        (config.segment_size, config.buffer_size) = (4 << 20, 16 << 10);
        (config.record_limit, config.batch_limit, config.frame_size) = (4 << 10, 16 << 10, 4 << 10);
        Wal::with_store(store).config(config).custom_strategy(Arc::new(OnWait::new())).open()
    };
    for after in 1..8 {
        let disk = SimDisk::new(Profile::STRICT);
        let files = store(&disk);
        let (wal, _) = open(Arc::clone(&files)).unwrap();
        let mut records = 0;
        loop {
            let lsn = wal.append([7; 4000]).unwrap();
            // All is durable, and nothing is in flight.
            wal.wait_for_lsn(lsn).wait().unwrap();
            records += 1;
            let before = disk.operations();
            disk.crash_at(before + after);
            // The preparing thread's: zeros, a piece and its sync at a time.
            files.prepare_next().ok();
            if disk.operations() > before || disk.is_off() {
                break;
            }
            disk.crash_at(u64::MAX);
        }
        for seed in 0..20 {
            let opened = open(store(&disk.power_cut(CutChoice::Seed(seed))));
            let (_, recovery) = opened.unwrap_or_else(|error| panic!("{after}, {seed}: {error:?}"));
            assert_eq!(recovery.valid_records, records, "after {after}, seed {seed}");
        }
    }
}
