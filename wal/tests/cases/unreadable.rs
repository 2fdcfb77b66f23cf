//! One sector that cannot be read any more: what it costs, and where it is told.

use std::ops::Range;
use std::sync::Arc;

use wal::parts::segment::{FileStore, Preparation};
use wal::{
    Builder, Entry, ErrorKind, Lsn, Reader, Retention, SegmentId, SegmentState, Strategy, Verdict,
    Wal,
};
use wal_testkit::{Profile, SimDisk, SimFiles};

const BLOCK: u64 = 4096;
/// A failing disk takes seconds for each.
const MOST_FAILING_READS: u64 = 8;

fn name(segment: u64) -> String {
    format!("{segment:020}.wal")
}

fn store(disk: &SimDisk) -> Arc<FileStore> {
    Arc::new(FileStore::over(Arc::new(SimFiles::new(disk.clone()))).preparation(Preparation::Whole))
}

/// A log of many small segments, 60 records in all.
fn small(disk: &SimDisk) -> Builder {
    Wal::with_store(store(disk)).segment_size(16 * 1024)
}

fn filled(disk: &SimDisk) -> Wal {
    let (wal, _) = small(disk).open().unwrap();
    for n in 0..60_u8 {
        let lsn = wal.append([n; 700]).unwrap();
        wal.wait_for_lsn(lsn).wait().unwrap();
    }
    wal
}

/// A log of two segments, each of many reads ahead; the second has no seal.
struct Log {
    disk: SimDisk,
    wal: Wal,
    entries: Vec<Entry>,
}

impl Log {
    fn new() -> Self {
        let disk = SimDisk::new(Profile::STRICT);
        let builder = Wal::with_store(store(&disk)).segment_size(3 << 20);
        let (wal, _) = builder.strategy(Strategy::Os).open().unwrap();
        for n in 0..5000_usize {
            wal.append(vec![u8::try_from(n % 251).unwrap(); 900 + n % 200]).unwrap();
        }
        wal.sync().unwrap();
        let entries: Vec<_> =
            wal.read_from(Lsn::FIRST).unwrap().map(|entry| entry.unwrap()).collect();
        assert_eq!(entries.len(), 5000);
        assert_eq!(wal.list_segments().unwrap().len(), 2);
        Self { disk, wal, entries }
    }

    /// The bytes of the frame of an entry, and of padding behind it.
    fn frame(&self, at: usize) -> Range<u64> {
        let Entry { position: this, .. } = self.entries[at];
        let mut behind = self.entries[at..].iter().map(|entry| entry.position);
        let end = behind.find(|other| *other != this);
        this.offset
            ..end.filter(|end| end.segment == this.segment).map_or(u64::MAX, |end| end.offset)
    }

    /// A sector in the middle of a segment, and the first record that it has a part of.
    fn sector(&self, segment: u64) -> (Range<u64>, Lsn) {
        let of = |at: &usize| self.entries[*at].position.segment.get() == segment;
        let places: Vec<_> = (0..self.entries.len()).filter(of).collect();
        let middle = self.frame(places[places.len() / 2]).start;
        let begin = middle - middle % BLOCK + BLOCK;
        let hit = |at: &&usize| self.frame(**at).end > begin;
        let first = self.entries[**places.iter().find(hit).as_ref().unwrap()].lsn;
        // A part of the block is enough.
        (begin + 512..begin + 1024, first)
    }
}

/// A replay gave none of the up to 1 MiB of sound records before a sector that could not be read: they were
/// read ahead along with it, and the error named the place where that read began. What a sector holds is
/// lost, and no more; and it is told where it is, by `verify` as well.
#[test]
fn a_sector_costs_a_replay_what_it_holds() {
    let log = Log::new();
    for segment in [1, 2] {
        let (sector, first) = log.sector(segment);
        let begin = sector.start - sector.start % BLOCK;
        let disk = log.disk.kill();
        disk.lose(&name(segment), sector).unwrap();
        let reader = Reader::with_store(store(&disk));
        let before = disk.counts().failed_reads;
        // As the tool replays a damaged log: the newest segment is read before it is known.
        let chain = reader.prefix().unwrap().unwrap();
        let mut given = Vec::new();
        let mut cursor = reader.read_chain(&chain, Lsn::FIRST).unwrap();
        let error = loop {
            match cursor.next().unwrap() {
                Ok(entry) => given.push(entry),
                Err(error) => break error,
            }
        };
        assert_eq!(given.last().map(|entry| entry.lsn), Some(first.previous()));
        assert!(given[..] == log.entries[..given.len()]);
        assert_eq!(error.kind(), ErrorKind::Io, "{error:?}");
        assert_eq!(error.at_segment().map(SegmentId::get), Some(segment), "{error:?}");
        assert_eq!(error.at_offset(), Some(begin), "{error:?}");
        let failed = disk.counts().failed_reads - before;
        assert!(failed <= 2 * MOST_FAILING_READS, "{failed} reads failed");

        let found = reader.verify(|_| ()).unwrap();
        assert_eq!(found.verdict, Verdict::Corrupt);
        for finding in &found.findings {
            assert_eq!(finding.segment.map(SegmentId::get), Some(segment), "{finding:?}");
            assert_eq!(finding.offset, Some(begin), "{finding:?}");
        }
        assert_eq!(found.findings.len(), 1, "{:?}", found.findings);
    }
}

