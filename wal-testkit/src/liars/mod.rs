//! Parts with one defect each, for tests that prove the laws.
//!
//! A law that no broken part breaks is no law. For every seam there is a small part here that is
//! right, or lies in one way; `ALL` of each enum of lies names the laws that are there to catch it.
//! The kit's own tests run both directions: every lie is caught, every law catches one. Whoever
//! adds a law of her own finds parts here to prove it with, and nothing else: none of them is fit
//! for use.

mod anchor;
mod blocks;
mod codec;
mod engine;
mod landed;
mod log;
mod named;
mod store;
mod strategy;
mod transform;

pub use blocks::{BlockLie, LyingBlocks};
pub use codec::{CodecLie, LyingCodec, Note};
pub use engine::{EngineLie, LyingEngine};
pub use landed::LandedStore;
pub use log::{LogLie, LyingLog};
pub use named::{LyingNames, NameLie};
pub use store::{LyingStore, StoreLie};
pub use strategy::{LyingStrategy, StrategyLie};
pub use transform::{LyingTransform, TransformLie};
