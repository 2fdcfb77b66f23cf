//! One record by its LSN, a place by its position, a segment by its number.

use std::sync::Arc;

use wal::parts::core::SegmentStore;
use wal::parts::segment::MemoryStore;
use wal::{ErrorKind, Lsn, Position, Reader, SegmentId, SegmentState, Strategy, Wal};
use wal_testkit::Counting;

use crate::common::{image, store};
use crate::fixture::{check, fill, filled, lsn, open, record};

#[test]
fn every_record_is_found_by_its_lsn() {
    let (_, wal) = filled(200);
    for number in 1..=200 {
        let entry = wal.get(lsn(number)).unwrap().unwrap();
        assert_eq!((entry.lsn, &entry.payload[..]), (lsn(number), &record(number)[..]));
    }
    assert!(wal.get(Lsn::ZERO).unwrap().is_none());
    assert!(wal.get(lsn(201)).unwrap().is_none());
    let first = wal.prune_before(lsn(100)).unwrap();
    assert!(first > lsn(50), "{first}");
    assert_eq!(wal.get(first.previous()).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(wal.get(first).unwrap().unwrap().lsn, first);
}

#[test]
fn what_is_not_acknowledged_is_not_found() {
    let builder = Wal::with_store(Arc::new(MemoryStore::new()));
    let (wal, _) = builder.strategy(Strategy::FlushThread).open().unwrap();
    assert!(wal.get(Lsn::FIRST).unwrap().is_none());
    let staged = wal.append("staged").unwrap();
    wal.sync().unwrap();
    assert_eq!(wal.get(staged).unwrap().unwrap().payload, "staged");
}

/// Opening a segment is a read of its header: a search over twice as many costs one more.
#[test]
fn a_lookup_opens_a_logarithm_of_the_segments() {
    let mut most = Vec::new();
    for records in [30 * 32, 30 * 256] {
        let counting = Counting::new(Arc::new(MemoryStore::new()));
        let wal = open(Arc::new(counting.clone()) as Arc<dyn SegmentStore>);
        fill(&wal, records);
        let segments = wal.list_segments().unwrap().len() as u64;
        assert!(segments >= records / 32, "{segments}");
        let mut opens = 0;
        for number in (1..=records).step_by(17) {
            let before = counting.counts().opens;
            assert_eq!(wal.get(lsn(number)).unwrap().unwrap().lsn, lsn(number));
            opens = opens.max(counting.counts().opens - before);
        }
        let bound = u64::from(segments.next_power_of_two().ilog2()) + 4;
        assert!(opens <= bound, "{opens} opens among {segments} segments");
        most.push(opens);
    }
    assert!(most[1] <= most[0] + 3, "eight times the segments: {most:?}");
}

/// The seal's index leads to within 64 KiB of the record, and the index itself is read.
#[test]
fn a_lookup_in_a_sealed_segment_reads_a_small_part_of_it() {
    let counting = Counting::new(Arc::new(MemoryStore::new()));
    let store = Arc::new(counting.clone()) as Arc<dyn SegmentStore>;
    let builder = || Wal::with_store(Arc::clone(&store)).segment_size(16 << 20);
    let (wal, _) = builder().strategy(Strategy::Os).open().unwrap();
    for number in 1..=8000 {
        wal.append(record(number).repeat(2)).unwrap();
    }
    wal.close().unwrap();
    let (wal, _) = builder().open().unwrap();
    assert_eq!(wal.list_segments().unwrap().len(), 1);
    for number in (1..=8000).step_by(311) {
        let before = counting.counts().read_bytes;
        let entry = wal.get(lsn(number)).unwrap().unwrap();
        assert_eq!(entry.payload, record(number).repeat(2));
        let bytes = counting.counts().read_bytes - before;
        assert!(bytes < 160 * 1024, "{bytes} bytes for LSN {number} of a segment of 8 MB");
    }
}

/// Without a seal there is no index, and the frame is searched for.
#[test]
fn a_lookup_in_the_segment_being_written_reads_a_small_part_of_it() {
    let counting = Counting::new(Arc::new(MemoryStore::new()));
    let store = Arc::new(counting.clone()) as Arc<dyn SegmentStore>;
    let builder = Wal::with_store(store).segment_size(16 << 20);
    let (wal, _) = builder.strategy(Strategy::Os).open().unwrap();
    for number in 1..=8000 {
        wal.append(record(number).repeat(2)).unwrap();
    }
    for number in (1..=8000).step_by(311) {
        let before = counting.counts().read_bytes;
        let entry = wal.get(lsn(number)).unwrap().unwrap();
        assert_eq!(entry.payload, record(number).repeat(2));
        let bytes = counting.counts().read_bytes - before;
        assert!(bytes < 400 * 1024, "{bytes} bytes for LSN {number} of a segment of 8 MB");
    }
    assert_eq!(wal.list_segments().unwrap().len(), 1);
}

/// Frames of all lengths, records of nothing but zeros among them, which look like the end.
#[test]
fn the_search_finds_every_record_whatever_lies_around_it() {
    let builder = Wal::with_store(Arc::new(MemoryStore::new())).segment_size(64 << 20);
    let (wal, _) = builder.strategy(Strategy::Os).open().unwrap();
    let mut lengths = Vec::new();
    for round in 0..60_usize {
        for length in [round * 7, 3, 90_000 + round, 0, 40, 200_000 * (round % 3)] {
            wal.append(vec![u8::from(length % 2 == 0) * 0x5a; length]).unwrap();
            lengths.push(length);
        }
    }
    assert_eq!(wal.list_segments().unwrap().len(), 1);
    for (number, length) in (1..).zip(&lengths) {
        let entry = wal.get(lsn(number)).unwrap().unwrap();
        assert_eq!((entry.lsn, entry.payload.len()), (lsn(number), *length));
    }
    let from = wal.read_from(lsn(200)).unwrap().map(|entry| entry.unwrap().payload.len());
    assert_eq!(from.collect::<Vec<_>>(), lengths[199..]);
}

/// Behind a tear lie sound frames that a recovery cuts: nobody sees them by asking for their LSN.
#[test]
fn a_reader_finds_nothing_behind_a_tear() {
    let memory = Arc::new(MemoryStore::new());
    let builder = Wal::with_store(memory.clone()).segment_size(16 << 20);
    let (wal, _) = builder.strategy(Strategy::Os).open().unwrap();
    fill(&wal, 4000);
    let torn = wal.get(lsn(1000)).unwrap().unwrap().position;
    let mut bytes = image(&*memory);
    bytes.get_mut(&1).unwrap()[usize::try_from(torn.offset).unwrap() + 100] ^= 1;
    let reader = Reader::with_store(store(&bytes));
    assert_eq!(reader.survey().unwrap().unwrap().last_lsn(), lsn(999));
    assert_eq!(reader.read_from(lsn(998)).unwrap().count(), 2);
    for from in [1000, 1001, 3000, 4000] {
        assert_eq!(reader.read_from(lsn(from)).unwrap().count(), 0, "from {from}");
    }
}

#[test]
fn a_position_leads_back_to_its_frame() {
    let (_, wal) = filled(100);
    wal.append_batch([b"one", b"two"]).unwrap();
    for entry in wal.read_from(Lsn::FIRST).unwrap() {
        let entry = entry.unwrap();
        let mut from = wal.read_at(entry.position).unwrap();
        let found = from.next().unwrap().unwrap();
        // Of a batch, the frame is the first record's too.
        assert_eq!(found.position, entry.position);
        assert_eq!(found.lsn, entry.lsn.min(lsn(101)));
        assert_eq!(from.count() as u64, 102 - found.lsn.get());
    }
}

#[test]
fn a_position_that_is_no_frame_is_told_apart() {
    let (_, wal) = filled(100);
    let [one, two] = [1, 2].map(|number| wal.get(lsn(number)).unwrap().unwrap().position);
    assert_eq!(one.offset, 4096);
    let refused = |segment, offset| {
        wal.read_at(Position { segment: SegmentId::new(segment), offset }).unwrap_err()
    };
    for offset in [0, 8, 4088, 4097, 4104, two.offset - 8, two.offset + 48] {
        let error = refused(1, offset);
        assert_eq!((error.kind(), error.at_offset()), (ErrorKind::Invalid, Some(offset)));
    }
    let seal = wal.list_segments().unwrap()[0].bytes;
    for (segment, offset) in [(1, seal), (1, u64::MAX), (0, 4096), (99, 4096)] {
        assert_eq!(refused(segment, offset).kind(), ErrorKind::NotFound, "{segment} {offset}");
    }
    // What is not written yet is no frame.
    let (id, end) = wal.current_segment().unwrap();
    assert_eq!(refused(id.get(), end).kind(), ErrorKind::Invalid);
    wal.prune_before(wal.last_lsn()).unwrap();
    assert_eq!(wal.read_at(one).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_damaged_body_at_a_position_is_corruption() {
    let (memory, wal) = filled(100);
    let place = wal.get(lsn(3)).unwrap().unwrap().position;
    let mut bytes = image(&*memory);
    wal.close().unwrap();
    bytes.get_mut(&1).unwrap()[usize::try_from(place.offset).unwrap() + 100] ^= 1;
    let wal = open(store(&bytes));
    let error = wal.read_at(place).unwrap_err();
    assert_eq!((error.kind(), error.at_lsn()), (ErrorKind::Corrupt, Some(lsn(3))));
    assert_eq!(wal.get(lsn(3)).unwrap_err().kind(), ErrorKind::Corrupt);
    assert!(wal.get(lsn(90)).unwrap().is_some());
}

#[test]
fn segments_are_listed_and_read_one_by_one() {
    let (memory, wal) = filled(200);
    let listed = wal.list_segments().unwrap();
    assert!(listed.len() > 5);
    let mut next = lsn(1);
    for info in &listed {
        assert_eq!(info.first_lsn, next);
        assert_eq!(info.bytes, memory.open(info.id).unwrap().size().unwrap());
        assert!(info.created > 0);
        let lsns: Vec<_> =
            wal.read_segment(info.id).unwrap().map(|entry| entry.unwrap().lsn).collect();
        assert_eq!(lsns.first(), Some(&info.first_lsn));
        assert_eq!(lsns.last(), Some(&info.last_lsn));
        assert_eq!(lsns.len() as u64, info.last_lsn.get() - info.first_lsn.get() + 1);
        next = info.last_lsn.next();
    }
    assert_eq!(next, lsn(201));
    let (newest, rest) = listed.split_last().unwrap();
    assert!(rest.iter().all(|info| info.state == SegmentState::Sealed && info.ended.is_some()));
    assert_eq!((newest.state, newest.ended), (SegmentState::Open, None));
    assert_eq!(wal.current_segment_id(), Some(newest.id));
    assert!((4096..=newest.bytes).contains(&wal.current_segment_size()));

    let unknown = wal.read_segment(newest.id.next()).unwrap_err();
    assert_eq!(
        (unknown.kind(), unknown.at_segment()),
        (ErrorKind::NotFound, Some(newest.id.next()))
    );
    wal.close().unwrap();
    let lying = Reader::with_store(memory.clone()).list_segments().unwrap();
    assert_eq!(lying.len(), listed.len());
    assert!(lying.iter().all(|info| info.state == SegmentState::Sealed));
    assert_eq!(lying.last().unwrap().last_lsn, lsn(200));
}

/// Where a crash, and not a seal, ended a segment, the list says so.
#[test]
fn a_segment_that_a_crash_ended_is_listed_as_cut() {
    let (memory, wal) = filled(10);
    wal.sync().unwrap();
    fill(&wal, 1);
    let left = store(&image(&*memory));
    drop(wal);
    let wal = open(left);
    fill(&wal, 5);
    let listed = wal.list_segments().unwrap();
    let states: Vec<_> = listed.iter().map(|info| info.state).collect();
    assert_eq!(states, [SegmentState::Cut, SegmentState::Open]);
    assert!(listed[0].ended.is_some());
    assert_eq!(check(&wal), (1, 16));
}

#[test]
fn a_log_without_segments_has_none_to_list() {
    let wal = open(Arc::new(MemoryStore::new()));
    assert_eq!(wal.list_segments().unwrap(), []);
    assert_eq!((wal.current_segment_id(), wal.current_segment_size()), (None, 0));
    assert!(wal.get(lsn(1)).unwrap().is_none());
    let nowhere = Position { segment: SegmentId::FIRST, offset: 4096 };
    assert_eq!(wal.read_at(nowhere).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(wal.read_segment(SegmentId::FIRST).unwrap_err().kind(), ErrorKind::NotFound);
}
