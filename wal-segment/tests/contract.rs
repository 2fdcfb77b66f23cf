//! The sentences of the store seam, one test each, against every store of this crate.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod common;

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::thread;

use tempfile::TempDir;
use wal_core::{Durability, SegmentId, SegmentReader, SegmentStore};
use wal_segment::{FileStore, MemoryStore, Preparation};

use common::{Held, held, made};

const SIZE: u64 = 100_000;

/// A place where a store can be opened again and again.
enum Place {
    Files(TempDir, Preparation),
    Memory(MemoryStore),
}

impl Place {
    fn all() -> Vec<Self> {
        let preparations = [
            Preparation::None,
            Preparation::Whole,
            Preparation::Chunks(16 * 1024),
            Preparation::ZeroFill,
        ];
        let files = |preparation| Self::Files(tempfile::tempdir().unwrap(), preparation);
        let mut places: Vec<_> = preparations.into_iter().map(files).collect();
        places.push(Self::Memory(MemoryStore::new()));
        places
    }

    /// The unit that space is given back in.
    fn block(&self) -> u64 {
        match self {
            Self::Files(dir, _) => fs::metadata(dir.path()).unwrap().blksize().max(4096),
            Self::Memory(_) => 1,
        }
    }

    /// A store that may be written to.
    fn held(&self) -> Held<dyn SegmentStore> {
        held(self.store())
    }

    fn store(&self) -> Box<dyn SegmentStore> {
        match self {
            Self::Files(dir, preparation) => {
                Box::new(FileStore::open(dir.path()).unwrap().preparation(*preparation))
            }
            Self::Memory(store) => Box::new(store.clone()),
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files(_, preparation) => write!(f, "files with {preparation:?}"),
            Self::Memory(_) => f.write_str("memory"),
        }
    }
}

fn id(number: u64) -> SegmentId {
    SegmentId::new(number)
}

/// Bytes that differ from zero and from their neighbours.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| u8::try_from(at % 251 + 1).unwrap()).collect()
}

fn contents(reader: &dyn SegmentReader) -> Vec<u8> {
    let mut bytes = vec![0xAA; usize::try_from(reader.size().unwrap()).unwrap()];
    assert_eq!(reader.read_at(0, &mut bytes).unwrap(), bytes.len());
    bytes
}

fn assert_holds(store: &dyn SegmentStore, number: u64, expected: &[u8], place: &Place) {
    let bytes = contents(&*store.open(id(number)).unwrap());
    assert!(bytes.starts_with(expected), "{place:?}: the bytes appended");
    assert!(bytes[expected.len()..].iter().all(|byte| *byte == 0), "{place:?}: zeros behind them");
}

#[test]
fn an_empty_store_lists_nothing() {
    for place in Place::all() {
        assert_eq!(place.store().list().unwrap(), [], "{place:?}");
    }
}

#[test]
fn segments_are_listed_by_number() {
    for place in Place::all() {
        for number in [10, 2, u64::MAX, 1] {
            made(&*place.held(), id(number), SIZE);
        }
        let all = [1, 2, 10, u64::MAX].map(id);
        assert_eq!(place.store().list().unwrap(), all, "{place:?}");
    }
}

#[test]
fn a_number_that_is_taken_is_refused_and_its_segment_left_alone() {
    for place in Place::all() {
        let store = place.held();
        made(&*store, id(1), SIZE).append(b"first").unwrap();
        let error = store.create(id(1), SIZE).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{place:?}");
        assert_holds(&*store, 1, b"first", &place);
    }
}

#[test]
fn prepared_space_reads_as_zeros() {
    for place in Place::all() {
        let store = place.held();
        let writer = made(&*store, id(1), SIZE);
        assert_eq!(writer.end(), 0, "{place:?}");
        assert_holds(&*store, 1, b"", &place);
    }
}

#[test]
fn a_segment_of_no_size_can_be_made_and_grows() {
    for place in Place::all() {
        let store = place.held();
        let mut writer = made(&*store, id(1), 0);
        assert_eq!(store.open(id(1)).unwrap().size().unwrap(), 0, "{place:?}");
        writer.append(&pattern(5000)).unwrap();
        assert_holds(&*store, 1, &pattern(5000), &place);
    }
}

