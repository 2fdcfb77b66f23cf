//! Cases as text, in the product's worlds: the stories of what the search has found.

use wal_testkit::History;
use wal_testkit::model::{Case, replay};

use crate::product::worlds;

/// Each of these broke the log once.
const FOUND: [(&str, &str); 21] = [
    (
        "a header that says what it carries is on the platter, and what it carries is nowhere",
        "bytes: fault sync io 4 1; append 0; sync; append 0; wait 0; append 0; sync; kill; \
         power 8 tape:1; read",
    ),
    (
        "the predecessor of a segment whose carried records were in the cache alone was removed, or \
         trimmed",
        "zeros-ahead: fault sync io 3 1; append 0; wait 0; fault sync dropped 2 1; power 15 nothing; \
         close; read",
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
    (
        "records that a truncation cut off came back, as their removal had failed",
        "aligned: append 0; close; append 0; fault remove io 1 18446744073709551615; wait 0; \
         prune 0; batch 2 0; append 0; append 7887; truncate 3; append 0; sync",
    ),
    (
        "a dead segment that a lost removal brought back stood between two links of the log",
        "bytes: append 0; wait 0; kill; power 14 nothing; append 0; append 0; wait 0; kill; \
         power 7 nothing; truncate 0; fault sync-directory dropped 3 1; close",
    ),
    (
        "after a truncation whose removal failed the open log could not be read",
        "sim: append 0; close; append 0; wait 0; cut nothing; \
         fault sync-directory dropped 4 1; truncate 2; read",
    ),
    (
        "what was left of a segment that could not be made was read as a damaged header",
        "stale: wait 0; fault create full 1 1; fault sync-directory dropped 3 1; append 0; \
         append 16207; truncate 1; sync; room 2000; append 0; sync",
    ),
    (
        "an anchor vouched for a copy that was carried over after it was written, and whose sync had \
         failed: the segment with the durable copy went",
        "stale: batch 3 0; truncate 1; fault sync dropped 3 1; append 0; truncate 2; close; append 0; \
         power 0 nothing; close; look; read",
    ),
    (
        "an anchor whose name the directory had forgotten was written in place and called durable",
        "files: fault sync-directory dropped 2 18446744073709551615; append 0; sync; append 0; close; \
         append 4047; batch 2 4071; append 0; sync; power 5 everything; prune 2",
    ),
    (
        "a file was used again as long as the cache had it, and a failed sync had forgotten the length",
        "recycled-bytes: close; fault sync dropped 2 1; append 0; append 0; cut nothing; \
         fault sync dropped 2 1; append 3895; cut nothing",
    ),
    (
        "a frame that found no room was blanked in the cache alone: the next life gave its LSN out again, and \
         a power cut brought it back",
        "settings: close; room 16000; append 0; kill; append 1; cut nothing",
    ),
    (
        "an anchor whose first sync had failed, and that could not be removed, was taken for one that was \
         put aside",
        "paced: fault sync dropped 4 1; fault write partial:7 1 1; append 0; \
         fault remove io 1 18446744073709551615; close; append 0; cut nothing",
    ),
    (
        "a log that was killed, opened and closed had no seal, and nobody knew of its last block",
        "sim: append 0; wait 0; power 1 everything; close; blank 0 13 4096",
    ),
    (
        "the same of a log whose seal was there, and whose anchor had not heard of it",
        "settings: prune 11; append 4000; wait 1; append 4000; wait 0; look; wait 1; append 7800; \
         batch 5 20; close; append 12090; close; append 100; append 9000; append 4000; append 20; \
         append 9000; power 9 seed:110464998; append 17000; close; short 4 21 4096",
    ),
    (
        "a refused write was blanked in the cache alone, and came back behind an opening that had shown none",
        "everything: fault sync full 4 18446744073709551615; append 0; truncate 1; fault create io 0 1; \
         wait 0; orphan; prune 0; cut tape:3.0.1",
    ),
    (
        "the anchor knew a record of the newest segment; that one was lost, and a reader of what is before the \
         damage took the anchor's word for a record that it had cut off",
        "stale: append 0; truncate 1; append 0; truncate 1; append 1; close; short 5 0 512",
    ),
    (
        "rot was told as a change by another handle, which there was not",
        "everything: append 0; append 0; truncate 1; rot 0 0 2",
    ),
    (
        "what was dead went when the next segment was a bare header, which rotted: an empty log \
         counted from 1 again",
        "sync: append 0; close; append 0; prune 0; truncate 1; kill; fault write io 1 1; append 0; \
         rot 0 0 128",
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
