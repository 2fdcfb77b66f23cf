//! [`Sound`]: a log as a kill leaves it, and what is known of it.

use std::sync::Arc;

use wal::parts::core::SegmentStore;
use wal::parts::core::format::{FrameHeader, HEADER_LEN, SegmentHeader};
use wal::parts::segment::MemoryStore;
use wal::{Lsn, Reader, Strategy, Wal};

use crate::files::{Image, image, store};
use crate::input::Input;
use crate::leader::Leader;
use crate::model::Model;
use crate::still::Still;
use crate::zero_runs::ZeroRuns;

/// A sound log in memory, as a kill leaves it, and what is known of it.
pub(crate) struct Sound {
    pub(crate) image: Image,
    /// The first record of the log.
    pub(crate) first: u64,
    /// The last record that a sync has covered.
    pub(crate) durable: u64,
    /// The segment that was being written, and its first byte that no sync has covered; `None`
    /// where syncs have covered all.
    pub(crate) unsynced: Option<(u64, usize)>,
    model: Model,
    /// Each frame with its segment and offset.
    frames: Vec<(u64, usize, FrameHeader)>,
}

impl Sound {
    /// The log that these choices make.
    pub(crate) fn made(input: &mut Input<'_>) -> Self {
        let choice = input.byte();
        let syncs = if choice.is_multiple_of(2) { Syncs::Asked } else { Syncs::Waits };
        let bodies = if choice & 4 == 0 { Bodies::Plain } else { Bodies::Transformed };
        let mut making = Making::new(Shape { syncs, bodies });
        for _ in 0..8 + input.byte() % 24 {
            making.step(input);
        }
        making.known()
    }

    /// The record with this LSN.
    pub(crate) fn record(&self, lsn: u64) -> Option<&[u8]> {
        self.model.record(lsn)
    }

    /// The last record that anything vouches for which is as it was in this image: a frame by its
    /// watermark and by what it says was synced before it, a segment's header by the end of the
    /// segment before.
    pub(crate) fn vouched(&self, damaged: &Image) -> u64 {
        let whole = |id: u64, from: usize, len: usize| {
            let range = |image: &Image| Some(image.get(&id)?.get(from..from + len)?.to_vec());
            range(&self.image).is_some_and(|bytes| range(damaged) == Some(bytes))
        };
        let headers = self.image.iter().filter(|&(&id, _)| whole(id, 0, HEADER_LEN));
        let ids: Vec<u64> = headers.clone().map(|(&id, _)| id).collect();
        let before = headers.filter_map(|(_, bytes)| {
            Some(SegmentHeader::decode(bytes).ok()?.predecessor?.last_lsn.get())
        });
        let frames = self.frames.iter().filter(|(id, at, header)| {
            let len = usize::try_from(header.frame_len()).unwrap_or(usize::MAX);
            ids.contains(id) && whole(*id, *at, len)
        });
        let within = frames.map(|&(id, at, header)| {
            let synced = header.durable_offset(at as u64);
            let earlier = self.frames.iter().filter(|&&(other, at, header)| {
                other == id && at as u64 + header.frame_len() <= synced
            });
            let synced = earlier.map(|(_, _, header)| header.last_lsn().get()).max();
            header.watermark.get().max(synced.unwrap_or(0))
        });
        before.chain(within).max().unwrap_or(0)
    }
}

/// When the log syncs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Syncs {
    /// Where it is asked for; else it only writes.
    Asked,
    /// At every wait, with everything that is staged.
    Waits,
}

/// How frames' bodies are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bodies {
    Plain,
    Transformed,
}

#[derive(Clone, Copy, Debug)]
struct Shape {
    syncs: Syncs,
    bodies: Bodies,
}

struct Making {
    shape: Shape,
    store: Arc<MemoryStore>,
    env: Arc<Still>,
    wal: Wal,
    model: Model,
    unsynced: Option<(u64, usize)>,
}

