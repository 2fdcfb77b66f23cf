//! The search for a crash that the log does not survive, in its short form: a few seconds here, as
//! long as one likes with the binary `crash-search`. And its own proof: planted bugs that it finds.

#![cfg(feature = "search")]

#[path = "../../src/bin/crash-search/full.rs"]
mod full;
#[path = "../../src/bin/crash-search/pace.rs"]
mod pace;
#[path = "../../../wal/tests/common/prepared_ahead.rs"]
mod prepared_ahead;
#[path = "../../src/bin/crash-search/product.rs"]
mod product;
#[path = "../../src/bin/crash-search/transforms.rs"]
mod transforms;

mod case;
mod lies;
mod loops;
mod planted;
mod short;
