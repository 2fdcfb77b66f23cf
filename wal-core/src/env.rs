//! [`Env`]: what comes from outside: time and chance, which end up in the bytes, and the process.

use std::fmt;

/// Where time and chance come from. The assembled log passes the system's; a test passes its own,
/// and the same test then writes the same bytes.
pub trait Env: Send + Sync + fmt::Debug {
    /// Nanoseconds since the Unix epoch. May go backwards: nothing relies on its order.
    fn now(&self) -> u64;

    /// 64 random bits, for the identity of a log and the salt of a segment. Two calls must not give
    /// the same value twice in the life of a log, also not after a restart: stale bytes of an
    /// earlier segment are told from ours by it.
    fn random(&self) -> u64;

    /// A number that is constant in a process, and another one in each process that was forked from it.
    /// A log is used in the process that opened it alone: in a child its threads do not exist, its
    /// locks may be held for ever, and its files are the parent's. Asked at every append, so it costs
    /// a load from memory. Where nothing forks, any constant.
    fn process(&self) -> u32;
}
