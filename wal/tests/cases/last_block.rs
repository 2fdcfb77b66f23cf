//! Logs of which one block is lost: zeroed, turned to garbage, or cut off at the end of the file.

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use wal::parts::core::format::{FrameHeader, FrameKind, HEADER_LEN, Identity, SegmentHeader};
use wal::parts::core::{Epoch, LogId, SegmentId, SegmentStore};
use wal::parts::replay::{Verdict, Verification};
use wal::parts::segment::FileStore;
use wal::{Error, ErrorKind, Lsn, Reader, Strategy, Wal};

const BLOCK: usize = 4096;

/// What becomes of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loss {
    Zeroed,
    Garbled,
}

/// A log whose records say their number.
struct Log {
    dir: TempDir,
    records: u64,
}

impl Log {
    /// A log in segments of 16 KiB, with all its records durable, and its last handle.
    fn written(records: u64) -> (Self, Wal) {
        let dir = tempfile::tempdir().unwrap();
        let (wal, _) = Self::builder(dir.path()).open().unwrap();
        for lsn in 1..=records {
            assert_eq!(wal.append_durable(record(lsn)).unwrap(), Lsn::new(lsn));
        }
        (Self { dir, records }, wal)
    }

    fn builder(dir: &Path) -> wal::Builder {
        Wal::builder(dir).strategy(Strategy::Sync).segment_size(16 << 10)
    }

    fn closed(records: u64) -> Self {
        let (log, wal) = Self::written(records);
        wal.close().unwrap();
        log
    }

    /// A closed log whose blocks are larger than any setting makes them, as another program's may be: all
    /// its flushes are padded by what the header of its first segment says.
    fn closed_in_blocks_of(alignment: u32, records: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = FileStore::open(dir.path()).unwrap();
        let lock = store.lock().unwrap();
        let (id, log) = (SegmentId::FIRST, LogId([5; 16]));
        let mut header = SegmentHeader::new(log, id, Epoch::new(1), Lsn::FIRST, 7);
        header.alignment = alignment;
        let mut writer = store.create(id, 16 << 10).unwrap();
        header.unwritten = writer.space().unwritten;
        header.space = writer.space().durable_len;
        writer.append(&header.encode()).unwrap();
        writer.syncer().sync().unwrap();
        drop((writer, lock, store));
        let size = 5 * u64::from(alignment);
        let (wal, recovery) = Self::builder(dir.path()).segment_size(size).open().unwrap();
        assert_eq!(recovery.alignment, alignment);
        for lsn in 1..=records {
            assert_eq!(wal.append_durable(record(lsn)).unwrap(), Lsn::new(lsn));
        }
        wal.close().unwrap();
        Self { dir, records }
    }

    /// As the death of its process leaves it, seen through a copy.
    fn killed(records: u64) -> Self {
        let (log, wal) = Self::written(records);
        let killed = Self { dir: log.copy(), records };
        drop(wal);
        killed
    }

    /// A killed one after it was opened, and killed again.
    fn recovered(records: u64) -> Self {
        let log = Self::killed(records);
        let (wal, recovery) = Self::builder(log.dir.path()).open().unwrap();
        assert_eq!((recovery.valid_records, recovery.records_carried > 0), (records, true));
        let recovered = Self { dir: log.copy(), records };
        drop(wal);
        recovered
    }

    /// A copy of all its files, prepared space and anchor included.
    fn copy(&self) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(self.dir.path()).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
        }
        copy
    }

    /// Its segments: name and bytes, oldest first.
    fn segments(&self) -> Vec<(String, Vec<u8>)> {
        let names = fs::read_dir(self.dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.retain(|name| name.strip_suffix(".wal").is_some());
        names.sort();
        names
            .into_iter()
            .map(|name| (name.clone(), fs::read(self.dir.path().join(name)).unwrap()))
            .collect()
    }

    /// Verifies the log with this file's bytes in place of its own, and opens it where `opened` or where
    /// verifying found no corruption.
    fn judged(&self, name: &str, bytes: &[u8], opened: bool) -> Judged {
        let kept = fs::read(self.dir.path().join(name)).unwrap();
        fs::write(self.dir.path().join(name), bytes).unwrap();
        let found = Reader::open(self.dir.path()).and_then(|log| log.verify(|_| ())).unwrap();
        let next = (opened || found.verdict != Verdict::Corrupt).then(|| {
            let copy = self.copy();
            Self::builder(copy.path()).open().map(|(wal, _)| wal.append("next").unwrap())
        });
        fs::write(self.dir.path().join(name), kept).unwrap();
        Judged { found, next, records: self.records }
    }
}

