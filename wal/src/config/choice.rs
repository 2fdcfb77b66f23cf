//! [`Choice`]: a strategy as it stands in a file.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use wal_core::{Error, ErrorKind, Result};

use super::Strategy;
use super::millis::Millis;

/// The time of an interval that is not given one.
const WITHIN: Duration = Duration::from_millis(10);

/// A strategy as it stands in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    Of(Strategy),
    /// The bare name, without a time.
    Interval,
}

impl Choice {
    /// The strategy, an interval with this time where it has none of its own.
    pub(super) fn or_within(self, within: Option<Duration>) -> Strategy {
        match self {
            Self::Of(strategy) => strategy,
            Self::Interval => Strategy::Interval(within.unwrap_or(WITHIN)),
        }
    }

    /// What both say, or `None` where they disagree.
    pub(super) fn and(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Interval, Self::Of(Strategy::Interval(_))) => Some(other),
            (Self::Of(Strategy::Interval(_)), Self::Interval) => Some(self),
            _ => (self == other).then_some(self),
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Of(Strategy::Interval(within)) => write!(f, "interval of {within:?}"),
            Self::Of(strategy) => f.write_str(strategy.name()),
            Self::Interval => f.write_str("interval"),
        }
    }
}

impl From<Choice> for Strategy {
    fn from(choice: Choice) -> Self {
        choice.or_within(None)
    }
}

impl From<Strategy> for Choice {
    fn from(strategy: Strategy) -> Self {
        Self::Of(strategy)
    }
}

impl FromStr for Choice {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let strategy = match name.replace('-', "_").as_str() {
            "sync" | "synchronous" | "always" => Strategy::Sync,
            "group_commit" => Strategy::GroupCommit,
            "flush_thread" => Strategy::FlushThread,
            "pipelined" => Strategy::Pipelined,
            "parallel" => Strategy::Parallel,
            "interval" | "batch" => return Ok(Self::Interval),
            "os" | "async" | "volatile" => Strategy::Os,
            #[cfg(feature = "tokio")]
            "tokio" => Strategy::Tokio,
            #[cfg(not(feature = "tokio"))]
            "tokio" => {
                let what = "the strategy tokio is there with the feature tokio of the crate wal";
                return Err(Error::new(ErrorKind::Unsupported, what));
            }
            _ => {
                let what = format!(
                    "there is no strategy {name:?}; there are sync, group_commit, flush_thread, \
                     pipelined, parallel, interval, os and tokio"
                );
                return Err(Error::new(ErrorKind::Invalid, what));
            }
        };
        Ok(Self::Of(strategy))
    }
}

/// An interval with its time, as it stands in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Timed {
    #[serde(alias = "batch_ms")]
    interval_ms: Millis,
}

impl Serialize for Choice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::Of(Strategy::Interval(within)) => {
                Timed { interval_ms: Millis(within) }.serialize(serializer)
            }
            Self::Of(strategy) => serializer.serialize_str(strategy.name()),
            Self::Interval => serializer.serialize_str("interval"),
        }
    }
}

impl<'de> Deserialize<'de> for Choice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Written)
    }
}

struct Written;

impl<'de> Visitor<'de> for Written {
    type Value = Choice;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a strategy, or an interval as { interval_ms = 10 }")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Choice, E> {
        name.parse().map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Choice, A::Error> {
        let timed = Timed::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Choice::Of(Strategy::Interval(timed.interval_ms.0)))
    }
}
