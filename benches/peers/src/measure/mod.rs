//! Measuring: every entrant under every workload, taking turns.

mod chart;
mod drive;
mod row;
mod run;
mod table;
mod workload;

pub use chart::chart;
pub use row::Row;
pub use run::{Outcome, Plan, run};
pub use table::table;
pub use workload::{WORKLOADS, Workload};
