//! A law that no broken store breaks is no law: every lie is caught, every law catches one.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod proof;

use std::io;

use wal_core::SegmentStore;
use wal_testkit::liars::{LyingStore, NameLie, StoreLie};
use wal_testkit::{
    OnDisk, Place, Profile, SEGMENT_STORE_LAWS, SegmentStoreLaw, segment_store_laws,
};

fn on_disk(lie: StoreLie) -> Box<dyn Place<dyn SegmentStore>> {
    Box::new(OnDisk::new(Profile::STRICT, move |disk| {
        Ok::<_, io::Error>(LyingStore::new(disk, lie))
    }))
}

segment_store_laws!(without_a_lie, || OnDisk::new(Profile::STRICT, |disk| {
    Ok::<_, io::Error>(LyingStore::new(disk, StoreLie::None))
}));

#[test]
fn every_lie_is_caught() {
    proof::every_lie_is_caught(SEGMENT_STORE_LAWS, StoreLie::ALL, &|lie| on_disk(lie));
}

#[test]
fn every_law_catches_a_lie() {
    let catching = StoreLie::ALL.iter().flat_map(|(_, names)| *names);
    let of_names = NameLie::ALL.iter().flat_map(|(_, names)| *names);
    proof::every_law_is_among(SEGMENT_STORE_LAWS, catching.chain(of_names).copied());
}

/// What a person gets to read, and that it is enough to go on from.
#[test]
fn a_report_says_what_was_seen_and_how_to_see_it_again() {
    let named = |law: &&SegmentStoreLaw| law.name() == "synced_bytes_survive_a_crash";
    let law = SEGMENT_STORE_LAWS.iter().find(named).unwrap();
    let breach = law.run(&|| on_disk(StoreLie::SyncDoesNothing), &[]).unwrap_err();
    let report = breach.to_string();
    for part in [
        "law broken: segment_store/synced_bytes_survive_a_crash",
        "promise: bytes appended before a successful sync are there after any crash",
        "part: LyingStore { disk: SimDisk {",
        "saw: bytes of segment 1 that are as they should be: saw 0, wanted 160",
        "1. OPEN the place",
        "append 160 bytes to 1 at 0",
        "CRASH, nothing",
        "again: WAL_CRASH=nothing cargo test synced_bytes_survive_a_crash",
    ] {
        assert!(report.contains(part), "no {part:?} in\n{report}");
    }
}
