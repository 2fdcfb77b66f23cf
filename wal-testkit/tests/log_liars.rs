//! The laws for a whole log: a small log that is right keeps them, every log that lies breaks the
//! one that is there for it.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod proof;

use wal_testkit::liars::{LogLie, LyingLog};
use wal_testkit::{
    Atom, LOG_LAWS, LogUnderTest, OnDisk, Place, Profile, SimDisk, Space, Tail, log_laws,
};

fn on(profile: Profile, lie: LogLie) -> impl Place<dyn LogUnderTest> {
    OnDisk::new(profile, move |disk| LyingLog::open(disk, lie))
}

log_laws!(strict, || on(Profile::STRICT, LogLie::None));
log_laws!(journaled, || on(Profile::JOURNALED, LogLie::None));
log_laws!(bytewise, || on(Profile::STRICT.atom(Atom::Byte).tail(Tail::Stale), LogLie::None));
log_laws!(late_space, || on(Profile::STRICT.space(Space::AtSync), LogLie::None));

log_laws!(
    undisturbed,
    || {
        let disk = SimDisk::new(Profile::STRICT);
        move || LyingLog::open(disk.clone(), LogLie::None)
    },
    without [crash, kill, interrupt, fault, room, stranger]
);

#[test]
fn every_lie_is_caught() {
    let place = |lie| -> Box<dyn Place<dyn LogUnderTest>> { Box::new(on(Profile::STRICT, lie)) };
    proof::every_lie_is_caught(LOG_LAWS, LogLie::ALL, &place);
}

#[test]
fn every_law_catches_a_lie() {
    proof::every_law_catches_a_lie(LOG_LAWS, LogLie::ALL);
}
