//! [`Env`]: the two things from outside that end up in the bytes, time and chance.

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
}
