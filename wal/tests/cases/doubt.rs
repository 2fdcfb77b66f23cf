//! Segments with many frames that nothing vouches for, as an interval without a sync leaves them.

use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;
use wal::parts::core::format::{
    FRAME_HEADER_LEN, FrameHeader, HEADER_LEN, OpenSegment, SegmentHeader, Stamp, Start,
    push_record,
};
use wal::parts::core::{Epoch, LogId, TransformId};
use wal::parts::replay::{Recovery, survey};
use wal::parts::segment::FileStore;
use wal::{Lsn, Preparation, SegmentId, Wal, Writing};
use wal_testkit::{Atom, Counting, CutChoice, Profile, SimDisk, SimFiles, StoreCounts};

const NEWEST: &str = "00000000000000000001.wal";

fn beginning() -> OpenSegment {
    let log = LogId([7; 16]);
    OpenSegment::new(SegmentHeader::new(log, SegmentId::FIRST, Epoch::new(1), Lsn::FIRST, 1))
}

/// A frame of one record of so many bytes.
fn record(open: &mut OpenSegment, len: usize, watermark: Lsn) -> Vec<u8> {
    let mut frame = vec![0; FRAME_HEADER_LEN];
    push_record(&mut frame, &vec![7; len]);
    let body_len = u32::try_from(frame.len() - FRAME_HEADER_LEN).unwrap();
    frame.resize(frame.len().next_multiple_of(8), 0);
    let stamp = Stamp { watermark, timestamp: 1 };
    open.push_records(&mut frame, body_len, 1, TransformId::NONE, stamp);
    frame
}

fn put(dir: &Path, bytes: &[u8]) {
    std::fs::write(dir.join(NEWEST), bytes).unwrap();
}

/// A killed log whose frames, of a record each, are all in doubt.
fn all_in_doubt(frames: usize, len: usize) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut open = beginning();
    let mut bytes = open.header().encode();
    (0..frames).for_each(|_| bytes.extend(record(&mut open, len, Lsn::ZERO)));
    put(dir.path(), &bytes);
    dir
}

/// Opens the log and forgets it, as a kill does; says what that took, and how many bytes the log has.
fn opened(dir: &TempDir) -> (Recovery, StoreCounts, u64) {
    let size = std::fs::metadata(dir.path().join(NEWEST)).unwrap().len();
    let store = Counting::new(Arc::new(FileStore::open(dir.path()).unwrap()));
    let builder = Wal::with_store(Arc::new(store.clone())).segment_size(1 << 20);
    let (wal, recovery) = builder.open().unwrap();
    let counts = store.counts();
    drop(wal);
    (recovery, counts, size)
}

/// A log under `os` did not come back after a kill: 20,000 small frames in doubt took 0.4 s, 160,000
/// took 51 s. How often each is looked at is counted beside the rule itself (`doubt.rs` in
/// `wal-replay`); here it is what the store is asked for.
#[test]
fn quad() {
    for frames in [10_000, 20_000, 40_000] {
        let (recovery, counts, size) = opened(&all_in_doubt(frames, 9));
        assert_eq!(recovery.records_carried, frames as u64);
        assert!(counts.read_bytes <= 2 * size + (1 << 20), "{counts:?} for {size} bytes");
        assert!(counts.reads <= size / (64 << 10) + 20, "{counts:?} for {size} bytes");
        assert!(counts.appends <= size / (512 << 10) + 6, "{counts:?} for {size} bytes");
    }
}

/// Opening took twice the bytes in doubt in memory, without a bound.
#[test]
fn mem() {
    for frames in [1_000, 4_000] {
        let dir = all_in_doubt(frames, 9_999);
        let most = allocation_counter::measure(|| {
            let (recovery, ..) = opened(&dir);
            assert_eq!(recovery.records_carried, frames as u64);
        });
        // A piece that is read, one that is written, and places in the segment; none depends on how
        // much is in doubt.
        assert!(most.bytes_max < 6 << 20, "{most:?} for {frames} frames");
    }
}

/// A frame as the rule sees it.
struct Met {
    header: FrameHeader,
    offset: u64,
    end: u64,
}

/// Where the doubt begins by the letter of the rule: behind the last frame that a later one vouches
/// for, by a record or by a byte.
fn by_the_letter(frames: &[Met]) -> usize {
    let (mut lsn, mut byte, mut first) = (Lsn::ZERO, 4096, 0);
    for (at, frame) in frames.iter().enumerate() {
        lsn = lsn.max(frame.header.watermark.min(frame.header.last_lsn()));
        byte = byte.max(frame.header.durable_offset(frame.offset));
        let by_record = |met: &Met| met.header.count > 0 && met.header.last_lsn() <= lsn;
        let vouched = |met: &Met| met.end <= byte || by_record(met);
        // Walked from the end, as the rule reads: quadratic, so only now and then and at the end.
        if at % 512 == 0 || at + 1 == frames.len() {
            first += frames[first..at].iter().rposition(vouched).map_or(0, |last| last + 1);
        }
    }
    first
}

