//! A disk that fills up: at a write, at the making of a segment, and at a sync.

use std::fs;
use std::path::Path;

use wal::{ErrorKind, Lsn, Wal, Writing};

use crate::child;
use crate::mounted::{Disk, Mounted, on};
use crate::policy::Policy;
use crate::records::{check, clean, commit, goes_on, recovers};

/// A test of each scenario, over every policy, on this disk.
macro_rules! on_each {
    ($($disk:ident as $name:ident: $($scenario:ident)*;)*) => {$(
        mod $name {
            use super::*;
            $(
                #[test]
                fn $scenario() {
                    let test =
                        concat!("small_disk::", stringify!($name), "::", stringify!($scenario));
                    on(test, Disk::$disk, |mounted| each_policy(test, mounted, super::$scenario));
                }
            )*
        }
    )*};
}

on_each! {
    Tmpfs as in_memory: full_at_a_write left_full pruned_while_full;
    Ext4 as on_a_loop_device: full_at_a_write left_full pruned_while_full;
}

/// The device does not get back what is removed, and so each policy has one of its own.
macro_rules! on_a_thin_device {
    ($($name:ident: $policy:ident)*) => {$(
        #[test]
        fn $name() {
            on(concat!("small_disk::", stringify!($name)), Disk::Thin, |mounted| {
                mounted.take_room();
                full_at_a_sync(mounted, Policy::$policy);
            });
        }
    )*};
}

on_a_thin_device! {
    full_at_a_sync_as_it_fits: Fit
    full_at_a_sync_with_files_used_again: Recycled
    full_at_a_sync_past_the_cache: Direct
}

/// One after the other, each from an empty disk.
fn each_policy(test: &str, mounted: &Mounted, scenario: fn(&Mounted, Policy)) {
    for policy in Policy::ALL {
        match policy.open(&mounted.log) {
            Ok(wal) => drop(wal),
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                child::told(test, "this kernel has no O_DIRECT on such a disk");
                continue;
            }
            Err(error) => panic!("{policy:?}: {error:?}"),
        }
        mounted.take_room();
        scenario(mounted, policy);
        fs::remove_dir_all(&mounted.log).unwrap();
    }
}

/// Commits until the disk is full, which the log says in so many words and with the place; the last
/// record acknowledged.
fn fill(wal: &Wal, log: &Path, policy: Policy) -> u64 {
    for _ in 0..20_000 {
        if let Err(error) = commit(wal) {
            assert_eq!(error.kind(), ErrorKind::StorageFull, "{policy:?}: {error:?}");
            let report = error.report();
            assert!(report.contains(log.to_str().unwrap()), "{policy:?}: {report}");
            assert!(report.contains("No space left on device"), "{policy:?}: {report}");
            return wal.durable_lsn().get();
        }
    }
    panic!("{policy:?}: the disk never fills up");
}

/// Whoever waits is told, nothing acknowledged is lost, and with room the same handle goes on.
fn full_at_a_write(mounted: &Mounted, policy: Policy) {
    let wal = policy.open(&mounted.log).unwrap();
    let acknowledged = fill(&wal, &mounted.log, policy);
    assert!(acknowledged > 10, "{policy:?}: {acknowledged}");
    check(&wal, acknowledged, "full");
    assert_eq!(fill(&wal, &mounted.log, policy), acknowledged, "still full");
    fs::remove_file(&mounted.ballast).unwrap();
    let last = wal.last_lsn();
    wal.wait_for_lsn(last).wait().unwrap();
    goes_on(wal, &mounted.log, &format!("{policy:?}"));
}

/// The handle is given up. The log opens, or says that it takes room; with room it goes on.
fn left_full(mounted: &Mounted, policy: Policy) {
    let wal = policy.open(&mounted.log).unwrap();
    let acknowledged = fill(&wal, &mounted.log, policy);
    drop(wal);
    match policy.open(&mounted.log) {
        Ok(wal) => drop(check(&wal, acknowledged, "full")),
        Err(error) => assert_eq!(error.kind(), ErrorKind::StorageFull, "{policy:?}: {error:?}"),
    }
    fs::remove_file(&mounted.ballast).unwrap();
    recovers(&mounted.log, policy, acknowledged, &format!("{policy:?}"));
}

/// A prune makes room, also where it keeps the files of what it removes: the same handle goes on.
fn pruned_while_full(mounted: &Mounted, policy: Policy) {
    let context = format!("{policy:?}");
    let wal = policy.open(&mounted.log).unwrap();
    let acknowledged = fill(&wal, &mounted.log, policy);
    let keep = Lsn::new(acknowledged - 3);
    let pruned = wal.prune_before(keep).or_else(|error| {
        assert_eq!(error.kind(), ErrorKind::StorageFull, "{context}: {error:?}");
        check(&wal, acknowledged, &context);
        fs::remove_file(&mounted.ballast).unwrap();
        wal.prune_before(keep)
    });
    assert!(pruned.unwrap() > Lsn::FIRST, "{context}");
    let last = wal.last_lsn();
    wal.wait_for_lsn(last).wait().unwrap();
    for _ in 0..5 {
        commit(&wal).unwrap_or_else(|error| panic!("{context}: {error:?}"));
    }
    let last = wal.last_lsn().get();
    assert_eq!(check(&wal, last, &context), last);
    wal.close().unwrap();
    drop(wal);
    clean(&mounted.log, last, &context);
    fs::remove_file(&mounted.ballast).ok();
}

/// The device beneath the file system runs out of room: bytes that a write was told are in the cache
/// have nowhere to go. What was acknowledged by then is on the device, to be seen once the cache is
/// gone, and the handle that met it acknowledges nothing that is not.
///
/// Each flush is padded to a block here: a record that went over a block's edge was seen to be lost
/// behind a sync that returned 0, as if the loop device (Linux 6.18) had taken the first block of a write
/// and said that it took them all.
fn full_at_a_sync(mounted: &Mounted, policy: Policy) {
    let context = format!("{policy:?}");
    let mut config = policy.config();
    config.alignment = 4096;
    if policy != Policy::Direct {
        config.writing = Some(Writing::Buffered);
    }
    let (wal, _) = Wal::builder(&mounted.log).config(config).open().unwrap();
    let error = (0..20_000).find_map(|_| commit(&wal).err()).unwrap();
    let acknowledged = wal.durable_lsn().get();
    assert!(acknowledged > 10, "{context}: {acknowledged}");
    let report = error.report();
    assert!(report.contains(mounted.log.to_str().unwrap()), "{context}: {report}");
    assert!(report.contains("os error"), "{context}: {report}");
    // A sync that failed is never tried again; a write past the cache that found no room may be.
    let expected: &[ErrorKind] = match policy {
        Policy::Direct => &[ErrorKind::Poisoned, ErrorKind::StorageFull],
        _ => &[ErrorKind::Poisoned],
    };
    assert!(expected.contains(&error.kind()), "{context}: {error:?}");
    assert_eq!(commit(&wal).unwrap_err().kind(), error.kind(), "{context}");
    // The record that found no room waited, and that one alone may have found some by now.
    let waited = u64::from(error.kind() == ErrorKind::StorageFull);
    let until = wal.durable_lsn().get();
    assert!((acknowledged..=acknowledged + waited).contains(&until), "{context}: {until}");
    let acknowledged = until;
    drop(wal);

    fs::remove_file(&mounted.ballast).unwrap();
    mounted.mount_again();
    recovers(&mounted.log, policy, acknowledged, &context);
}
