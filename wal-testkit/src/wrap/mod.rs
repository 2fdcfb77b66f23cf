//! Stores around a store: they count it, slow it down, write down its calls. And files around files.

mod counting;
mod throttled;
mod traced;
mod yielding;

pub use counting::{Counting, StoreCounts};
pub use throttled::Throttled;
pub use traced::Traced;
pub use yielding::{Before, YieldingFiles};