#[test]
fn a_reader_sees_an_append_when_it_returns() {
    for place in Place::all() {
        let store = place.held();
        let mut writer = made(&*store, id(1), SIZE);
        let reader = store.open(id(1)).unwrap();
        let bytes = pattern(50_000);
        for (at, piece) in (0..).zip(bytes.chunks(777)) {
            writer.append(piece).unwrap();
            let mut read = vec![0; piece.len()];
            assert_eq!(reader.read_at(at * 777, &mut read).unwrap(), piece.len(), "{place:?}");
            assert_eq!(read, piece, "{place:?}");
        }
        assert_eq!(writer.end(), 50_000, "{place:?}");
        assert_holds(&*store, 1, &bytes, &place);
    }
}

#[test]
fn appending_nothing_changes_nothing() {
    for place in Place::all() {
        let store = place.held();
        let mut writer = made(&*store, id(1), SIZE);
        writer.append(b"x").unwrap();
        writer.append(b"").unwrap();
        assert_eq!(writer.end(), 1, "{place:?}");
        assert_holds(&*store, 1, b"x", &place);
    }
}

/// A record may be larger than the segments are meant to be; the size is what is prepared, and no
/// limit.
#[test]
fn a_segment_grows_past_its_size() {
    for place in Place::all() {
        let store = place.held();
        let mut writer = made(&*store, id(1), 10);
        writer.append(&pattern(40_000)).unwrap();
        writer.append(b"more").unwrap();
        writer.syncer().sync().unwrap();
        let expected = [pattern(40_000), b"more".to_vec()].concat();
        assert_holds(&*store, 1, &expected, &place);
    }
}

#[test]
fn what_was_appended_is_there_when_the_store_is_opened_again() {
    for place in Place::all() {
        let store = place.held();
        let mut writer = made(&*store, id(3), SIZE);
        writer.append(&pattern(9000)).unwrap();
        writer.syncer().sync().unwrap();
        drop(writer);
        assert_eq!(place.store().list().unwrap(), [id(3)], "{place:?}");
        assert_holds(&*place.store(), 3, &pattern(9000), &place);
    }
}

#[test]
fn a_sync_runs_beside_appends_and_outlives_the_writer() {
    for place in Place::all() {
        let store = place.held();
        let mut writer = made(&*store, id(1), SIZE);
        let syncer = writer.syncer();
        let syncs = thread::spawn({
            let syncer = Arc::clone(&syncer);
            move || (0..20).try_for_each(|_| syncer.sync())
        });
        for piece in pattern(20_000).chunks(100) {
            writer.append(piece).unwrap();
        }
        syncs.join().unwrap().unwrap();
        drop(writer);
        syncer.sync().unwrap();
        assert_holds(&*store, 1, &pattern(20_000), &place);
    }
}

#[test]
fn a_read_is_short_only_at_the_end() {
    for place in Place::all() {
        let store = place.held();
        made(&*store, id(1), 0).append(&pattern(1000)).unwrap();
        let reader = store.open(id(1)).unwrap();
        let size = reader.size().unwrap();
        for (offset, asked) in
            [(0, 0), (0, 1000), (1, 999), (1, 5000), (999, 2), (1000, 1), (5000, 7), (u64::MAX, 3)]
        {
            let mut buffer = vec![0xAA; asked];
            let read = reader.read_at(offset, &mut buffer).unwrap();
            let there = usize::try_from(size.saturating_sub(offset)).unwrap();
            assert_eq!(read, asked.min(there), "{place:?}: {asked} bytes at {offset} of {size}");
        }
    }
}

#[test]
fn a_segment_that_is_not_there_is_not_found() {
    for place in Place::all() {
        let store = place.held();
        made(&*store, id(1), SIZE);
        assert_eq!(store.open(id(2)).unwrap_err().kind(), ErrorKind::NotFound, "{place:?}");
        assert_eq!(store.trim(id(2), 0).unwrap_err().kind(), ErrorKind::NotFound, "{place:?}");
    }
}

#[test]
fn trim_keeps_every_byte_before_its_length_and_at_most_a_block_behind() {
    for place in Place::all() {
        for len in [0, 1, 4095, 4096, 4097, 8192, 60_000, 99_999] {
            let store = place.held();
            store.remove(&[id(1)]).unwrap();
            made(&*store, id(1), SIZE).append(&pattern(100_000)).unwrap();
            store.trim(id(1), len).unwrap();
            let bytes = contents(&*place.store().open(id(1)).unwrap());
            let size = bytes.len() as u64;
            assert!((len..len + place.block()).contains(&size), "{place:?}: {len} left {size}");
            assert_eq!(bytes, pattern(bytes.len()), "{place:?}: {len}");
        }
    }
}

