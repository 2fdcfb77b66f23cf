//! Laws, a simulated disk and faults, for anyone's part of a write-ahead log.
//!
//! A part is proved by one macro call, which makes a named test of every law of its seam:
//!
//! | part | macro | table |
//! |---|---|---|
//! | a [`SegmentStore`](wal_core::SegmentStore) | [`segment_store_laws!`] | [`SEGMENT_STORE_LAWS`] |
//! | a [`CommitStrategy`](wal_core::CommitStrategy) | [`commit_strategy_laws!`] | [`COMMIT_STRATEGY_LAWS`] |
//! | a [`Codec`](wal_core::Codec), with [`Samples`] | [`codec_laws!`] | [`CODEC_LAWS`] |
//! | a [`Transform`](wal_core::Transform) | [`transform_laws!`] | [`TRANSFORM_LAWS`] |
//! | a [`ReplayEngine`](wal_core::ReplayEngine) | [`replay_engine_laws!`] | [`REPLAY_ENGINE_LAWS`] |
//! | a whole log, by way of [`LogUnderTest`] | [`log_laws!`] | [`LOG_LAWS`] |
//!
//! The laws open the part at a [`Place`], and let the place come to [`Harm`]: power cuts, faults, a
//! full disk. A place on a [`SimDisk`] can suffer all of it; what a place cannot suffer is admitted
//! where the macro is called, so that no law passes by not running. Laws with crashes try the
//! extremes first (nothing survives, everything, all but one operation, one alone, the last write
//! torn), and then seeds.
//!
//! A broken law says which it is, what it promises, what was seen, after which calls, and the
//! command that runs it again: `WAL_CRASH=seed:2`, set for a test, tries that one crash alone, and
//! `WAL_SEED=2` that one seed.
//!
//! That the laws are worth something is proved too: the [`liars`] are parts with one defect each,
//! and tests show that every lie is caught and that every law catches one.
//!
//! Around a store, [`Counting`] counts, [`Throttled`] slows down and [`Traced`] writes down.
//! [`SimStore`] is a plain store on a [`SimDisk`], for trying out a log without files; [`SimFiles`]
//! puts a store of files on one. What the
//! disk may lose, and what it never does, is written [there](disk).

mod allocated;
mod chance;
mod codec_laws;
mod commit_strategy_laws;
pub mod disk;
mod history;
mod law;
pub mod liars;
mod life;
mod log_laws;
mod log_under_test;
pub mod model;
mod place;
#[cfg(all(feature = "power-cut", target_os = "linux"))]
pub mod power_cut;
mod pure;
mod replay_engine_laws;
mod samples;
mod sim_files;
mod sim_store;
mod store_laws;
mod tape;
mod transform_laws;
mod wrap;

#[doc(hidden)]
pub use codec_laws::CodecPart;
#[doc(hidden)]
pub use commit_strategy_laws::CommitStrategyPart;
#[doc(hidden)]
pub use law::check as check_law;
#[doc(hidden)]
pub use log_laws::LogPart;
#[doc(hidden)]
pub use replay_engine_laws::ReplayEnginePart;
#[doc(hidden)]
pub use store_laws::StorePart;
#[doc(hidden)]
pub use transform_laws::TransformPart;

pub use codec_laws::{CODEC_LAWS, CodecLaw};
pub use commit_strategy_laws::{COMMIT_STRATEGY_LAWS, CommitStrategyLaw};
pub use disk::{
    Atom, Call, Counts, CutChoice, Damage, DirectoryOrder, EntrySync, Fault, FaultRule, Profile,
    SimClock, SimDisk, SimFile, SimLock, Space, Tail,
};
pub use history::History;
pub use law::{Breach, Fresh, Law, Need, Verdict};
pub use log_laws::{LOG_LAWS, LogLaw};
pub use log_under_test::LogUnderTest;
pub use place::{Harm, Inflicted, OnDisk, Place, Room, Stranger};
pub use pure::Pure;
pub use replay_engine_laws::{REPLAY_ENGINE_LAWS, ReplayEngineLaw};
pub use samples::{CodecUnderTest, Likeness, Sample, Samples};
pub use sim_files::{DirectoryLock, SimFiles};
pub use sim_store::SimStore;
pub use store_laws::{SEGMENT_STORE_LAWS, SegmentStoreLaw};
pub use tape::Tape;
pub use transform_laws::{TRANSFORM_LAWS, TransformLaw};
pub use wrap::{Before, Counting, StoreCounts, Throttled, Traced, YieldingFiles};

use log_under_test::TracedLog;
