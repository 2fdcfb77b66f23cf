//! Readers that are waited for.

use std::sync::Arc;

use wal::parts::segment::MemoryStore;
use wal::{ErrorKind, Lsn, Retention, SegmentId};

use crate::fixture::{check, fill, filled, lsn, open};

#[test]
fn nothing_that_a_hold_keeps_is_pruned() {
    let (_, wal) = filled(200);
    let hold = wal.hold("replica", lsn(60)).unwrap();
    let newest = wal.current_segment_id().unwrap();
    let first = wal.prune_before(lsn(150)).unwrap();
    assert!(first > lsn(1) && first <= lsn(60), "{first}");
    assert_eq!(wal.delete_segments_before(newest).unwrap(), first);
    assert_eq!(wal.retain(&Retention::all().at_most_segments(1)).unwrap().first_lsn, first);
    assert_eq!(wal.get(lsn(60)).unwrap().unwrap().lsn, lsn(60));

    hold.advance(lsn(100));
    hold.advance(lsn(70));
    assert_eq!(hold.lsn(), lsn(100));
    let second = wal.prune_before(lsn(150)).unwrap();
    assert!(second > lsn(60) && second <= lsn(100), "{second}");

    drop(hold);
    let third = wal.prune_before(lsn(150)).unwrap();
    assert!(third > lsn(100) && third <= lsn(150), "{third}");
    assert_eq!(check(&wal), (third.get(), 200));
}

#[test]
fn the_slowest_of_several_holds_decides() {
    let (_, wal) = filled(200);
    let slow = wal.hold("slow", lsn(40)).unwrap();
    let fast = wal.hold("fast", lsn(160)).unwrap();
    assert!(wal.prune_before(lsn(200)).unwrap() <= lsn(40));
    drop(slow);
    let first = wal.prune_before(lsn(200)).unwrap();
    assert!(first > lsn(40) && first <= lsn(160), "{first}");
    drop(fast);
    assert!(wal.prune_before(lsn(200)).unwrap() > lsn(160));
}

#[test]
fn a_name_is_held_once_and_free_again() {
    let (_, wal) = filled(20);
    let hold = wal.hold("replica", lsn(5)).unwrap();
    assert_eq!(hold.name(), "replica");
    let taken = wal.hold("replica", lsn(9)).unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::Invalid);
    assert!(taken.what().contains("replica"), "{taken}");
    assert_eq!(hold.lsn(), lsn(5), "the one who came later has changed it");
    drop(hold);
    assert_eq!(wal.hold("replica", lsn(9)).unwrap().lsn(), lsn(9));
}

#[test]
fn a_hold_is_on_a_record_that_is_there_or_the_next() {
    let (_, wal) = filled(100);
    let first = wal.prune_before(lsn(50)).unwrap();
    let refused = |at| wal.hold("reader", at).unwrap_err().kind();
    assert_eq!(refused(first.previous()), ErrorKind::NotFound);
    assert_eq!(refused(Lsn::ZERO), ErrorKind::NotFound);
    assert_eq!(refused(lsn(102)), ErrorKind::Invalid);
    for at in [first, lsn(100), lsn(101)] {
        assert_eq!(wal.hold("reader", at).unwrap().lsn(), at);
    }
    let empty = open(Arc::new(MemoryStore::new()));
    assert_eq!(empty.hold("reader", Lsn::ZERO).unwrap().lsn(), Lsn::FIRST);
}

#[test]
fn a_hold_behind_a_truncation_moves_to_the_cut() {
    let (_, wal) = filled(100);
    let before = wal.hold("before", lsn(20)).unwrap();
    let behind = wal.hold("behind", lsn(80)).unwrap();
    wal.truncate_after(lsn(50)).unwrap();
    assert_eq!((before.lsn(), behind.lsn()), (lsn(20), lsn(51)));
    fill(&wal, 100);
    drop(before);
    assert!(wal.prune_before(lsn(140)).unwrap() <= lsn(51));
    assert_eq!(wal.get(lsn(51)).unwrap().unwrap().lsn, lsn(51));
}

/// A hold is nobody's claim to the log: it outlives it, and keeps it from nothing.
#[test]
fn holds_end_with_the_log() {
    let (memory, wal) = filled(100);
    let hold = wal.hold("replica", lsn(1)).unwrap();
    wal.close().unwrap();
    drop(wal);
    let wal = open(memory);
    assert!(wal.prune_before(lsn(100)).unwrap() > lsn(50));
    hold.advance(lsn(7));
    assert_eq!(wal.space().unwrap().holds, []);
}

#[test]
fn segments_are_deleted_by_number() {
    let (_, wal) = filled(200);
    let segments = wal.list_segments().unwrap();
    let [third, newest] = [&segments[2], segments.last().unwrap()];
    assert_eq!(wal.delete_segments_before(third.id).unwrap(), third.first_lsn);
    assert_eq!(wal.delete_segments_before(SegmentId::FIRST).unwrap(), third.first_lsn);
    assert_eq!(wal.list_segments().unwrap()[0].id, third.id);
    let unknown = wal.delete_segments_before(newest.id.next()).unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::NotFound);
    assert_eq!(check(&wal), (third.first_lsn.get(), 200));
    assert_eq!(wal.delete_segments_before(newest.id).unwrap(), newest.first_lsn);
    assert_eq!(check(&wal), (newest.first_lsn.get(), 200));
}

#[test]
fn the_report_says_who_keeps_how_much() {
    let (_, wal) = filled(200);
    let segments = wal.list_segments().unwrap();
    let at = |place: usize| segments[place].first_lsn;
    let bytes = |from: usize| -> u64 {
        segments[from..segments.len() - 1].iter().map(|info| info.bytes).sum()
    };
    let _slow = wal.hold("slow", at(1).next()).unwrap();
    let _fast = wal.hold("fast", at(4)).unwrap();
    let _done = wal.hold("done", lsn(201)).unwrap();
    let space = wal.space().unwrap();
    assert_eq!(space.segments, segments.len() as u64);
    assert_eq!(space.bytes, segments.iter().map(|info| info.bytes).sum::<u64>());
    assert_eq!((space.first_lsn, space.last_lsn), (lsn(1), lsn(200)));
    let held: Vec<_> = space.holds.iter().map(|held| (held.name.as_str(), held.bytes)).collect();
    assert_eq!(held, [("done", 0), ("fast", bytes(4)), ("slow", bytes(1))]);
    let text = space.to_string();
    assert_eq!(text.lines().count(), 4, "{text}");
    assert!(text.starts_with(&format!("segments {}, bytes {}, ", space.segments, space.bytes)));
    let slow = format!("held by \"slow\" from LSN {} on: bytes {}", at(1).next(), bytes(1));
    assert!(text.lines().any(|line| line == slow), "{text}");
}