fn record(lsn: u64) -> Vec<u8> {
    let len = 100 + usize::try_from(lsn * 37 % 1400).unwrap();
    let mut record = lsn.to_le_bytes().to_vec();
    record.resize(len, b'r');
    record
}

struct Judged {
    found: Verification,
    next: Option<Result<Lsn, Error>>,
    records: u64,
}

impl Judged {
    /// Damage that is called so, with its place; and no LSN is given out twice.
    fn is_corrupt(&self, what: &str) {
        assert_eq!(self.found.verdict, Verdict::Corrupt, "{what}: {:?}", self.found.findings);
        let finding = &self.found.findings[0];
        assert!(finding.segment.is_some() && finding.offset.is_some(), "{what}: {finding:?}");
        self.gives_no_lsn_twice(what);
    }

    fn gives_no_lsn_twice(&self, what: &str) {
        match &self.next {
            None => {}
            Some(Ok(next)) => assert_eq!(next.get(), self.records + 1, "{what}"),
            Some(Err(error)) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}: {error:?}"),
        }
    }
}

/// The file without `size` bytes of block number `block` of that size; `None` where that changes nothing.
fn without(bytes: &[u8], size: usize, block: usize, loss: Loss) -> Option<Vec<u8>> {
    let mut left = bytes.to_vec();
    let range = block * size..((block + 1) * size).min(left.len());
    match loss {
        Loss::Zeroed => left[range].fill(0),
        Loss::Garbled => {
            left[range].iter_mut().for_each(|byte| *byte = byte.wrapping_mul(7) ^ 0xa5);
        }
    }
    (left != bytes).then_some(left)
}

/// Where the last frame of a segment ends, and its frames.
fn frames(bytes: &[u8]) -> Vec<(usize, FrameHeader)> {
    let identity = Identity::of(&SegmentHeader::decode(&bytes[..HEADER_LEN]).unwrap());
    let (mut at, mut frames) = (HEADER_LEN, Vec::new());
    while let Ok(header) = FrameHeader::decode(&bytes[at..], identity, at as u64) {
        frames.push((at, header));
        at += usize::try_from(header.frame_len()).unwrap();
        if at >= bytes.len() {
            break;
        }
    }
    frames
}

fn end(bytes: &[u8]) -> usize {
    let frames = frames(bytes);
    frames.last().map_or(HEADER_LEN, |(at, last)| at + usize::try_from(last.frame_len()).unwrap())
}

/// Takes each block and each sector of what counts of each segment, in each way.
fn sweep(log: &Log, judge: impl FnMut(Judged, &str)) {
    sweep_by(log, &[BLOCK, 512], judge);
}

/// As above, blocks of these sizes.
fn sweep_by(log: &Log, sizes: &[usize], mut judge: impl FnMut(Judged, &str)) {
    let segments = log.segments();
    for (number, (name, bytes)) in segments.iter().enumerate() {
        let next = segments.get(number + 1);
        let next = next.map(|(_, next)| SegmentHeader::decode(&next[..HEADER_LEN]).unwrap());
        let counts = match next.and_then(|next| next.predecessor) {
            Some(this) => usize::try_from(this.length + this.seal_len).unwrap(),
            None => end(bytes),
        };
        for &size in sizes {
            for block in 0..counts.div_ceil(size) {
                for loss in [Loss::Zeroed, Loss::Garbled] {
                    let lost = without(bytes, size, block, loss);
                    let Some(lost) = lost.filter(|lost| lost[..counts] != bytes[..counts]) else {
                        continue;
                    };
                    let what = format!("{name}, {size} bytes, {block}, {loss:?}");
                    judge(log.judged(name, &lost, size >= BLOCK), &what);
                }
            }
        }
    }
}

