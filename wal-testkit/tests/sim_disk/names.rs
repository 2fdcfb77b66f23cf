//! What becomes of names at a cut.

use std::collections::BTreeSet;

use wal_testkit::{CutChoice, Damage, DirectoryOrder, EntrySync, Profile, SimDisk};

use crate::{content, durable, outcomes};

#[test]
fn a_synced_file_without_a_synced_name_may_be_gone() {
    let disk = SimDisk::new(Profile::STRICT);
    let file = disk.create_new("a").unwrap();
    file.write_all_at(0, b"bytes").unwrap();
    file.sync_data().unwrap();
    assert_eq!(outcomes(&disk, "a"), BTreeSet::from([None, Some(b"bytes".to_vec())]));
    let with_file = SimDisk::new(Profile::STRICT.entry(EntrySync::WithFile));
    with_file.create_new("a").unwrap().sync_data().unwrap();
    assert!(with_file.power_cut(CutChoice::Nothing).open("a").is_ok());
}

/// The name without the bytes is what zero-length files after a crash are made of.
#[test]
fn a_name_may_survive_without_its_bytes() {
    let disk = SimDisk::new(Profile::STRICT.damage(Damage::None));
    disk.create_new("a").unwrap().write_all_at(0, b"xy").unwrap();
    disk.sync_dir().unwrap();
    let both = [vec![], vec![0, 0], b"xy".to_vec()].map(Some);
    assert_eq!(outcomes(&disk, "a"), BTreeSet::from(both), "the size comes apart from the data");
}

/// Unlinked and linked again by the cut, with the bytes of the platter.
#[test]
fn a_removed_name_may_come_back() {
    let disk = SimDisk::new(Profile::STRICT.damage(Damage::None));
    durable(&disk, "a", b"old").write_all_at(0, b"new").unwrap();
    disk.remove("a").unwrap();
    assert!(disk.open("a").is_err());
    let wanted = [None, Some(b"old".to_vec()), Some(b"new".to_vec())];
    assert_eq!(outcomes(&disk, "a"), wanted.into());
    disk.sync_dir().unwrap();
    assert_eq!(outcomes(&disk, "a"), [None].into());
}

/// etcd bd7107b: a log file renamed into place, and no sync of the directory.
#[test]
fn a_rename_is_done_or_not_and_never_half() {
    let disk = SimDisk::new(Profile::STRICT);
    durable(&disk, "new", b"n");
    durable(&disk, "target", b"t");
    disk.rename("new", "target").unwrap();
    assert_eq!(disk.list().unwrap(), ["target"]);
    assert_eq!(content(&disk, "target").unwrap(), b"n");
    for seed in 0..100 {
        let cut = disk.power_cut(CutChoice::Seed(seed));
        let names = cut.list().unwrap();
        let bytes = content(&cut, "target").unwrap();
        let whole = (names.len() == 2 && bytes == b"t") || (names.len() == 1 && bytes == b"n");
        assert!(whole, "seed {seed}: {names:?} {bytes:?}");
    }
    assert_eq!(outcomes(&disk, "new").len(), 2);
}

#[test]
fn a_journal_keeps_the_order_of_names() {
    let kept = |order| {
        let disk = SimDisk::new(Profile::STRICT.order(order));
        for name in ["a", "b", "c"] {
            disk.create_new(name).unwrap();
        }
        let cuts = disk.extremes().into_iter().chain((0..200).map(CutChoice::Seed));
        cuts.map(|cut| disk.power_cut(cut).list().unwrap().concat()).collect::<BTreeSet<_>>()
    };
    let prefixes = ["", "a", "ab", "abc"].map(String::from);
    assert_eq!(kept(DirectoryOrder::Prefix), prefixes.into());
    assert_eq!(kept(DirectoryOrder::Subset).len(), 8);
}
