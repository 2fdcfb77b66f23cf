//! The laws for transforms: one that is right keeps them, every one that lies breaks the one that
//! is there for it.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod proof;

use wal_core::Transform;
use wal_testkit::liars::{LyingTransform, TransformLie};
use wal_testkit::{Place, Pure, TRANSFORM_LAWS, transform_laws};

transform_laws!(without_a_lie, || LyingTransform::new(TransformLie::None));

#[test]
fn every_lie_is_caught() {
    let place =
        |lie| -> Box<dyn Place<dyn Transform>> { Box::new(Pure(move || LyingTransform::new(lie))) };
    proof::every_lie_is_caught(TRANSFORM_LAWS, TransformLie::ALL, &place);
}

#[test]
fn every_law_catches_a_lie() {
    proof::every_law_catches_a_lie(TRANSFORM_LAWS, TransformLie::ALL);
}
