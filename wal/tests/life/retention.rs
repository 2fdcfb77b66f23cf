//! Limits on what is kept.

use std::sync::Arc;
use std::time::Duration;

use wal::parts::core::SegmentStore;
use wal::parts::segment::MemoryStore;
use wal::{ErrorKind, Retention, Strategy, Wal};

use crate::fixture::{HandClock, check, fill, filled, lsn, open};

#[test]
fn without_a_limit_everything_stays() {
    let (memory, wal) = filled(200);
    let before = memory.bytes();
    let done = wal.retain(&Retention::all()).unwrap();
    assert_eq!((done.segments, done.bytes, done.held_segments), (0, 0, 0));
    assert_eq!((memory.bytes(), check(&wal)), (before, (1, 200)));
}

#[test]
fn each_limit_deletes_the_oldest_segments_only() {
    let count = filled(200).1.list_segments().unwrap().len();
    let newest = count as u64 - 1;
    let bytes: Vec<_> =
        filled(200).1.list_segments().unwrap().iter().map(|info| info.bytes).collect();
    let in_newest = {
        let segments = filled(200).1.list_segments().unwrap();
        201 - segments.last().unwrap().first_lsn.get()
    };
    let last_three: u64 = bytes[count - 3..].iter().sum();
    let limits = [
        (Retention::all().at_most_segments(3), newest - 2),
        (Retention::all().at_most_segments(1), newest),
        (Retention::all().at_most_segments(0), newest),
        (Retention::all().at_most_segments(1000), 0),
        (Retention::all().at_most_bytes(last_three), newest - 2),
        (Retention::all().at_most_bytes(last_three - 1), newest - 1),
        (Retention::all().at_most_bytes(0), newest),
        (Retention::all().at_most_bytes(u64::MAX), 0),
        (Retention::all().from(lsn(1)), 0),
        (Retention::all().from(lsn(200)), newest),
        (Retention::all().from(lsn(201)), newest),
        // The strictest decides.
        (Retention::all().at_most_segments(3).at_most_bytes(last_three - 1), newest - 1),
        (Retention::all().from(lsn(1)).at_most_segments(2), newest - 1),
        // But not over the least that is to stay: the records of the newest, one more, all.
        (Retention::all().at_most_segments(1).at_least_records(in_newest), newest),
        (Retention::all().at_most_segments(1).at_least_records(in_newest + 1), newest - 1),
        (Retention::all().at_most_bytes(0).at_least_records(200), 0),
        (Retention::all().at_most_bytes(0).at_least_records(u64::MAX), 0),
        (Retention::all().at_least_records(1), 0),
    ];
    for (retention, goes) in limits {
        let (memory, wal) = filled(200);
        let segments = wal.list_segments().unwrap();
        let place = usize::try_from(goes).unwrap();
        let done = wal.retain(&retention).unwrap();
        assert_eq!(done.segments, goes, "{retention:?}");
        assert_eq!(done.bytes, bytes[..place].iter().sum::<u64>(), "{retention:?}");
        assert_eq!(done.first_lsn, segments[place].first_lsn, "{retention:?}");
        assert_eq!(memory.list().unwrap().len(), count - place, "{retention:?}");
        assert_eq!(check(&wal), (done.first_lsn.get(), 200), "{retention:?}");
    }
}

#[test]
fn a_limit_at_a_record_never_issued_is_refused() {
    let (_, wal) = filled(50);
    let refused = wal.retain(&Retention::all().from(lsn(52))).unwrap_err();
    assert_eq!((refused.kind(), refused.at_lsn()), (ErrorKind::Invalid, Some(lsn(52))));
    assert_eq!(check(&wal), (1, 50));
}

