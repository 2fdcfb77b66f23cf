//! The laws for commit strategies: ones that are right keep them, every one that lies breaks the
//! one that is there for it.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod proof;

use std::time::Duration;

use wal_core::{Acknowledgement, CommitStrategy};
use wal_testkit::liars::{LyingStrategy, StrategyLie};
use wal_testkit::{COMMIT_STRATEGY_LAWS, Place, Pure, commit_strategy_laws};

commit_strategy_laws!(durable, || LyingStrategy::honest(Acknowledgement::Durable));
commit_strategy_laws!(written, || LyingStrategy::honest(Acknowledgement::Written));
commit_strategy_laws!(buffered, || {
    LyingStrategy::honest(Acknowledgement::Buffered(Duration::from_millis(20)))
});

#[test]
fn every_lie_is_caught() {
    let place = |lie| -> Box<dyn Place<dyn CommitStrategy>> {
        Box::new(Pure(move || LyingStrategy::new(lie)))
    };
    proof::every_lie_is_caught(COMMIT_STRATEGY_LAWS, StrategyLie::ALL, &place);
}

#[test]
fn every_law_catches_a_lie() {
    proof::every_law_catches_a_lie(COMMIT_STRATEGY_LAWS, StrategyLie::ALL);
}
