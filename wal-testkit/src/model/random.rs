//! Long histories by chance.

use super::run::{Fan, Run, apart};
use super::{Block, Case, Failure, Step, World};
use crate::{Call, CutChoice, Fault, FaultRule, Room, Tape};

/// Steps of one history.
const STEPS: std::ops::Range<u32> = 8..40;

/// Crashes tried beside each one that a history goes on from.
const BESIDE: u64 = 6;

/// Runs the history of this seed in this world, and at each crash some others beside the one that
/// the history goes on from. Says how many images were checked.
pub fn random(world: &World, seed: u64) -> Result<u64, Box<Failure>> {
    apart(|| Run::new(world, Fan::Seeds { seed, count: BESIDE }).case(&history(world, seed)))
}

/// The history of this seed in this world.
pub fn history(world: &World, seed: u64) -> Case {
    let mut tape = Tape::random(seed);
    let count = STEPS.start + tape.choose(STEPS.end - STEPS.start);
    Case::new(world.name(), steps(&mut tape, count))
}

/// So many steps of one history.
pub(super) fn steps(tape: &mut Tape, count: u32) -> Vec<Step> {
    let mut steps = Vec::new();
    while steps.len() < count as usize {
        let step = step(tape);
        let crash = matches!(step, Step::Cut(_) | Step::Power(..) | Step::Kill);
        steps.push(step);
        // The recovery, too, is cut short now and then.
        if crash && tape.choose(3) == 2 {
            steps.push(Step::Power(tape.choose(16), cut(tape)));
        }
    }
    steps
}

fn step(tape: &mut Tape) -> Step {
    match tape.choose(109) {
        0..26 => Step::Append(length(tape)),
        26..34 => Step::Batch(1 + tape.choose(5), length(tape)),
        34..50 => Step::Wait(tape.choose(4) / 2),
        50..56 => Step::Sync,
        56..60 => Step::Read,
        60..65 => Step::Prune(tape.choose(12)),
        65..70 => Step::Truncate(1 + tape.choose(8)),
        70..74 => Step::Close,
        74..77 => Step::Kill,
        77..81 => Step::Cut(cut(tape)),
        81..89 => Step::Power(tape.choose(32), cut(tape)),
        89..95 => Step::Fault(fault(tape)),
        95..97 => Step::Room(Room::Bytes(u64::from(tape.choose(24)) * 1000)),
        97..99 => Step::Room(Room::Plenty),
        99 => Step::Fork,
        100 => Step::Orphan,
        101..103 => Step::Contend,
        103..105 => Step::Look,
        105..108 => {
            let (file, block) =
                (tape.choose(6), [Block::Page, Block::Sector][tape.choose(2) as usize]);
            match tape.choose(4) {
                3 => Step::Short(file, tape.choose(40), block),
                _ => Step::Blank(file, tape.choose(40), block),
            }
        }
        _ if tape.choose(4) == 0 => Step::Lose(tape.choose(4)),
        _ => {
            let bits = u8::try_from(1 << tape.choose(8)).unwrap_or(1);
            Step::Rot(tape.choose(4), tape.choose(20_000), bits)
        }
    }
}

/// Some lengths that matter, and any share of a segment.
fn length(tape: &mut Tape) -> u32 {
    const LENGTHS: [u32; 12] = [20, 0, 1, 8, 20, 20, 100, 100, 700, 4000, 9000, 17_000];
    let which = tape.choose(15) as usize;
    LENGTHS.get(which).copied().unwrap_or_else(|| tape.choose(17_000))
}

fn cut(tape: &mut Tape) -> super::Cut {
    match tape.choose(8) {
        0 => CutChoice::Nothing,
        1 => CutChoice::Everything,
        2 => CutChoice::Drop(tape.choose(6).into()),
        3 => CutChoice::Only(tape.choose(6).into()),
        4 => CutChoice::TearLast(tape.choose(12).into()),
        _ => CutChoice::Seed(tape.choose(u32::MAX).into()),
    }
    .into()
}

fn fault(tape: &mut Tape) -> FaultRule {
    const FAULTS: [(Call, Fault); 23] = [
        (Call::Sync, Fault::Io),
        (Call::Sync, Fault::Dropped),
        (Call::Sync, Fault::Dropped),
        (Call::Sync, Fault::AfterEffect),
        (Call::Sync, Fault::StorageFull),
        (Call::SyncDir, Fault::Io),
        (Call::SyncDir, Fault::Dropped),
        (Call::SyncDir, Fault::AfterEffect),
        (Call::Write, Fault::Io),
        (Call::Write, Fault::StorageFull),
        (Call::Write, Fault::Interrupted),
        (Call::Write, Fault::AfterEffect),
        (Call::Write, Fault::Short(7)),
        (Call::Write, Fault::Partial(7)),
        (Call::Write, Fault::Partial(600)),
        (Call::Create, Fault::Io),
        (Call::Create, Fault::StorageFull),
        (Call::Allocate, Fault::Io),
        (Call::Allocate, Fault::StorageFull),
        (Call::SetLen, Fault::AfterEffect),
        (Call::Rename, Fault::AfterEffect),
        (Call::Remove, Fault::Io),
        (Call::Remove, Fault::AfterEffect),
    ];
    let (call, fault) = FAULTS[tape.choose(23) as usize];
    let rule = FaultRule::next(call, fault).after(tape.choose(5).into());
    // A disk that interrupts every call for ever makes no progress, and so need nobody on it.
    let forever = tape.choose(8) == 7 && fault != Fault::Interrupted;
    if forever { rule.forever() } else { rule }
}