#[test]
fn old_segments_go_by_the_clock_of_the_log() {
    let clock = Arc::new(HandClock::default());
    let memory = Arc::new(MemoryStore::new());
    let open = || {
        let store = Arc::clone(&memory) as Arc<dyn SegmentStore>;
        let builder = Wal::with_store(store).segment_size(16 * 1024).strategy(Strategy::Os);
        builder.env(clock.clone()).open().unwrap().0
    };
    let wal = open();
    for record in 1..=200 {
        clock.set(1000 + record);
        fill(&wal, 1);
    }
    wal.close().unwrap();
    // The next segment is made long after; the seals say when the others ended.
    clock.set(5000);
    let wal = open();
    fill(&wal, 1);
    let segments = wal.list_segments().unwrap();
    let keep = |seconds| {
        let done = wal.retain(&Retention::all().younger_than(Duration::from_secs(seconds)));
        (done.unwrap().segments, check(&wal).0)
    };
    assert_eq!(keep(5000), (0, 1));
    // The third one ended, with the first record of the fourth, 1000 + that LSN.
    let third_ended = 1000 + segments[3].first_lsn.get();
    assert_eq!(segments[2].ended, Some(third_ended * 1_000_000_000));
    assert_eq!(keep(5000 - third_ended + 1), (2, segments[2].first_lsn.get()));
    assert_eq!(keep(5000 - third_ended), (1, segments[3].first_lsn.get()));
    // Set back, the clock deletes nothing.
    clock.set(0);
    assert_eq!(keep(1).0, 0);
    clock.set(5000);
    assert_eq!(keep(0), (segments.len() as u64 - 4, 201));
}

/// A clock that was ahead once dated segments later than now, and retention stopped at the first of them
/// without a word, for ever.
#[test]
fn f13_a_clock_that_was_ahead_once_does_not_stop_retention() {
    let clock = Arc::new(HandClock::default());
    let memory = Arc::new(MemoryStore::new());
    let open = || {
        let store = Arc::clone(&memory) as Arc<dyn SegmentStore>;
        let builder = Wal::with_store(store).segment_size(16 * 1024).strategy(Strategy::Os);
        builder.env(clock.clone()).open().unwrap().0
    };
    let wal = open();
    let fill_at = |seconds, records| {
        clock.set(seconds);
        fill(&wal, records);
    };
    fill_at(1000, 60);
    fill_at(1_000_000, 60);
    let ahead = wal.list_segments().unwrap().len();
    let keep = |now, seconds| {
        clock.set(now);
        wal.retain(&Retention::all().younger_than(Duration::from_secs(seconds))).unwrap()
    };
    // All that there is behind the first is dated later than now: how old it is nobody knows.
    let done = keep(2000, 1000);
    assert!(done.segments > 0 && done.dated_ahead > 0, "{done:?}");
    assert_eq!(done.segments + done.dated_ahead + 1, ahead as u64, "{done:?}");
    let told = done.to_string();
    assert!(told.contains(&format!("of unknown age: segments {}", done.dated_ahead)), "{told}");
    clock.set(2000);
    fill(&wal, 60);
    // As old as the first one that is not: not so old yet, and then it is.
    assert_eq!(keep(2999, 1000).segments, 0);
    let done = keep(3000, 1000);
    assert!(done.segments >= 3 && done.dated_ahead == 0, "{done:?}");
    assert_eq!(check(&wal).1, 180);
}

#[test]
fn what_stays_for_a_hold_is_told_with_its_name() {
    let (_, wal) = filled(200);
    let segments = wal.list_segments().unwrap();
    let bytes =
        |from: usize, to: usize| segments[from..to].iter().map(|info| info.bytes).sum::<u64>();
    let _slow = wal.hold("slow", segments[2].first_lsn).unwrap();
    let _slower = wal.hold("fast", segments[3].last_lsn).unwrap();
    let _ahead = wal.hold("ahead", lsn(200)).unwrap();
    let done = wal.retain(&Retention::all().from(segments[5].first_lsn)).unwrap();
    assert_eq!((done.segments, done.bytes), (2, bytes(0, 2)));
    assert_eq!(done.first_lsn, segments[2].first_lsn);
    assert_eq!((done.held_segments, done.held_bytes), (3, bytes(2, 5)));
    let held: Vec<_> = done.held_by.iter().map(|held| (held.name.as_str(), held.bytes)).collect();
    assert_eq!(held, [("fast", bytes(3, 5)), ("slow", bytes(2, 5))]);
    let text = done.to_string();
    assert_eq!(text.lines().count(), 4, "{text}");
    assert!(text.contains("held back: segments 3"), "{text}");
}

#[test]
fn an_empty_log_has_nothing_to_give() {
    let wal = open(Arc::new(MemoryStore::new()));
    let done = wal.retain(&Retention::all().at_most_bytes(0)).unwrap();
    assert_eq!((done.segments, done.first_lsn), (0, lsn(1)));
    assert_eq!(wal.space().unwrap().to_string(), "segments 0, bytes 0, no records, LSN 1 is next");
}