impl Making {
    fn new(shape: Shape) -> Self {
        let (store, env) = (Arc::new(MemoryStore::new()), Arc::new(Still::default()));
        let wal = open(shape, &store, &env);
        Self { shape, store, env, wal, model: Model::new(), unsynced: None }
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.byte() % 12 {
            0..=4 => {
                let len = usize::from(input.byte());
                let payload = self.model.compose(1, len * len / 16);
                self.wal.append(&payload).expect("memory has room");
                self.model.staged(vec![payload]);
                self.rotated();
            }
            5 => {
                let payloads: Vec<_> = (1..=3).map(|ahead| self.model.compose(ahead, 40)).collect();
                self.wal.append_batch(&payloads).expect("memory has room");
                self.model.staged(payloads);
                self.rotated();
            }
            6..=8 => {
                self.wal.sync().expect("memory syncs");
                self.synced();
            }
            9 => {
                let end = input.byte() % 2;
                if end == 0 {
                    self.wal.close().expect("memory syncs");
                } else {
                    self.store = Arc::new(store(&image(&*self.store)));
                }
                self.wal = open(self.shape, &self.store, &self.env);
                self.model.adopt(&self.wal).expect("a sound log reads");
                self.synced();
            }
            10 => {
                let last = self.model.last();
                let lsn =
                    self.model.first() + u64::from(input.byte()) % (last + 2 - self.model.first());
                self.model.may_prune(lsn);
                let first = self.wal.prune_before(Lsn::new(lsn)).expect("memory syncs");
                self.model.pruned(first.get());
                // It has synced, if the log begins in another segment now.
                self.wal.sync().expect("memory syncs");
                self.synced();
            }
            _ => {
                let lsn = self.model.last().saturating_sub(2).max(self.model.first() - 1);
                self.wal.truncate_after(Lsn::new(lsn)).expect("memory syncs");
                if lsn < self.model.last() {
                    self.model.truncated(lsn);
                    self.synced();
                }
            }
        }
    }

    /// Everything is synced.
    fn synced(&mut self) {
        let end = |end| usize::try_from(end).unwrap_or(usize::MAX);
        self.unsynced = self.wal.current_segment().map(|(id, bytes)| (id.get(), end(bytes)));
    }

    /// A segment is synced before the next one begins, with its header.
    fn rotated(&mut self) {
        let current = self.wal.current_segment().map(|(id, _)| id.get());
        if current != self.unsynced.map(|(id, _)| id) {
            self.unsynced = current.map(|id| (id, HEADER_LEN));
        }
    }

    fn known(self) -> Sound {
        let Self { store, wal, model, unsynced, .. } = self;
        // As it lies there now: the log goes on, and does not know.
        let image = image(&*store);
        let mut frames = Vec::new();
        let reader = Reader::with_store(store);
        let verified = reader.verify(|frame| {
            let offset = usize::try_from(frame.position.offset).unwrap_or(usize::MAX);
            frames.push((frame.position.segment.get(), offset, frame.header));
        });
        let verified = verified.expect("memory reads");
        assert!(verified.findings.is_empty(), "a sound log: {verified:?}");
        let (first, durable) = (wal.first_lsn().get(), wal.durable_lsn().get());
        Sound { image, first, durable, unsynced, model, frames }
    }
}

fn open(shape: Shape, store: &Arc<MemoryStore>, env: &Arc<Still>) -> Wal {
    let builder = Wal::with_store(Arc::clone(store) as Arc<dyn SegmentStore>);
    let builder = builder.segment_size(16 * 1024).env(Arc::clone(env) as _);
    let builder = match shape.bodies {
        Bodies::Plain => builder.also_reads(Arc::new(ZeroRuns)),
        Bodies::Transformed => builder.transform(Arc::new(ZeroRuns)),
    };
    let builder = match shape.syncs {
        Syncs::Asked => builder.strategy(Strategy::Os),
        Syncs::Waits => builder.custom_strategy(Arc::new(Leader::default())),
    };
    builder.open().expect("a sound log opens").0
}
