//! [`Millis`]: a time as it stands in a file.

use std::fmt;
use std::time::Duration;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use wal_core::Result;

use super::invalid;

/// The longest time that a setting may have. Who asks for more has most likely given another unit.
const LONGEST: Duration = Duration::from_secs(60);

/// A time in milliseconds: a whole number, or a fraction where it is none. Exact to the nanosecond
/// within [`LONGEST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Millis(pub(super) Duration);

impl Millis {
    /// Refuses a time that is no setting for `field`.
    pub(super) fn validate(self, field: &str) -> Result<()> {
        if self.0.is_zero() {
            return Err(invalid(field, "is zero"));
        }
        if self.0 > LONGEST {
            return Err(invalid(field, "is above 60000, a minute; the unit is the millisecond"));
        }
        Ok(())
    }
}

impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if Duration::from_millis(millis) == self.0 {
            serializer.serialize_u64(millis)
        } else {
            serializer.serialize_f64(self.0.as_secs_f64() * 1e3)
        }
    }
}

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Number)
    }
}

struct Number;

impl Visitor<'_> for Number {
    type Value = Millis;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of milliseconds")
    }

    fn visit_u64<E: Error>(self, millis: u64) -> Result<Millis, E> {
        Ok(Millis(Duration::from_millis(millis)))
    }

    fn visit_i64<E: Error>(self, millis: i64) -> Result<Millis, E> {
        let wrong = |_| E::invalid_value(Unexpected::Signed(millis), &self);
        u64::try_from(millis).map_err(wrong).map(|millis| Millis(Duration::from_millis(millis)))
    }

    fn visit_f64<E: Error>(self, millis: f64) -> Result<Millis, E> {
        let wrong = |_| E::invalid_value(Unexpected::Float(millis), &self);
        Duration::try_from_secs_f64(millis / 1e3).map_err(wrong).map(Millis)
    }
}
