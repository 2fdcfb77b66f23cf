//! What may be in flight counts behind the transform.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use wal::parts::core::{Applied, SegmentStore, Transform, TransformId};
use wal::{Config, ErrorKind, Lsn, Recovery, Result, Strategy, Wal};
use wal_testkit::{CutChoice, Profile, SimDisk, SimStore};

use crate::hooked::{Gate, Hooked, Step};

/// Stores so many bytes for each.
#[derive(Debug)]
struct Wide(usize);

impl Transform for Wide {
    fn id(&self) -> TransformId {
        TransformId(200)
    }

    fn apply(&self, body: &[u8], out: &mut Vec<u8>) -> Result<Applied> {
        out.extend(body.iter().flat_map(|byte| std::iter::repeat_n(byte ^ 0x5a, self.0)));
        Ok(Applied::Stored)
    }

    fn undo(&self, stored: &[u8], _: usize, out: &mut Vec<u8>) -> Result<()> {
        out.extend(stored.iter().step_by(self.0).map(|byte| byte ^ 0x5a));
        Ok(())
    }
}

/// Stores each run of equal bytes in three, and so shrinks some frames and makes others wider.
#[derive(Debug)]
struct Runs;

impl Transform for Runs {
    fn id(&self) -> TransformId {
        TransformId(201)
    }

    fn apply(&self, body: &[u8], out: &mut Vec<u8>) -> Result<Applied> {
        for run in body.chunk_by(|a, b| a == b).flat_map(|run| run.chunks(usize::from(u16::MAX))) {
            out.push(run[0]);
            out.extend(u16::try_from(run.len()).unwrap().to_le_bytes());
        }
        Ok(Applied::Stored)
    }

    fn undo(&self, stored: &[u8], _: usize, out: &mut Vec<u8>) -> Result<()> {
        for run in stored.chunks(3) {
            out.extend(std::iter::repeat_n(run[0], u16::from_le_bytes([run[1], run[2]]).into()));
        }
        Ok(())
    }
}

fn config() -> Config {
    let mut config = Config::default();
    (config.buffer_size, config.batch_limit) = (16 << 10, 16 << 10);
    (config.record_limit, config.frame_size) = (16 << 10, 4 << 10);
    (config.strategy, config.segment_size) = (Strategy::GroupCommit, 1 << 20);
    config
}

/// Bytes that are all alike, or none like its neighbour.
fn record(n: u64) -> Vec<u8> {
    if n.is_multiple_of(2) { vec![1; 1000] } else { (0..=u8::MAX).cycle().take(1000).collect() }
}

/// A disk whose syncs stop at the gate once so many are over; from the time on that it is told a number.
fn hanging(disk: &SimDisk, gate: &Arc<Gate>, syncs: &Arc<AtomicU64>) -> Arc<Hooked> {
    let (at, counted) = (Arc::clone(gate), Arc::clone(syncs));
    Hooked::new(SimStore::new(disk.clone()), move |step| {
        if step == Step::Sync && counted.load(Ordering::SeqCst) != u64::MAX {
            let left = counted.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                Some(left.saturating_sub(1))
            });
            if left == Ok(0) {
                at.pass();
            }
        }
        Ok(())
    })
}

/// Whatever a power cut leaves opens, and has what is durable.
fn cut(
    place: &str,
    disk: &SimDisk,
    durable: Lsn,
    open: impl Fn(Arc<dyn SegmentStore>) -> Result<(Wal, Recovery)>,
) {
    for seed in 0..10 {
        let place = format!("{place}, seed {seed}");
        let opened = open(Arc::new(SimStore::new(disk.power_cut(CutChoice::Seed(seed)))));
        let (left, _) = opened.unwrap_or_else(|error| panic!("{place}: {error:?}"));
        assert!(left.last_lsn() >= durable, "{place}");
        for entry in left.read_from(Lsn::FIRST).unwrap() {
            entry.unwrap_or_else(|error| panic!("{place}: {error:?}"));
        }
    }
}

/// A transform that stored more than it got passed the bound that the segment's header gives, and
/// after 110 of 200 power cuts the log did not open: a torn tail was wider than could be in flight.
#[test]
fn wide_transform() {
    let transforms: [Arc<dyn Transform>; 5] = [
        Arc::new(Wide(1)),
        Arc::new(Wide(2)),
        Arc::new(Wide(4)),
        Arc::new(Wide(8)),
        Arc::new(Runs),
    ];
    for transform in transforms {
        // The sync that hangs, counted from where more is written than a disk can follow.
        for hangs in 0..4 {
            let (disk, gate) = (SimDisk::new(Profile::STRICT), Arc::new(Gate::default()));
            let syncs = Arc::new(AtomicU64::new(u64::MAX));
            let store = hanging(&disk, &gate, &syncs);
            let open = |store: Arc<dyn SegmentStore>| {
                Wal::with_store(store).config(config()).transform(Arc::clone(&transform)).open()
            };
            let (wal, _) = open(store).unwrap();
            wal.append_durable("first").unwrap();
            wal.append_durable("second").unwrap();
            gate.shut();
            syncs.store(hangs, Ordering::SeqCst);
            let handle = wal.clone();
            let writer = thread::spawn(move || {
                for n in 0..16 {
                    handle.append(record(n)).unwrap();
                }
                handle.append_batch((0..15).map(record)).unwrap();
                handle.append_batch(vec![record(1); 15]).unwrap();
                handle.sync().unwrap();
            });
            // Where there are not so many syncs, all of it is durable.
            while !writer.is_finished() && !gate.is_reached() {
                thread::sleep(Duration::from_millis(1));
            }
            // Others write on beside the sync that hangs, as far as they may.
            thread::sleep(Duration::from_millis(10));
            let place = format!("{transform:?}, sync {hangs}");
            cut(&place, &disk, wal.durable_lsn(), open);
            gate.open();
            writer.join().unwrap();
            wal.close().unwrap();
            drop(wal);
            let (again, recovery) = open(Arc::new(SimStore::new(disk.clone()))).unwrap();
            assert_eq!(recovery.last_lsn, Lsn::new(48));
            let found = again.get(Lsn::new(20)).unwrap().unwrap();
            assert_eq!(found.payload, record(1));
        }
    }
}

/// A transform that stores more than a frame can have would have been written with a false length.
#[test]
fn a_frame_that_no_header_can_tell_of_is_refused() {
    let store = Arc::new(SimStore::new(SimDisk::new(Profile::STRICT)));
    let wide = Arc::new(Wide(1 << 20));
    let (wal, _) = Wal::with_store(store).transform(wide).open().unwrap();
    let error = wal.append_durable([0; 1100]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Poisoned);
    assert!(error.report().contains("more than a frame can have"), "{error:?}");
}
