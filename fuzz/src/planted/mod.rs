//! Every target can fail: a defect is planted under it, and it is found.
//!
//! Defects of the decoders are put around the real ones; those of the whole log are defects of its
//! store, which is the seam it stands on.

mod forgetful;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use wal::parts::codec::{Binary, Bincode};
use wal::parts::core::format::{FrameHeader, HEADER_LEN, Records, Seal, SegmentHeader, Start};
use wal::parts::core::{Codec, CodecId, SegmentStore};
use wal::{Lsn, Result};
use wal_testkit::SimDisk;
use wal_testkit::liars::{LyingStore, StoreLie};

use crate::chance::Chance;
use crate::codecs::{bincode_by, operation_by};
use crate::damage::torn_or_rot_over;
use crate::decoders::{frame_by, records_by, seal_by, segment_header_by, start_by};
use crate::history::{Shape, history_over};
use crate::mend;
use crate::recovery::recovery_over;
use crate::seeds::seeds;
use forgetful::{Forgetful, Forgets};

/// Inputs by chance until a defect counts as overlooked.
const INPUTS: usize = 20_000;
const SEED: u64 = 1;

#[test]
fn a_header_whose_checksum_is_not_compared() {
    found("segment_header", |bytes| {
        segment_header_by(bytes, |block| {
            let mut block = block.to_vec();
            if block.len() == HEADER_LEN {
                mend::header_crc(&mut block);
            }
            SegmentHeader::decode(&block)
        });
    });
}

#[test]
fn a_frame_whose_checksum_does_not_cover_its_place() {
    found("frame", |bytes| {
        frame_by(bytes, |frame, identity, offset| {
            FrameHeader::decode(frame, identity, offset)
                .or_else(|_| FrameHeader::decode(frame, identity, offset ^ 8))
        });
    });
}

#[test]
fn a_walk_that_leaves_out_a_record() {
    found("records", |bytes| records_by(bytes, |body, count| Records::new(body, count).skip(1)));
}

#[test]
fn a_seek_to_the_frame_behind() {
    found("seal", |bytes| {
        seal_by(bytes, |seal: &Seal, lsn| seal.seek(Lsn::new(lsn.get().saturating_add(8))));
    });
}

#[test]
fn a_start_with_something_behind_it() {
    found("start", |bytes| start_by(bytes, |body| Start::decode(&body[..body.len().min(16)])));
}

/// A codec that ignores what is left over.
#[derive(Debug)]
struct Careless<C>(C);

impl<R, C: Codec<R>> Codec<R> for Careless<C> {
    fn id(&self) -> CodecId {
        self.0.id()
    }

    fn encode(&self, record: &R, out: &mut Vec<u8>) -> Result<()> {
        self.0.encode(record, out)
    }

    fn decode(&self, bytes: &[u8]) -> Result<R> {
        let mut decoded = self.0.decode(bytes);
        for end in (0..bytes.len()).rev() {
            if decoded.is_ok() {
                break;
            }
            decoded = self.0.decode(&bytes[..end]);
        }
        decoded
    }
}

#[test]
fn an_operation_with_something_behind_it() {
    found("operation", |bytes| operation_by(bytes, &Careless::<Binary>(Binary)));
}

#[test]
fn a_bincode_record_with_something_behind_it() {
    found("bincode", |bytes| bincode_by(bytes, &Careless::<Bincode>(Bincode)));
}

#[test]
fn a_recovered_log_whose_appends_vanish() {
    found("recovery", |bytes| recovery_over(bytes, &Forgetful::of(Forgets::Appends)));
}

#[test]
fn a_log_that_changes_when_it_is_looked_at() {
    found("recovery", |bytes| recovery_over(bytes, &Forgetful::of(Forgets::Looked)));
}

/// Without its newest segment a log is a sound one, and shorter: a torn tail is then cut too far.
#[test]
fn a_torn_log_that_is_cut_too_far() {
    found("torn_or_rot", |bytes| {
        let bytes = [&[0], bytes.get(1..).unwrap_or_default()].concat();
        torn_or_rot_over(&bytes, &Forgetful::of(Forgets::Newest));
    });
}

#[test]
fn a_rotten_log_that_loses_in_silence_what_is_vouched_for() {
    found("torn_or_rot", |bytes| {
        let bytes = [&[1], bytes.get(1..).unwrap_or_default()].concat();
        torn_or_rot_over(&bytes, &Forgetful::of(Forgets::Newest));
    });
}

/// Lies of a store that break a promise of the log on top of it.
const LIES: &[StoreLie] = &[
    StoreLie::AppendsTradePlaces,
    StoreLie::CreateRecyclesUnsynced,
    StoreLie::CreateSkipsDirectorySync,
    StoreLie::FailedAppendMovesTheEnd,
    StoreLie::ListIsUnsorted,
    StoreLie::PreparedSpaceIsGarbage,
    StoreLie::ShortWritesAreTakenForWhole,
    StoreLie::SyncDoesNothing,
    StoreLie::SyncErrorsAreSwallowed,
    StoreLie::SyncWorksOnce,
    StoreLie::TrimCutsTooMuch,
    StoreLie::TrimRewrites,
];

#[test]
fn histories_on_stores_that_lie() {
    for &lie in LIES {
        assert!(history_on(lie, INPUTS).is_some(), "{lie:?} is overlooked");
    }
    assert_eq!(history_on(StoreLie::None, 300), None, "the honest store is found to lie");
}

fn history_on(lie: StoreLie, inputs: usize) -> Option<Vec<u8>> {
    let lying = |_: Shape, disk: &SimDisk| -> Arc<dyn SegmentStore> {
        Arc::new(LyingStore::new(disk.clone(), lie))
    };
    first_failure("history", inputs, |bytes| history_over(bytes, &lying))
}

/// The target's inputs by chance find the defect that is planted under it.
fn found(target: &str, planted: impl Fn(&[u8])) {
    let failure = first_failure(target, INPUTS, planted);
    assert!(failure.is_some(), "{target} overlooks it in {INPUTS} inputs of seed {SEED}");
}

/// The first of these inputs that the target panics on.
fn first_failure(target: &str, inputs: usize, target_on: impl Fn(&[u8])) -> Option<Vec<u8>> {
    let (corpus, mut chance) = (seeds(target), Chance::new(SEED));
    let mut inputs = (0..inputs).map(|_| chance.input(&corpus));
    let fails = |input: &Vec<u8>| catch_unwind(AssertUnwindSafe(|| target_on(input))).is_err();
    inputs.find(fails)
}