/// The doubt begins where the rule says, however many frames lie there, and however much of them each
/// vouches for, whatever was kept of them in memory.
#[test]
fn the_doubt_begins_where_the_rule_says() {
    for seed in 0..40_u64 {
        let mut chance = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut draw = |below: u64| {
            chance ^= chance << 13;
            chance ^= chance >> 7;
            chance ^= chance << 17;
            chance % below
        };
        let dir = tempfile::tempdir().unwrap();
        let mut open = beginning();
        let mut bytes = open.header().encode();
        let mut met: Vec<Met> = Vec::new();
        let frames = if seed % 8 == 0 { 30_000 } else { draw(12_000) };
        // How far behind, in frames, the syncs are; far for most.
        let most = [3, 500, 6_000, 40_000][usize::try_from(draw(4)).unwrap()];
        let lag = 1 + draw(most);
        let mut watermark = Lsn::ZERO;
        for _ in 0..frames {
            let behind = met.len().checked_sub(usize::try_from(lag).unwrap());
            if let Some(synced) = behind.filter(|_| draw(3) == 0).map(|at| &met[at]) {
                if draw(2) == 0 {
                    watermark = watermark.max(synced.header.last_lsn());
                } else {
                    open.synced(synced.end);
                }
            }
            let offset = open.end();
            let stamp = Stamp { watermark, timestamp: 1 };
            let start = Start { segment: SegmentId::FIRST, lsn: Lsn::FIRST };
            let frame = match draw(20) {
                0 => open.start_frame(start, stamp),
                1..=3 => open.padding_frame(48 + 8 * usize::try_from(draw(4)).unwrap(), stamp),
                _ => record(&mut open, usize::try_from(draw(20)).unwrap(), watermark),
            };
            bytes.extend(&frame);
            let identity = wal::parts::core::format::Identity::of(open.header());
            let header = FrameHeader::decode(&frame, identity, offset).unwrap();
            met.push(Met { header, offset, end: open.end() });
        }
        put(dir.path(), &bytes);
        let first = by_the_letter(&met);
        let tail = survey(&FileStore::open(dir.path()).unwrap()).unwrap().unwrap().tail;
        let before = first.checked_sub(1).map(|last| &met[last]);
        assert_eq!(tail.doubt, before.map_or(4096, |met| met.end), "seed {seed}");
        let lsn = before.map_or(Lsn::ZERO, |met| met.header.last_lsn());
        assert_eq!(tail.doubt_lsn, lsn, "seed {seed}");
        let records = met[first..].iter().filter(|met| met.header.count > 0);
        let bytes: u64 = records.map(|met| met.end - met.offset).sum();
        assert_eq!(tail.doubt_bytes, bytes, "seed {seed}");
    }
}

/// A disk on which a killed log is durable whose frames, of a record each, are all in doubt, and end on
/// eight bytes.
fn doubtful_disk(frames: usize, len: usize) -> SimDisk {
    let disk = SimDisk::new(Profile::STRICT.atom(Atom::Page));
    let written = std::fs::read(all_in_doubt(frames, len).path().join(NEWEST)).unwrap();
    let file = disk.create_new(NEWEST).unwrap();
    file.write_all_at(0, &written).unwrap();
    file.sync_data().unwrap();
    disk.sync_dir().unwrap();
    disk
}

fn open_on(disk: &SimDisk, writing: Writing) -> wal::Result<(Wal, Recovery)> {
    let store = FileStore::over(Arc::new(SimFiles::new(disk.clone())));
    let store = store.preparation(Preparation::Whole).writing(writing);
    Wal::with_store(Arc::new(store)).segment_size(1 << 20).open()
}

fn lens(wal: &Wal) -> Vec<usize> {
    wal.read_from(Lsn::FIRST).unwrap().map(|entry| entry.unwrap().payload.len()).collect()
}

/// A log with more in doubt than is carried over at a time, of frames that end on eight bytes, could not be
/// opened past the cache: the first piece was no whole number of blocks. Found by `stress` after 22 minutes.
#[test]
fn pieces_end_on_the_alignment() {
    for len in [1_733, 70_001, 530_001, 900_001] {
        let frames = 5_000_000 / len;
        let disk = doubtful_disk(frames, len);
        let (wal, recovery) = open_on(&disk, Writing::Direct).unwrap();
        assert_eq!(recovery.records_carried, frames as u64, "{len}");
        // All of it is in the space that was prepared for it: none is taken that a full disk would not have.
        let fresh = &disk.contents().unwrap()["00000000000000000002.wal"];
        let header = SegmentHeader::decode(&fresh[..HEADER_LEN]).unwrap();
        assert_eq!(header.space, fresh.len() as u64, "{len}");
        wal.append("more").unwrap();
        wal.close().unwrap();
        let (wal, _) = open_on(&disk, Writing::Direct).unwrap();
        assert_eq!(lens(&wal), [vec![len; frames], vec![4]].concat(), "{len}");
    }
}

/// The power goes anywhere while pieces are carried over: the records, which were durable though nothing
/// vouches for them, are all there, whether they were carried or not. The searched worlds have no segment
/// that holds more than a piece.
#[test]
fn a_crash_between_pieces_loses_nothing() {
    let (frames, len) = (17, 70_001);
    let written = doubtful_disk(frames, len);
    for writing in [Writing::Buffered, Writing::Direct] {
        for operation in 0.. {
            let disk = written.kill();
            disk.crash_at(disk.operations() + operation);
            let opened = open_on(&disk, writing);
            if !disk.is_off() {
                assert!(operation > 8, "an opening is more than {operation} operations");
                break;
            }
            drop(opened);
            for choice in [CutChoice::Nothing, CutChoice::Everything, CutChoice::Seed(operation)] {
                let left = disk.power_cut(choice);
                let place = format!("{writing:?}, operation {operation}, {choice}");
                let (wal, _) =
                    open_on(&left, writing).unwrap_or_else(|error| panic!("{place}: {error:?}"));
                assert!(lens(&wal) == vec![len; frames], "{place}");
            }
        }
    }
}
