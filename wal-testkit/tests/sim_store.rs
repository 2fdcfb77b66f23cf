//! The plain store on the simulated disk keeps every law, on every kind of disk.

use std::io;

use wal_testkit::{
    Atom, Damage, DirectoryOrder, EntrySync, OnDisk, Place, Profile, SimDisk, SimStore, Tail,
    segment_store_laws,
};

fn on(profile: Profile) -> impl Place<dyn wal_core::SegmentStore> {
    OnDisk::new(profile, |disk: SimDisk| Ok::<_, io::Error>(SimStore::new(disk)))
}

segment_store_laws!(strict, || on(Profile::STRICT));
segment_store_laws!(journaled, || on(Profile::JOURNALED));
segment_store_laws!(bytewise, || on(Profile::STRICT.atom(Atom::Byte).tail(Tail::Stale)));
segment_store_laws!(pagewise, || on(Profile::STRICT
    .atom(Atom::Page)
    .order(DirectoryOrder::Prefix)
    .entry(EntrySync::WithFile)
    .damage(Damage::None)));

segment_store_laws!(
    undisturbed,
    || {
        let disk = SimDisk::new(Profile::STRICT);
        move || Ok::<_, io::Error>(SimStore::new(disk.clone()))
    },
    without [crash, kill, interrupt, fault, room, stranger]
);