/// The same of a log that is open, and of each record by itself. A search for one read far around it, and so
/// did the way from where the search or the seal's index led to the record: a sector there kept it from being
/// found.
#[test]
fn a_sector_keeps_no_other_record_from_being_found() {
    for segment in [1, 2] {
        let log = Log::new();
        let (sector, first) = log.sector(segment);
        let begin = sector.start - sector.start % BLOCK;
        log.disk.lose(&name(segment), sector).unwrap();
        let near = usize::try_from(first.get()).unwrap() - 1;
        let (far, mut lost_ones) = ((0..log.entries.len()).step_by(97), 0);
        for at in far.chain(near - 80..near + 80) {
            let lost = log.entries[at].position.segment.get() == segment
                && log.frame(at).start < begin + BLOCK
                && log.frame(at).end > begin;
            let before = log.disk.counts().failed_reads;
            let got = log.wal.get(log.entries[at].lsn);
            let failed = log.disk.counts().failed_reads - before;
            assert!(failed <= MOST_FAILING_READS, "record {at}: {failed} reads failed");
            match got {
                Ok(entry) => {
                    assert_eq!(entry.as_ref(), Some(&log.entries[at]));
                }
                Err(error) => {
                    lost_ones += 1;
                    assert!(lost, "record {at}: {error:?}");
                    assert_eq!(error.at_offset(), Some(begin), "record {at}: {error:?}");
                }
            }
        }
        assert!((1..=6).contains(&lost_ones), "{lost_ones} records are lost");
        let mut given = log.wal.read_from(Lsn::FIRST).unwrap();
        let error = given.find_map(Result::err).unwrap();
        assert_eq!((given.next_lsn(), error.at_offset()), (first, Some(begin)), "{error:?}");
    }
}

/// A record of zeros that a lost sector had the head of was taken for the end of what was written, and the
/// sound records behind it were not found: an error named the sector for each of them. Found by a search.
#[test]
fn a_sector_before_zeros_keeps_no_other_record_from_being_found() {
    let disk = SimDisk::new(Profile::STRICT);
    let builder = Wal::with_store(store(&disk)).segment_size(1 << 20).strategy(Strategy::Sync);
    let (wal, _) = builder.open().unwrap();
    for n in 1..=12_u8 {
        wal.append(if n == 4 { vec![0; 64 << 10] } else { vec![n; 900] }).unwrap();
    }
    let entries: Vec<_> = wal.read_from(Lsn::FIRST).unwrap().map(|entry| entry.unwrap()).collect();
    assert!(entries[3].position.offset < 2 * BLOCK);
    disk.lose(&name(1), BLOCK..2 * BLOCK).unwrap();
    for entry in &entries {
        let before = disk.counts().failed_reads;
        let got = wal.get(entry.lsn);
        let failed = disk.counts().failed_reads - before;
        assert!(failed <= MOST_FAILING_READS, "{}: {failed} reads failed", entry.lsn);
        match got {
            Ok(got) => assert_eq!(got.as_ref(), Some(entry)),
            Err(error) => assert!(entry.lsn <= Lsn::new(4), "{}: {error:?}", entry.lsn),
        }
    }
}

/// Of a file beside the log that cannot be read `verify` said that reading it failed, and not why.
#[test]
fn verify_says_why_a_file_beside_the_log_cannot_be_read() {
    let disk = SimDisk::new(Profile::STRICT);
    let wal = filled(&disk);
    let bytes = disk.contents().unwrap().remove(&name(1)).unwrap();
    wal.prune_before(Lsn::new(50)).unwrap();
    wal.close().unwrap();
    disk.create_new(&name(1)).unwrap().write_all_at(0, &bytes).unwrap();
    disk.lose(&name(1), 0..512).unwrap();
    let found = Reader::with_store(store(&disk)).verify(|_| ()).unwrap();
    let [finding] = &found.findings[..] else { panic!("{:?}", found.findings) };
    assert_eq!((finding.segment, finding.offset), (Some(SegmentId::FIRST), Some(0)));
    let what =
        "cannot be read: reading a segment header failed (simulated EIO, byte 0 is unreadable)";
    assert_eq!(finding.what, what);
}