#[test]
fn trim_leaves_a_segment_that_is_not_longer_as_it_is() {
    for place in Place::all() {
        let store = place.held();
        made(&*store, id(1), 0).append(&pattern(5000)).unwrap();
        let before = contents(&*store.open(id(1)).unwrap());
        for len in [5000, 8192, SIZE, u64::MAX] {
            store.trim(id(1), len).unwrap();
            assert_eq!(contents(&*store.open(id(1)).unwrap()), before, "{place:?}: {len}");
        }
    }
}

#[test]
fn a_writer_goes_on_after_its_segment_was_trimmed() {
    for place in Place::all() {
        let store = place.held();
        let mut writer = made(&*store, id(1), SIZE);
        writer.append(&pattern(6000)).unwrap();
        store.trim(id(1), 6000).unwrap();
        writer.append(b"more").unwrap();
        let expected = [pattern(6000), b"more".to_vec()].concat();
        assert_holds(&*store, 1, &expected, &place);
    }
}

#[test]
fn removed_segments_are_gone_and_missing_ones_passed_over() {
    for place in Place::all() {
        let store = place.held();
        for number in 1..=4 {
            made(&*store, id(number), SIZE);
        }
        store.remove(&[id(1), id(7), id(3), id(1)]).unwrap();
        store.remove(&[]).unwrap();
        assert_eq!(store.list().unwrap(), [id(2), id(4)], "{place:?}");
        assert_eq!(store.open(id(3)).unwrap_err().kind(), ErrorKind::NotFound, "{place:?}");
    }
}

#[test]
fn a_removed_number_can_be_used_again_and_starts_empty() {
    for place in Place::all() {
        let store = place.held();
        made(&*store, id(1), SIZE).append(&pattern(9000)).unwrap();
        store.remove(&[id(1)]).unwrap();
        let writer = made(&*store, id(1), SIZE);
        assert_eq!(writer.end(), 0, "{place:?}");
        assert_holds(&*store, 1, b"", &place);
    }
}

/// Retention must not pull a segment away from under a slow reader.
#[test]
fn a_reader_keeps_a_removed_segment() {
    for place in Place::all() {
        let store = place.held();
        made(&*store, id(1), SIZE).append(&pattern(9000)).unwrap();
        let reader = store.open(id(1)).unwrap();
        store.remove(&[id(1)]).unwrap();
        assert!(contents(&*reader).starts_with(&pattern(9000)), "{place:?}");
    }
}

#[test]
fn one_handle_holds_the_lock_until_it_is_dropped() {
    for place in Place::all() {
        let (first, second) = (place.store(), place.store());
        let lock = first.lock().unwrap();
        assert_eq!(first.lock().unwrap_err().kind(), ErrorKind::WouldBlock, "{place:?}");
        assert_eq!(second.lock().unwrap_err().kind(), ErrorKind::WouldBlock, "{place:?}");
        drop(first);
        assert_eq!(second.lock().unwrap_err().kind(), ErrorKind::WouldBlock, "{place:?}");
        drop(lock);
        drop(second.lock().unwrap());
        place.store().lock().unwrap();
    }
}

#[test]
fn the_lock_is_no_segment_and_readers_need_none() {
    for place in Place::all() {
        let store = place.held();
        made(&*store, id(1), SIZE).append(b"x").unwrap();
        assert_eq!(place.store().list().unwrap(), [id(1)], "{place:?}");
        assert_holds(&*place.store(), 1, b"x", &place);
    }
}

#[test]
fn files_promise_to_survive_a_power_cut_and_memory_does_not() {
    for place in Place::all() {
        let promised = place.store().guarantees();
        let expected = match place {
            Place::Files(..) => Durability::Power,
            Place::Memory(_) => Durability::Handle,
        };
        assert_eq!(promised.durability, expected, "{place:?}");
        assert_eq!((promised.alignment, promised.overlapping_syncs), (1, 1), "{place:?}");
    }
}

/// A log holds other people's data: none of it may end up in a trace.
#[test]
fn debug_shows_sizes_and_no_contents() {
    for place in Place::all() {
        let store = place.held();
        let mut writer = made(&*store, id(1), SIZE);
        writer.append(b"secret").unwrap();
        let reader = store.open(id(1)).unwrap();
        let text = format!("{:?} {writer:?} {:?} {reader:?}", &*store, writer.syncer());
        assert!(text.len() < 1500, "{place:?}: {text}");
        assert!(!text.contains("secret") && !text.contains("115, 101, 99"), "{place:?}: {text}");
    }
}
