//! How records come to lie in frames and segments.

use std::sync::Arc;

use wal_commit::{GroupCommit, Options, Pipeline};
use wal_core::{Applied, ErrorKind, Lsn, Result, Transform, TransformId};
use wal_testkit::{CutChoice, Profile, SimDisk, SimStore};

use crate::common::{left, left_of, one_segment, small_segments, start};

fn log(options: Options) -> (SimDisk, Arc<Pipeline>) {
    let disk = SimDisk::new(Profile::STRICT);
    let strategy = Arc::new(GroupCommit::new());
    let log = start(SimStore::new(disk.clone()), strategy, options).unwrap();
    (disk, log)
}

#[test]
fn segments_end_and_follow_each_other() {
    let (disk, log) = log(small_segments());
    for n in 0..50_u8 {
        let lsn = log.append(&[n; 1000]).unwrap();
        log.wait(lsn).unwrap();
    }
    log.close().unwrap();
    let left = left_of(&disk);
    assert_eq!(left.records.len(), 50);
    assert!(left.segments.len() >= 20, "{:?}", left.segments);
    let size = small_segments().segment_size;
    assert!(left.segments.iter().all(|&(_, end)| end <= size), "{:?}", left.segments);
}

/// A record that is larger than a segment has one to itself, and those around it are not moved.
#[test]
fn an_oversized_record_gets_a_segment_of_its_own() {
    let (disk, log) = log(small_segments());
    let sizes = [10, 100_000, 10, 40_000, 50_000, 10];
    for (n, size) in (0_u8..).zip(sizes) {
        let lsn = log.append(&vec![n; size]).unwrap();
        log.wait(lsn).unwrap();
    }
    log.close().unwrap();
    let left = left_of(&disk);
    assert_eq!(left.records.iter().map(Vec::len).collect::<Vec<_>>(), sizes);
    let holders: Vec<_> = left.starts.iter().map(|&(_, segment, _)| segment.get()).collect();
    assert_eq!(holders, [1, 2, 3, 4, 5, 6]);
}

/// And a batch that is larger, likewise: in one frame, in one segment.
#[test]
fn an_oversized_batch_gets_a_segment_of_its_own() {
    let (disk, log) = log(small_segments());
    log.append(b"before").unwrap();
    log.append_batch(&vec![[1; 1000]; 30]).unwrap();
    log.append(b"after").unwrap();
    log.close().unwrap();
    let left = left_of(&disk);
    assert_eq!(left.frames, [1, 30, 1]);
    assert_eq!(left.last_lsn(), Lsn::new(32));
}

/// Aligned to the device's block, no flush ever rewrites a block that holds acknowledged records.
#[test]
fn alignment_pads_every_flush() {
    let mut options = one_segment();
    options.alignment = 4096;
    options.segment_size = 1 << 20;
    let (disk, log) = log(options);
    let mut ends = Vec::new();
    for size in [1, 3000, 4000, 4047, 4048, 4049, 4090, 4096, 9000] {
        let lsn = log.append(&vec![7; size]).unwrap();
        log.wait(lsn).unwrap();
        let (_, end) = log.current_segment().unwrap();
        assert_eq!(end % 4096, 0, "a flush of {size} bytes ends at {end}");
        ends.push(end);
    }
    assert!(ends.is_sorted_by(|before, after| before < after));
    log.close().unwrap();
    let left = left_of(&disk);
    assert!(left.padded_ends.iter().all(|end| end % 4096 == 0));
    assert_eq!(left.records.len(), 9);
}

/// Turns all bits over; leaves bodies that begin with a zero as they are, and refuses some.
#[derive(Debug)]
struct Flipped;

const FLIPPED: TransformId = TransformId(77);

impl Transform for Flipped {
    fn id(&self) -> TransformId {
        FLIPPED
    }

    fn apply(&self, body: &[u8], out: &mut Vec<u8>) -> Result<Applied> {
        // The first byte is the length of the first record.
        match body[1] {
            0 => {
                // What a transform leaves behind where it gives up is not the pipeline's to keep.
                out.extend_from_slice(b"half");
                out.truncate(out.len() - 4);
                Ok(Applied::Skipped)
            }
            0xee => Err(wal_core::Error::new(ErrorKind::Invalid, "no such key")),
            _ => {
                out.extend(body.iter().map(|byte| !byte));
                out.extend_from_slice(b"and more");
                Ok(Applied::Stored)
            }
        }
    }

    fn undo(&self, stored: &[u8], _limit: usize, out: &mut Vec<u8>) -> Result<()> {
        let body = &stored[..stored.len() - b"and more".len()];
        out.extend(body.iter().map(|byte| !byte));
        Ok(())
    }
}

fn undone(id: TransformId, stored: &[u8]) -> Vec<u8> {
    if id == TransformId::NONE {
        return stored.to_vec();
    }
    assert_eq!(id, FLIPPED);
    let mut body = Vec::new();
    Flipped.undo(stored, usize::MAX, &mut body).unwrap();
    body
}

#[test]
fn a_transform_has_every_frame_or_leaves_it() {
    for alignment in [8, 4096] {
        let mut options = small_segments();
        options.transform = Some(Arc::new(Flipped));
        options.alignment = alignment;
        let (disk, log) = log(options);
        let records: Vec<_> = (0..40_u8).map(|n| vec![n % 2; 80 + usize::from(n)]).collect();
        for record in &records {
            let lsn = log.append(record).unwrap();
            log.wait(lsn).unwrap();
        }
        log.close().unwrap();
        let store = SimStore::new(disk.power_cut(CutChoice::Nothing));
        let left = left(&store, &undone);
        assert_eq!(left.records, records);
        for (n, id) in left.transforms.iter().enumerate() {
            let skipped = n % 2 == 0;
            assert_eq!(*id, if skipped { TransformId::NONE } else { FLIPPED }, "frame {n}");
        }
    }
}

/// Frames that a transform has refused are not half written: what was durable stays so.
#[test]
fn a_transform_that_fails_poisons() {
    let mut options = one_segment();
    options.transform = Some(Arc::new(Flipped));
    let (disk, log) = log(options);
    let good = log.append(&[1]).unwrap();
    log.wait(good).unwrap();
    let bad = log.append(&[0xee]).unwrap();
    let error = log.wait(bad).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Poisoned);
    assert!(error.report().contains("no such key"), "{error:?}");
    drop(log);
    let store = SimStore::new(disk.power_cut(CutChoice::Everything));
    assert_eq!(left(&store, &undone).records, [[1]]);
}

#[test]
fn sizes_that_no_log_can_work_with_are_refused_by_name() {
    type Wrong = fn(&mut Options);
    let wrong: [(&str, Wrong); 6] = [
        ("segment_size", |options| options.segment_size = 16_383),
        ("frame_size", |options| options.frame_size = 0),
        ("record_limit", |options| options.record_limit = options.batch_limit + 1),
        ("batch_limit", |options| options.batch_limit = 1 << 30),
        ("buffer_size", |options| options.buffer_size = 0),
        ("alignment", |options| options.alignment = 24),
    ];
    for (field, wrong) in wrong {
        let mut options = Options::default();
        wrong(&mut options);
        let store = SimStore::new(SimDisk::new(Profile::STRICT));
        let error = start(store, Arc::new(GroupCommit::new()), options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.what().starts_with(field), "{field}: {error}");
    }
}
