//! Defects of published write-ahead logs, each with a part here that has it and the laws that are
//! there to catch that part; or the reason why it is no matter of a law.
//!
//! The defects were found by reading the code and the documents of table stores, of nori-wal, and
//! of teaching material on `BookKeeper`; the numbers are those of that reading. That the lies are
//! caught is proved where all lies are.

use std::collections::BTreeSet;

use wal_testkit::liars::{CodecLie, EngineLie, LogLie, StoreLie, StrategyLie, TransformLie};

enum Lie {
    Codec(CodecLie),
    Engine(EngineLie),
    Log(LogLie),
    Store(StoreLie),
    Strategy(StrategyLie),
    Transform(TransformLie),
}

enum Answer {
    Caught(&'static [Lie]),
    NoLaw(&'static str),
}

use Answer::{Caught, NoLaw};
use Lie::{Codec, Engine, Log, Store, Strategy, Transform};

const DEFECTS: &[(&str, &str, Answer)] = &[
    (
        "B01",
        "stored bytes without a mark are read as compressed, or the other way round",
        Caught(&[Transform(TransformLie::IdIsNone)]),
    ),
    (
        "B02",
        "a record without length and checksum is taken for another one",
        Caught(&[Codec(CodecLie::PartIsARecord), Log(LogLie::SumsAreNotChecked)]),
    ),
    (
        "B03",
        "operations of transactions that were unfinished at the crash are applied",
        NoLaw("an engine of this seam knows no transactions; those that do bring their laws"),
    ),
    ("B04", "an operation is applied before its transaction's outcome is known", NoLaw("as B03")),
    (
        "B05",
        "replay in parallel by key carries rows across a table that was dropped in between",
        Caught(&[Engine(EngineLie::CrossesBarriers), Engine(EngineLie::BarriersComeLast)]),
    ),
    (
        "B06",
        "a global flag for \"replaying\" that an error leaves set: later writes are not logged",
        NoLaw("there is no such state: an engine and a target have no handle of a log"),
    ),
    (
        "B07",
        "the commit thread does not sync, dies of one error, never ends; LSNs out of order",
        Caught(&[
            Strategy(StrategyLie::NeverSyncs),
            Strategy(StrategyLie::DiesOnAFullDisk),
            Strategy(StrategyLie::LeavesItsThread),
            Log(LogLie::FirstLsnIsZero),
        ]),
    ),
    (
        "B08",
        "a torn tail is read behind its end; nothing is checksummed",
        Caught(&[
            Codec(CodecLie::PanicsAtTheEnd),
            Log(LogLie::SumsAreNotChecked),
            Log(LogLie::AppendsBehindATear),
        ]),
    ),
    (
        "B09",
        "replaying twice is not replaying once",
        Caught(&[Engine(EngineLie::ReplaysOnce), Engine(EngineLie::LastGroupTwice)]),
    ),
    (
        "B10",
        "an interval that is looked at in the next append: the last records are never synced",
        Caught(&[Strategy(StrategyLie::SyncsAtTheNextRecord)]),
    ),
    (
        "B11",
        "a reader stops at the end of the first segment, and cannot begin where it was pruned",
        Caught(&[Log(LogLie::ReadsOneSegment), Log(LogLie::PrunesTooMuch)]),
    ),
    (
        "B12",
        "records over a read's size are given up",
        Caught(&[Store(StoreLie::ReadsAreShort), Store(StoreLie::ShortReadsAreTakenForWhole)]),
    ),
    (
        "B13",
        "zeros behind the end are corruption; a recovered file's name is not synced",
        Caught(&[Log(LogLie::ZerosAreTheEnd), Log(LogLie::NameIsNotSynced)]),
    ),
    (
        "B14",
        "a benchmark that times the recovery of an ever growing log",
        NoLaw("a defect of a benchmark, not of a part"),
    ),
    ("B15", "a query of a dashboard that is not valid", NoLaw("no part")),
    (
        "B16",
        "a consumer reads the same record again; compaction deletes the old before the new is there",
        Caught(&[Log(LogLie::ReadsFromTheStart), Log(LogLie::OldGoesBeforeNewIsSynced)]),
    ),
    (
        "B17",
        "reopening overwrites from the start; checksums are not checked; segments in any order",
        Caught(&[
            Log(LogLie::ReopenForgetsTheLast),
            Log(LogLie::SumsAreNotChecked),
            Store(StoreLie::CreateOverwrites),
            Store(StoreLie::ListIsUnsorted),
        ]),
    ),
    (
        "B18",
        "what could not be compressed is stored as it is and marked as compressed",
        Caught(&[Transform(TransformLie::RawIsCalledStored)]),
    ),
    (
        "B19",
        "two appends rotate at once",
        NoLaw("a race within one log: a matter of its model checker; two writers are a law's"),
    ),
    (
        "B20",
        "a failed sync is tried again, or ignored",
        Caught(&[
            Log(LogLie::SyncIsTriedAgain),
            Strategy(StrategyLie::RetriesASync),
            Store(StoreLie::SyncErrorsAreSwallowed),
        ]),
    ),
    (
        "B21",
        "a recovery that fails starts from nothing",
        Caught(&[Log(LogLie::ReadErrorsAreTheEnd), Log(LogLie::DamageIsATear)]),
    ),
    (
        "B22",
        "examples that do not compile",
        NoLaw("the documentation's examples are compiled as tests"),
    ),
];

/// Whether the lie is in its table, and so proved to be caught.
fn proved(lie: &Lie) -> bool {
    fn holds<L: PartialEq>(all: &[(L, &[&str])], lie: &L) -> bool {
        all.iter().any(|(other, laws)| other == lie && !laws.is_empty())
    }
    match lie {
        Codec(lie) => holds(CodecLie::ALL, lie),
        Engine(lie) => holds(EngineLie::ALL, lie),
        Log(lie) => holds(LogLie::ALL, lie),
        Store(lie) => holds(StoreLie::ALL, lie),
        Strategy(lie) => holds(StrategyLie::ALL, lie),
        Transform(lie) => holds(TransformLie::ALL, lie),
    }
}

#[test]
fn every_known_defect_is_caught_or_no_matter_of_a_law() {
    let numbers: BTreeSet<_> = DEFECTS.iter().map(|(number, ..)| (*number).to_owned()).collect();
    assert_eq!(numbers, (1..=22).map(|number| format!("B{number:02}")).collect());
    for (number, defect, answer) in DEFECTS {
        match answer {
            Caught(lies) => {
                assert!(!lies.is_empty() && lies.iter().all(proved), "{number}: {defect}");
            }
            NoLaw(why) => assert!(!why.is_empty(), "{number}: {defect}"),
        }
    }
}
