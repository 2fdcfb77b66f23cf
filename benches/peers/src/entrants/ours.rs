//! Ours, one entrant a strategy.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Result, anyhow};
use tokio::runtime::{Builder, Runtime};
use wal::parts::core::SegmentStore;
use wal::{Config, Lsn, Strategy, Wal};
use wal_testkit::{Counting, Throttled};

use crate::{Acknowledges, Appended, Entrant, Opening, Side, Subject};

/// Every strategy of the kit. A new one is a line here.
pub(super) const STRATEGIES: [Entrant; 8] = [
    Entrant {
        name: "wal/sync",
        side: Side::Ours,
        acknowledges: Acknowledges::Durable,
        settings: "defaults; one sync an append",
        open: |opening| open(opening, Strategy::Sync),
    },
    Entrant {
        name: "wal/group-commit",
        side: Side::Ours,
        acknowledges: Acknowledges::Durable,
        settings: "defaults, of which this is the strategy",
        open: |opening| open(opening, Strategy::GroupCommit),
    },
    Entrant {
        name: "wal/flush-thread",
        side: Side::Ours,
        acknowledges: Acknowledges::Durable,
        settings: "defaults: a flush at 10 ms or 100 records",
        open: |opening| open(opening, Strategy::FlushThread),
    },
    Entrant {
        name: "wal/pipelined",
        side: Side::Ours,
        acknowledges: Acknowledges::Durable,
        settings: "defaults; one thread writes while another syncs",
        open: |opening| open(opening, Strategy::Pipelined),
    },
    Entrant {
        name: "wal/parallel",
        side: Side::Ours,
        acknowledges: Acknowledges::Durable,
        settings: "defaults; four threads, but files allow one sync at a time",
        open: |opening| open(opening, Strategy::Parallel),
    },
    Entrant {
        name: "wal/tokio",
        side: Side::Ours,
        acknowledges: Acknowledges::Durable,
        settings: "defaults; a task on a runtime of one worker flushes",
        open: |opening| open(opening, Strategy::Tokio),
    },
    Entrant {
        name: "wal/interval",
        side: Side::Ours,
        acknowledges: Acknowledges::NotDurable,
        settings: "defaults; acknowledges what is written, syncs within 10 ms",
        open: |opening| open(opening, Strategy::Interval(Duration::from_millis(10))),
    },
    Entrant {
        name: "wal/os",
        side: Side::Ours,
        acknowledges: Acknowledges::NotDurable,
        settings: "defaults; never syncs for an acknowledgement, and once at the end of `pipelined`",
        open: |opening| open(opening, Strategy::Os),
    },
];

/// The presets.
pub(super) const PRESETS: [Entrant; 5] = [
    Entrant {
        name: "wal/preset-oltp",
        side: Side::Preset,
        acknowledges: Acknowledges::Durable,
        settings: "group commit after 5 ms or 50 records",
        open: |opening| open_with(opening, Config::oltp()),
    },
    Entrant {
        name: "wal/preset-analytics",
        side: Side::Preset,
        acknowledges: Acknowledges::Durable,
        settings: "group commit after 20 ms or 500 records",
        open: |opening| open_with(opening, Config::analytics()),
    },
    Entrant {
        name: "wal/preset-mixed",
        side: Side::Preset,
        acknowledges: Acknowledges::Durable,
        settings: "group commit after 10 ms or 100 records",
        open: |opening| open_with(opening, Config::mixed()),
    },
    Entrant {
        name: "wal/preset-low-latency",
        side: Side::Preset,
        acknowledges: Acknowledges::Durable,
        settings: "group commit after 1 ms or 10 records, a buffer of 16 KiB",
        open: |opening| open_with(opening, Config::low_latency()),
    },
    Entrant {
        name: "wal/preset-high-throughput",
        side: Side::Preset,
        acknowledges: Acknowledges::Durable,
        settings: "a flush thread at 100 ms or 1000 records",
        open: |opening| open_with(opening, Config::high_throughput()),
    },
];

struct Ours {
    wal: Wal,
    store: Counting,
}

fn open(opening: &Opening, strategy: Strategy) -> Result<Arc<dyn Subject>> {
    let mut config = Config::default();
    config.strategy = strategy;
    open_with(opening, config)
}

fn open_with(opening: &Opening, config: Config) -> Result<Arc<dyn Subject>> {
    // What the builder makes of a directory, with a counter around it.
    let (files, _) = config.store_in(&opening.dir)?;
    let mut store: Arc<dyn SegmentStore> = Arc::new(files);
    if !opening.sync_delay.is_zero() {
        store = Arc::new(Throttled::new(store, opening.sync_delay));
    }
    let store = Counting::new(store);
    let _in_a_runtime = runtime()?.enter();
    let (wal, _) = Wal::with_store(Arc::new(store.clone())).config(config).open()?;
    Ok(Arc::new(Ours { wal, store }))
}

/// The runtime of `wal/tokio`, which lasts as long as the process.
fn runtime() -> Result<&'static Runtime> {
    static RUNTIME: OnceLock<std::io::Result<Runtime>> = OnceLock::new();
    let made = RUNTIME.get_or_init(|| Builder::new_multi_thread().worker_threads(1).build());
    made.as_ref().map_err(|error| anyhow!("no runtime: {error}"))
}

impl Subject for Ours {
    fn append_durable(&self, record: &[u8]) -> Result<()> {
        let lsn = self.wal.append(record)?;
        Ok(self.wal.wait_for_lsn(lsn).wait()?)
    }

    fn append_awaited(&self, record: &[u8]) -> Option<Appended> {
        let wait = self.wal.append(record).map(|lsn| self.wal.wait_for_lsn(lsn));
        Some(Box::pin(async move { Ok(wait?.await?) }))
    }

    fn pipelined(&self, record: &[u8], more: &mut dyn FnMut() -> bool) -> Result<()> {
        while more() {
            self.wal.append(record)?;
        }
        Ok(self.wal.sync()?)
    }

    fn read(&self, each: &mut dyn FnMut(&[u8])) -> Result<()> {
        for entry in self.wal.read_from(Lsn::FIRST)? {
            each(&entry?.payload);
        }
        Ok(())
    }

    fn syncs(&self) -> Option<u64> {
        Some(self.store.counts().syncs)
    }
}