/// A log that was closed, and its last 4 KiB zeroed or cut: it was "clean", records that had been
/// acknowledged were gone, and their LSNs were given out again. The seal lay in the block of the frames
/// that it vouched for, so the witness went with what it was for.
#[test]
fn last_block() {
    let log = Log::closed(24);
    let segments = log.segments();
    assert!(segments.len() > 1, "{}", segments.len());
    for (name, bytes) in &segments {
        let seal = frames(bytes).pop().unwrap();
        assert_eq!((seal.1.kind, seal.0 % BLOCK), (FrameKind::Seal, 0), "{name}");
    }
    assert_eq!(
        Reader::open(log.dir.path()).unwrap().verify(|_| ()).unwrap().verdict,
        Verdict::Clean
    );
    sweep(&log, |judged, what| judged.is_corrupt(what));
    let (name, bytes) = segments.last().unwrap();
    for cut in [1, 512, BLOCK, 2 * BLOCK, bytes.len() - HEADER_LEN, bytes.len()] {
        log.judged(name, &bytes[..bytes.len() - cut], true).is_corrupt(&format!("{cut} bytes cut"));
    }
}

/// As above, of a log that was written for larger blocks than its settings allow: the seal has a block of
/// that size, and no loss of one takes the seal with what it vouches for. What may be in flight counts the
/// padding of such a block, too.
#[test]
fn last_block_of_large_blocks() {
    for (alignment, records) in [(8 << 10, 9), (64 << 10, 5), (1 << 20, 1)] {
        let log = Log::closed_in_blocks_of(alignment, records);
        let block = usize::try_from(alignment).unwrap();
        for (name, bytes) in &log.segments() {
            let seal = frames(bytes).pop().unwrap();
            assert_eq!((seal.1.kind, seal.0 % block), (FrameKind::Seal, 0), "{alignment}, {name}");
        }
        sweep_by(&log, &[block], |judged, what| judged.is_corrupt(what));
    }
}

/// As above, of a log that was repaired and killed: the mark behind what was carried over lies in a block
/// of its own.
#[test]
fn last_block_of_a_recovered_log() {
    let log = Log::recovered(24);
    sweep(&log, |judged, what| judged.is_corrupt(what));
}

/// As above, of a log that was killed: damage to what a frame in another block vouches for is corruption.
/// What no such frame vouches for may go, and only from that block on.
#[test]
fn last_block_of_a_killed_log() {
    let log = Log::killed(24);
    let segments = log.segments();
    let (newest, bytes) = segments.last().unwrap();
    let all = frames(bytes);
    let (mut told, mut cut) = (0, 0);
    for (name, bytes) in &segments {
        for size in [BLOCK, 512] {
            for block in 0..end(bytes).div_ceil(size) {
                let Some(lost) = without(bytes, size, block, Loss::Zeroed) else { continue };
                let what = format!("{name}, {size} bytes, {block}");
                let judged = log.judged(name, &lost, size == BLOCK);
                let range = block * size..(block + 1) * size;
                let whole = |at: usize, frame: &FrameHeader| {
                    let end = at + usize::try_from(frame.frame_len()).unwrap();
                    end <= range.start || at >= range.end
                };
                let first = all.iter().position(|&(at, ref frame)| !whole(at, frame));
                let (Some(first), true) = (first, name == newest) else {
                    judged.is_corrupt(&what);
                    continue;
                };
                let damaged = all[first].1.first_lsn;
                let place = all[first].0 as u64;
                let vouched = all[first + 1..].iter().any(|&(at, ref frame)| {
                    whole(at, frame) && frame.vouches_for(at as u64, damaged, place)
                });
                if vouched {
                    judged.is_corrupt(&what);
                    told += 1;
                } else {
                    assert_eq!(
                        judged.next.unwrap().unwrap(),
                        damaged,
                        "{what}: all before the block is there"
                    );
                    cut += 1;
                }
            }
        }
    }
    assert!(told > 3 && cut > 0, "{told} told, {cut} cut");
}
