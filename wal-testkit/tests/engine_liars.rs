//! The laws for replay engines: one that is right keeps them, every one that lies breaks the one
//! that is there for it.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod proof;

use wal_core::ReplayEngine;
use wal_testkit::liars::{EngineLie, LyingEngine};
use wal_testkit::{Place, Pure, REPLAY_ENGINE_LAWS, replay_engine_laws};

replay_engine_laws!(without_a_lie, || LyingEngine::new(EngineLie::None));

#[test]
fn every_lie_is_caught() {
    let place =
        |lie| -> Box<dyn Place<dyn ReplayEngine>> { Box::new(Pure(move || LyingEngine::new(lie))) };
    proof::every_lie_is_caught(REPLAY_ENGINE_LAWS, EngineLie::ALL, &place);
}

#[test]
fn every_law_catches_a_lie() {
    proof::every_law_catches_a_lie(REPLAY_ENGINE_LAWS, EngineLie::ALL);
}
