//! [`Settings`]: how one life of a log is led, all of it drawn by the seed.

use std::time::Duration;

use wal::parts::segment::Ahead;
use wal::{
    Caching, Config, Grouping, Preparation, Reading, Recycling, Strategy, Tuning, WhenDiskFull,
    WhenFull, Writing,
};

use crate::chance::Chance;

/// How one life of a log is led.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) config: Config,
    pub(crate) store: Store,
    /// Threads that append.
    pub(crate) threads: u32,
    pub(crate) shape: Shape,
    /// Times that all threads append and end; between them nothing is appended.
    pub(crate) phases: u32,
    /// Calls that append, and bytes, for each phase.
    pub(crate) calls: u64,
    pub(crate) bytes: u64,
    /// What goes on beside the threads that append, or between the phases.
    pub(crate) beside: Vec<Beside>,
    pub(crate) end: End,
}

/// Whose store it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    /// The builder's.
    OfDirectory,
    /// One that was made before, with this.
    Given(Ahead),
    /// The one that makes segments with the race that lost acknowledged records.
    Landed,
}

/// How much is appended at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Small,
    /// Any share of a segment, in one record or many.
    Shares,
    /// Below the half of a segment and above it, in turn.
    Halves,
    /// So that a segment's end comes to lie close before a half, a quarter or the whole of it.
    Thresholds,
    Mixed,
}

/// What goes on beside the threads that append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beside {
    Prune,
    /// The log is cut between two phases.
    Cut,
    /// A thread reads by the log's handle.
    Read,
    /// A thread looks from outside.
    Look,
}

/// How a life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Close,
    /// Closed; the handle is dropped while the next life goes on.
    CloseAndKeep,
    Drop,
    /// A write fails once in the middle, and the handle is kept as above.
    Poison,
    /// Another handle, in another thread, has been waiting for the lock.
    Fight,
    /// The log is another process's, which is killed after it has told so many things.
    Kill {
        after: u64,
    },
}

impl Settings {
    /// How this life of the log with this seed is led.
    pub(crate) fn draw(seed: u64, life: u32) -> Self {
        // A log that may have only so much has segments of one size all its lives: a newest segment
        // that takes all there may be leaves nothing to be pruned.
        let mut of_log = Chance::of(seed, &[0]);
        let limited = of_log.one_in(3).then(|| segment_size(&mut of_log));
        let chance = &mut Chance::of(seed, &[1 + u64::from(life)]);
        let segment = limited.unwrap_or_else(|| segment_size(chance));
        let mut config = config(chance, segment);
        config.max_size = limited.map(|segment| segment * chance.between(5, 12));
        let end = match chance.below(12) {
            0..=2 => End::Close,
            3..=4 => End::CloseAndKeep,
            5 => End::Drop,
            6..=7 => End::Poison,
            8 => End::Fight,
            _ => End::Kill { after: chance.between(1, 300) },
        };
        let ahead = [Ahead::Thread, Ahead::Thread, Ahead::Caller, Ahead::Never];
        let shapes = [Shape::Small, Shape::Shares, Shape::Halves, Shape::Thresholds, Shape::Mixed];
        Self {
            store: match chance.below(2) {
                0 => Store::OfDirectory,
                _ => Store::Given(chance.pick(&ahead)),
            },
            threads: chance.pick(&[1, 1, 2, 4, 8]),
            shape: chance.pick(&shapes),
            phases: chance.pick(&[1, 1, 2, 3]),
            calls: chance.between(20, 400),
            bytes: (segment * chance.between(4, 40)).min(8 << 20).max(segment * 3),
            beside: beside(chance, config.max_size.is_some()),
            end,
            config,
        }
    }

    /// Whether this goes on in the life.
    pub(crate) fn does(&self, beside: Beside) -> bool {
        self.beside.contains(&beside)
    }
}

fn beside(chance: &mut Chance, limited: bool) -> Vec<Beside> {
    let often = [(Beside::Prune, 2), (Beside::Cut, 4), (Beside::Read, 2), (Beside::Look, 3)];
    let drawn = often.into_iter().filter(|&(beside, often)| {
        // Without pruning a log that may have only so much comes to its end.
        chance.one_in(often) || (limited && beside == Beside::Prune)
    });
    drawn.map(|(beside, _)| beside).collect()
}

fn segment_size(chance: &mut Chance) -> u64 {
    match chance.below(8) {
        0 => 16 << 10,
        1 => 70_000,
        2 => 1 << chance.between(20, 23),
        // Evenly over the powers of two, and between them.
        _ => chance.between(16 << 10, 32 << 10) << chance.below(6),
    }
}

fn config(chance: &mut Chance, segment: u64) -> Config {
    let mut config = Config::default();
    config.segment_size = segment;
    (config.strategy, config.group_commit) = strategy(chance);
    let step = chance.between(1, segment / 2).next_power_of_two().max(4096);
    config.preparation = match chance.below(7) {
        0 | 1 => None,
        2 => Some(Preparation::None),
        3 => Some(Preparation::Whole),
        4 => Some(Preparation::Chunks(step)),
        5 => Some(Preparation::ZeroFill),
        _ => Some(Preparation::ZerosAhead(step)),
    };
    let keep = Recycling::Keep(usize::try_from(chance.between(1, 4)).unwrap_or(1));
    config.recycling = chance.pick(&[None, Some(Recycling::Off), Some(keep), Some(keep)]);
    config.writing = chance.pick(&[
        None,
        None,
        Some(Writing::Buffered),
        Some(Writing::Buffered),
        Some(Writing::Synced),
        Some(Writing::Direct),
    ]);
    config.caching = chance.pick(&[Caching::Keep, Caching::Keep, Caching::Drop]);
    let readings = [Reading::Buffered, Reading::Buffered, Reading::Mapped, Reading::Direct];
    config.reading = Some(chance.pick(&readings))
        .filter(|reading| reading.is_known())
        .unwrap_or(Reading::Buffered);
    config.alignment = chance.pick(&[8, 8, 8, 512, 4096]);
    config.frame_size = chance.pick(&[4096, 16 << 10, 256 << 10]);
    config.buffer_size = chance.pick(&[2 << 10, 64 << 10, 8 << 20]);
    config.when_full = chance.pick(&[WhenFull::Block, WhenFull::Block, WhenFull::Refuse]);
    config.when_disk_full = chance.pick(&[WhenDiskFull::Refuse, WhenDiskFull::Wait]);
    config
}

fn strategy(chance: &mut Chance) -> (Strategy, Option<Grouping>) {
    let within = Duration::from_micros(chance.between(100, 3000));
    let strategy = chance.pick(&[
        Strategy::Sync,
        Strategy::GroupCommit,
        Strategy::GroupCommit,
        Strategy::FlushThread,
        Strategy::Pipelined,
        Strategy::Parallel,
        Strategy::Interval(within),
        Strategy::Os,
        Strategy::Tokio,
    ]);
    let grouping = chance.one_in(2).then(|| {
        let mut grouping = Grouping::new(within, chance.between(1, 50));
        grouping.min_batch_size = chance.below(2);
        grouping.tuning = chance.pick(&[Tuning::Fixed, Tuning::Adaptive]);
        grouping
    });
    (strategy, grouping)
}
