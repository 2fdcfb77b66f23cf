//! Stores around a store: they count it, slow it down, write down its calls.

mod counting;
mod throttled;
mod traced;

pub use counting::{Counting, StoreCounts};
pub use throttled::Throttled;
pub use traced::Traced;
