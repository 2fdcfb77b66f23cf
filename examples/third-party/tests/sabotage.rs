//! What the README says of a store that is broken, tried out.

mod medium;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use medium::SimMedium;
use third_party::{Medium, OneFile};
use wal_core::{SegmentStore, StoreLock};
use wal_testkit::{OnDisk, Place, Profile, SEGMENT_STORE_LAWS};

/// Leaves out the sync that follows the entry of a removal: what `OneFile::remove` does without its
/// last line.
#[derive(Debug)]
struct NoSyncAtRemove {
    medium: SimMedium,
    removed: AtomicBool,
}

/// Where the kind of an entry is, and that of a removal.
const KIND: std::ops::Range<usize> = 36..40;
const REMOVE: [u8; 4] = [4, 0, 0, 0];

impl Medium for NoSyncAtRemove {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.medium.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        self.removed.store(bytes.get(KIND) == Some(&REMOVE), Ordering::Relaxed);
        self.medium.write_at(offset, bytes)
    }

    fn sync(&self) -> io::Result<()> {
        if self.removed.swap(false, Ordering::Relaxed) { Ok(()) } else { self.medium.sync() }
    }

    fn lock(&self) -> io::Result<Box<dyn StoreLock>> {
        self.medium.lock()
    }
}

#[test]
fn the_sabotage_of_the_readme_breaks_the_law_of_the_readme() {
    let place = || -> Box<dyn Place<dyn SegmentStore>> {
        Box::new(OnDisk::new(Profile::STRICT, |disk| {
            let (medium, removed) = (SimMedium::open(disk)?, AtomicBool::new(false));
            Ok::<_, io::Error>(OneFile::new(NoSyncAtRemove { medium, removed }))
        }))
    };
    let law = SEGMENT_STORE_LAWS.iter().find(|law| law.name() == "a_removal_survives_a_crash");
    let breach = law.expect("the kit has the law").run(&place, &[]).expect_err("it is broken");
    let report = breach.to_string();
    let first_lines: String = report.split_inclusive('\n').take(2).collect();
    let readme = include_str!("../README.md");
    assert!(readme.contains(&first_lines), "the README does not say this:\n{first_lines}");
}
