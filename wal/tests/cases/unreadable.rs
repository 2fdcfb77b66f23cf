//! One sector that cannot be read any more: what it costs, and where it is told.

use std::ops::Range;
use std::sync::Arc;

use wal::parts::segment::FileStore;
use wal::{Entry, ErrorKind, Lsn, Reader, Strategy, Verdict, Wal};
use wal_testkit::{Profile, SimDisk, SimFiles};

const BLOCK: u64 = 4096;
/// A failing disk takes seconds for each.
const MOST_FAILING_READS: u64 = 8;

fn name(segment: u64) -> String {
    format!("{segment:020}.wal")
}

fn store(disk: &SimDisk) -> Arc<FileStore> {
    Arc::new(FileStore::over(Arc::new(SimFiles::new(disk.clone()))))
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
        assert_eq!(error.at_segment().map(wal::SegmentId::get), Some(segment), "{error:?}");
        assert_eq!(error.at_offset(), Some(begin), "{error:?}");
        let failed = disk.counts().failed_reads - before;
        assert!(failed <= 2 * MOST_FAILING_READS, "{failed} reads failed");

        let found = reader.verify(|_| ()).unwrap();
        assert_eq!(found.verdict, Verdict::Corrupt);
        for finding in &found.findings {
            assert_eq!(finding.segment.map(wal::SegmentId::get), Some(segment), "{finding:?}");
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
