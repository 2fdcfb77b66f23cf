//! The logs that take part, an adapter a file.
//!
//! To add one: a file with a [`Subject`](crate::Subject) and an [`Entrant`], and its line in
//! [`ENTRANTS`]. To add a strategy of ours: its line in `ours.rs`.

#[cfg(feature = "fjall")]
mod fjall;
mod floor;
#[cfg(feature = "okaywal")]
mod okaywal;
#[cfg(feature = "open-wal")]
mod open_wal;
mod ours;
#[cfg(feature = "raft-engine")]
mod raft_engine;
#[cfg(feature = "raft-log")]
mod raft_log;
#[cfg(feature = "rusqlite")]
mod rusqlite;
#[cfg(feature = "wal-db")]
mod wal_db;
#[cfg(feature = "walrus")]
mod walrus;

#[cfg(feature = "walrus")]
pub use walrus::DATA_DIR as WALRUS_DATA_DIR;

use crate::Entrant;

/// All that this build contains, ours first.
pub fn entrants() -> Vec<Entrant> {
    let mut entrants = ours::STRATEGIES.to_vec();
    entrants.extend(ours::PRESETS);
    entrants.push(floor::FLOOR);
    let peers: &[Entrant] = &[
        #[cfg(feature = "raft-engine")]
        raft_engine::DEFAULT,
        #[cfg(feature = "okaywal")]
        okaywal::OKAYWAL,
        #[cfg(feature = "wal-db")]
        wal_db::DEFAULT,
        #[cfg(feature = "open-wal")]
        open_wal::OPEN_WAL,
        #[cfg(feature = "raft-log")]
        raft_log::RAFT_LOG,
        #[cfg(feature = "fjall")]
        fjall::FJALL,
        #[cfg(feature = "walrus")]
        walrus::WALRUS,
        #[cfg(feature = "rusqlite")]
        rusqlite::SQLITE,
    ];
    entrants.extend_from_slice(peers);
    entrants
}

/// Settings of peers that make no difference to speed, but to what a fault does to them.
pub fn stricter() -> Vec<Entrant> {
    vec![
        #[cfg(feature = "raft-engine")]
        raft_engine::ABSOLUTE,
        #[cfg(feature = "wal-db")]
        wal_db::STRICT,
    ]
}
