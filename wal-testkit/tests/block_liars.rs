//! Stores that are right in their first block and lie behind it: each is caught where the blocks
//! are as long as those of many a store, and where the author names their length.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

use std::collections::BTreeMap;
use std::io;

use wal_core::SegmentStore;
use wal_testkit::liars::{BlockLie, LyingBlocks};
use wal_testkit::{
    Harm, Inflicted, OnDisk, Place, Profile, SEGMENT_STORE_LAWS, segment_store_laws,
};

const KIB: u64 = 1024;
/// A block that no law would think of.
const OWN: u64 = 5000;

fn blocks(block: u64, lie: BlockLie) -> impl Place<dyn SegmentStore> {
    OnDisk::new(Profile::STRICT, move |disk| Ok::<_, io::Error>(LyingBlocks::new(disk, block, lie)))
}

// A block of this store does not say whose it is: one that a stranger leaves behind a segment's end is
// taken for what a crash left.
segment_store_laws!(
    blocks_of_64_kib,
    || Unmeddled(blocks(64 * KIB, BlockLie::None)),
    without[stranger]
);
segment_store_laws!(
    blocks_of_1_mib,
    || Unmeddled(blocks(1024 * KIB, BlockLie::None)),
    unit = 1024 * KIB,
    without[stranger]
);
segment_store_laws!(
    blocks_of_their_own,
    || Unmeddled(blocks(OWN, BlockLie::None)),
    unit = OWN,
    without[stranger]
);

/// A place that no stranger comes to.
struct Unmeddled<P>(P);

impl<P: Place<dyn SegmentStore>> Place<dyn SegmentStore> for Unmeddled<P> {
    fn open(&self) -> wal_core::Result<Box<dyn SegmentStore>> {
        self.0.open()
    }

    fn files(&self) -> Option<BTreeMap<String, Vec<u8>>> {
        None
    }

    fn inflict(&self, harm: Harm) -> Inflicted {
        match harm {
            Harm::Stranger(_) => Inflicted::Cannot,
            harm => self.0.inflict(harm),
        }
    }
}

/// Each lie with each law that is there for it, told apart by the law's `run`.
fn past(block: u64, run: impl Fn(&wal_testkit::SegmentStoreLaw, BlockLie) -> bool) -> Vec<String> {
    let lies = BlockLie::ALL.iter().flat_map(|(lie, laws)| laws.iter().map(move |law| (*lie, law)));
    lies.filter(|(lie, name)| {
        let law = SEGMENT_STORE_LAWS.iter().find(|law| law.name() == **name).unwrap();
        run(law, *lie)
    })
    .map(|(lie, name)| format!("{lie:?} in blocks of {block} bytes got past {name}"))
    .collect()
}

#[test]
fn lies_behind_the_first_block_are_caught_by_default() {
    for block in [64 * KIB, 1024 * KIB] {
        let past = past(block, |law, lie| law.run(&|| Box::new(blocks(block, lie)), &[]).is_ok());
        assert!(past.is_empty(), "{past:#?}");
    }
}

#[test]
fn lies_behind_the_first_block_are_caught_at_the_authors_unit() {
    for block in [OWN, 300 * KIB] {
        let past = past(block, |law, lie| {
            law.run_with_unit(&|| Box::new(blocks(block, lie)), &[], block).is_ok()
        });
        assert!(past.is_empty(), "{past:#?}");
    }
}

/// The front is what tells them from an honest store: in the first block they are all honest.
#[test]
fn lies_behind_the_first_block_are_not_seen_in_it() {
    let block = 64 * KIB;
    for (lie, names) in BlockLie::ALL {
        for name in *names {
            let law = SEGMENT_STORE_LAWS.iter().find(|law| law.name() == *name).unwrap();
            let breach = law.run(&|| Box::new(blocks(block, *lie)), &[]).unwrap_err();
            assert!(breach.front() > 0, "{breach}");
            let again = format!("again: WAL_FRONT={}", breach.front());
            assert!(breach.to_string().contains(&again), "{breach}");
        }
    }
}
