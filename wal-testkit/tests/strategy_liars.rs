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

/// What hangs is told by what the strategy did meanwhile, and by the law that was broken.
#[test]
fn a_hang_says_what_the_strategy_did() {
    let told = [
        (StrategyLie::NeverSyncs, "every_wait_ends", "it wrote, and never synced"),
        (StrategyLie::FlushesEveryOtherTime, "a_wait_needs_no_further_call", "a wake-up was lost"),
        (StrategyLie::SyncsAtTheNextRecord, "the_loss_window_is_bounded", "a timer was forgotten"),
    ];
    let law = |name| COMMIT_STRATEGY_LAWS.iter().find(|law| law.name() == name).unwrap();
    let run = |lie, name| law(name).run(&|| Box::new(Pure(move || LyingStrategy::new(lie))), &[]);
    std::thread::scope(|scope| {
        for (lie, name, why) in told {
            scope.spawn(move || {
                let breach = run(lie, name).unwrap_err();
                assert!(breach.saw().contains("called write "), "{breach}");
                assert!(breach.saw().contains(why), "{breach}");
            });
        }
    });
    // Of one that never syncs, what it acknowledges has not changed.
    run(StrategyLie::NeverSyncs, "what_it_acknowledges_is_constant").unwrap();
    let breach = run(StrategyLie::ChangesItsMind, "what_it_acknowledges_is_constant").unwrap_err();
    assert!(breach.saw().starts_with("what it acknowledges"), "{breach}");
}
