//! Stores that name a segment at its first sync: one that is right keeps the laws, every one that
//! lies about names breaks the one that is there for it.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod proof;

use std::io;

use wal_core::SegmentStore;
use wal_testkit::liars::{LyingNames, NameLie};
use wal_testkit::{Atom, OnDisk, Place, Profile, SEGMENT_STORE_LAWS, Tail, segment_store_laws};

fn on(profile: Profile, lie: NameLie) -> impl Place<dyn SegmentStore> {
    OnDisk::new(profile, move |disk| Ok::<_, io::Error>(LyingNames::new(disk, lie)))
}

segment_store_laws!(strict, || on(Profile::STRICT, NameLie::None));
segment_store_laws!(journaled, || on(Profile::JOURNALED, NameLie::None));
segment_store_laws!(bytewise, || {
    on(Profile::STRICT.atom(Atom::Byte).tail(Tail::Stale), NameLie::None)
});

#[test]
fn every_lie_is_caught() {
    let place = |lie| -> Box<dyn Place<dyn SegmentStore>> { Box::new(on(Profile::STRICT, lie)) };
    proof::every_lie_is_caught(SEGMENT_STORE_LAWS, NameLie::ALL, &place);
}