/// What is pruned so that a log can be opened on a full disk went without a word on what was damaged in it,
/// or could not be read and was left, which the pruning of an open log tells. Found by reading.
#[test]
fn what_is_pruned_on_a_full_disk_is_named_where_it_is_damaged() {
    let disk = SimDisk::new(Profile::STRICT);
    let wal = filled(&disk);
    let disk = disk.kill();
    drop(wal);
    disk.set_room(Some(0));
    disk.flip(&name(1), 60, 1).unwrap();
    // The first frame, too, which proves that a file is the log's where its header does not.
    disk.lose(&name(3), 0..8192).unwrap();
    let keep = Retention::all().at_most_segments(2);
    let (wal, recovery) = small(&disk).prune_if_full(keep).open().unwrap();
    assert!(recovery.segments_pruned > 1, "{recovery:?}");
    let told: Vec<_> = recovery.pruned_damaged.iter().map(ToString::to_string).collect();
    let [first, third] = &told[..] else { panic!("{told:?}") };
    let begins = "damaged when it was pruned: segment 1: segment header is damaged";
    assert!(first.starts_with(begins), "{first}");
    let begins = "pruned and still there: segment 3: reading a segment header failed";
    assert!(third.starts_with(begins) && third.contains("simulated EIO"), "{third}");
    assert_eq!(wal.last_lsn().get(), 60);
    assert!(disk.list().unwrap().contains(&name(3)));
}

/// A seal that could not be read kept the segments from being listed and pruned, and each record of its
/// segment from being found: all that was wanted of it was a time, or a shorter way. So did the last block of
/// the newest segment, which nothing was written to yet, and where a seal may be. Found by reading.
#[test]
fn a_seal_that_cannot_be_read_keeps_nothing() {
    let disk = SimDisk::new(Profile::STRICT);
    let wal = filled(&disk);
    let newest = wal.list_segments().unwrap().len() as u64;
    for segment in [2, newest] {
        let end = disk.contents().unwrap()[&name(segment)].len() as u64;
        disk.lose(&name(segment), end - 8..end).unwrap();
    }
    let listed = wal.list_segments().unwrap();
    assert_eq!(listed.len() as u64, newest);
    assert_eq!((listed[1].state, listed[2].state), (SegmentState::Cut, SegmentState::Sealed));
    for lsn in 1..=60 {
        let lsn = Lsn::new(lsn);
        assert_eq!(wal.get(lsn).unwrap().unwrap().lsn, lsn);
        let read = wal.read_from(lsn).unwrap().map(|entry| entry.unwrap().lsn);
        assert_eq!(read.count() as u64, 61 - lsn.get());
    }
    let retained = wal.retain(&Retention::all().at_most_segments(2)).unwrap();
    assert_eq!((retained.segments, retained.damaged), (newest - 2, Vec::new()));
}

/// A sector in the space that a killed log had prepared and never written to kept it from being opened: it
/// could hold what vouches for a record that is not there. Any other bytes in its place are a torn tail, and so
/// is this; the block that holds the last record still is none, and neither is one that it has a part in.
#[test]
fn a_sector_behind_the_end_of_a_killed_log_costs_nothing() {
    let filled = filled(&SimDisk::new(Profile::STRICT));
    let newest = filled.list_segments().unwrap().last().unwrap().id.get();
    let last = filled.get(Lsn::new(60)).unwrap().unwrap().position;
    drop(filled);
    let (end, mut opened_again) = (16 * 1024, 0);
    for block in (last.offset / BLOCK..end / BLOCK).map(|block| block * BLOCK) {
        let disk = SimDisk::new(Profile::STRICT);
        let wal = self::filled(&disk);
        let disk = disk.kill();
        drop(wal);
        disk.lose(&name(newest), block + 512..block + 1024).unwrap();
        let found = Reader::with_store(store(&disk)).verify(|_| ()).unwrap();
        let holds_a_part = block < last.offset + 700 + 48;
        let opened = small(&disk).open();
        let [finding] = &found.findings[..] else { panic!("{:?}", found.findings) };
        assert_eq!(finding.segment.map(SegmentId::get), Some(newest));
        if holds_a_part {
            assert_eq!((found.verdict, finding.offset), (Verdict::Corrupt, Some(block)));
            assert!(opened.is_err());
            continue;
        }
        assert_eq!(found.verdict, Verdict::Torn, "{block}: {found:?}");
        let why = format!("; the block at {block} cannot be read");
        assert!(finding.what.ends_with(&why), "{}", finding.what);
        let (wal, _) = opened.unwrap();
        assert_eq!(wal.last_lsn().get(), 60);
        wal.append_durable("on").unwrap();
        wal.close().unwrap();
        // The sector went with the space behind the end.
        let (wal, recovery) = small(&disk).open().unwrap();
        assert_eq!((recovery.bytes_truncated, wal.last_lsn().get()), (0, 61), "{recovery:?}");
        assert_eq!(wal.read_from(Lsn::FIRST).unwrap().map(Result::unwrap).count(), 61);
        opened_again += 1;
    }
    assert!(opened_again > 0);
}
