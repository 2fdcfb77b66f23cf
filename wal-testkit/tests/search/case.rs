//! Cases as text, in the product's worlds: the stories of what the search has found.

use wal_testkit::History;
use wal_testkit::model::{Case, replay};

use crate::product::worlds;

/// Each of these broke the log once.
const FOUND: [(&str, &str); 5] = [
    (
        "a header that says what it carries is on the platter, and what it carries is nowhere",
        "bytes: fault sync io 4 1; append 0; sync; append 0; wait 0; append 0; sync; kill; \
         power 8 tape:1; read",
    ),
    (
        "a prune on a poisoned log said yes",
        "zero-filled: append 0; append 0; cut nothing; fault sync io 4 1; prune 0; prune 0; \
         cut nothing",
    ),
    (
        "a mark that was never synced counted as durable",
        "bytes: append 0; power 22 tape:0.1; truncate 1; append 0; sync",
    ),
    (
        "a truncation that a recovery had shown was undone by the next power cut",
        "bytes: append 0; truncate 1; power 11 nothing; append 0; fault sync io 2 1; truncate 1; \
         close; append 1; close",
    ),
    (
        "the remains of a segment that could not be made stood in the middle of the log",
        "sim: fault remove io 0 1; append 2882; append 100; wait 0; fault sync full 3 1; \
         append 8999; append 3031; close",
    ),
];

#[test]
fn what_was_found_once_stays_mended() {
    let worlds = worlds();
    for (story, text) in FOUND {
        let case: Case = text.parse().unwrap();
        let world = worlds.iter().find(|world| world.name() == case.world).unwrap();
        let told = History::new();
        if let Err(failure) = replay(world, &case, &told) {
            panic!("{story}\n{case}\n{}\n{told}", failure.violation);
        }
    }
}
