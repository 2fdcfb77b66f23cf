//! [`Shape`]: which disk, which store and which strategy.

use std::sync::Arc;

use wal::parts::core::SegmentStore;
use wal::parts::segment::{FileStore, Preparation};
use wal::{Config, Result, Strategy, Wal};
use wal_testkit::{Atom, Damage, Profile, SimDisk, SimFiles, SimStore, Tail};

use crate::input::Input;
use crate::leader::Leader;
use crate::still::Still;
use crate::zero_runs::ZeroRuns;

/// Which disk, which store and which strategy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(super) profile: Profile,
    store: u8,
    transform: u8,
    strategy: u8,
    alignment: u32,
}

impl Shape {
    pub(super) fn chosen(input: &mut Input<'_>) -> Self {
        let (disk, store, strategy) = (input.byte() % 6, input.byte() % 10, input.byte() % 3);
        let (transform, store) = (store / 5, store % 5);
        let strict = Profile::STRICT;
        let (profile, alignment) = match disk {
            0 => (strict, 8),
            1 => (strict.atom(Atom::Byte), 8),
            2 => (Profile::JOURNALED, 8),
            3 => (strict.tail(Tail::Stale), 8),
            4 => (strict, 512),
            // Whole blocks may come back as garbage: no acknowledged record shares one.
            _ => (strict.atom(Atom::Page).damage(Damage::Atom), 4096),
        };
        Self { profile, store, transform, strategy, alignment }
    }

    pub(crate) fn store(self, disk: &SimDisk) -> Arc<dyn SegmentStore> {
        let files = |preparation| {
            let store = FileStore::over(Arc::new(SimFiles::new(disk.clone())));
            Arc::new(store.preparation(preparation)) as Arc<dyn SegmentStore>
        };
        match self.store {
            0 => files(Preparation::Whole),
            1 => files(Preparation::None),
            2 => files(Preparation::Chunks(4096)),
            3 => files(Preparation::ZeroFill),
            _ => Arc::new(SimStore::new(disk.clone())),
        }
    }

    /// Whether an append returns only when it is acknowledged.
    pub(super) fn acknowledges_appends(self) -> bool {
        self.strategy < 2
    }

    pub(super) fn open(self, store: Arc<dyn SegmentStore>, env: Arc<Still>) -> Result<Wal> {
        let mut config = Config::default();
        config.segment_size = 16 * 1024;
        config.alignment = self.alignment;
        config.buffer_size = 4096;
        config.strategy = if self.strategy == 1 { Strategy::Os } else { Strategy::Sync };
        let mut builder = Wal::with_store(store).config(config).env(env);
        builder = match self.transform {
            0 => builder.also_reads(Arc::new(ZeroRuns)),
            _ => builder.transform(Arc::new(ZeroRuns)),
        };
        if self.strategy == 2 {
            builder = builder.custom_strategy(Arc::new(Leader::default()));
        }
        builder.open().map(|(wal, _)| wal)
    }
}
