//! Opening a log that was killed with many records behind its last sync.
//!
//! All of them are read, and carried over into a fresh segment, which is synced. Each is a frame of
//! its own, as `os` and `interval` leave them where each append is waited for, and has 8 bytes, so
//! that it is the frames that cost. Under the other strategies what is acknowledged is durable, and
//! in doubt is no more than was written during a sync.

use std::cell::RefCell;
use std::time::Duration;

use anyhow::Result;
use wal::Strategy;

pub use crate::killed::Killed;
use crate::memory::resident;
use crate::{Budget, Effort, Row, Samples, Scratch, Subject, float, interleaved};

/// How much longer a record may take where ten times as many are in doubt: the work is linear in
/// them. What does not grow with them, the syncs of an opening, makes a record of the smaller log
/// cost more, and so can only help.
const LINEAR: f64 = 1.5;

/// How much longer opening under another strategy may take than under `os`: it is the same work.
const ALIKE: f64 = 1.5;

/// Megabytes that opening may have more than the process had before, however much is in doubt: a
/// piece that is read, one that is written, and places in the segment. What is allocated is counted
/// by a test, which holds a lower bound.
const MEMORY: f64 = 8.0;

/// Every strategy that needs no runtime.
pub(crate) const STRATEGIES: [Strategy; 7] = [
    Strategy::Os,
    Strategy::Interval(LONGEST),
    Strategy::Sync,
    Strategy::GroupCommit,
    Strategy::FlushThread,
    Strategy::Pipelined,
    Strategy::Parallel,
];

/// The longest there is; its thread syncs when half of it is over, and is not to while a log is
/// written.
pub(crate) const LONGEST: Duration = Duration::from_secs(60);

/// Memory that openings had, in megabytes above what the process had when this was made: before the
/// logs were, so that memory the allocator has left from that counts, too.
struct Memory {
    before: Option<u64>,
    openings: RefCell<Vec<f64>>,
}

impl Memory {
    fn new() -> Self {
        Self { before: resident(), openings: RefCell::default() }
    }

    fn note(&self, most: Option<u64>) {
        let more = most.zip(self.before).map(|(most, before)| most.saturating_sub(before));
        self.openings.borrow_mut().extend(more.map(|more| float(more) / 1e6));
    }

    /// The row, where the system tells.
    fn row(self, name: &str, smaller: (&'static str, Self)) -> Option<Row> {
        let ours = Samples::from(self.openings.into_inner());
        let floor = Samples::from(smaller.1.openings.into_inner());
        let what = format!("open, records in doubt: {name}, memory");
        let row = Row::new(what, "MB", (smaller.0, &floor), &ours, Budget::AtMost(MEMORY));
        self.before.map(|_| row)
    }
}

const FLOOR: &str = "pread + CRC32C + pwrite, one fdatasync";

fn against_floor(name: &str, floor: &Samples, ours: &Samples) -> Row {
    Row::new(each(name), "ns", (FLOOR, floor), ours, Budget::Open)
}

fn against_a_tenth(name: &str, tenth: &Samples, ours: &Samples) -> Row {
    let floor = ("ours with a tenth of them", tenth);
    Row::new(each(name), "ns", floor, ours, Budget::RatioAtMost(LINEAR))
}

fn each(name: &str) -> String {
    format!("open, records in doubt: {name}, each")
}

/// Nanoseconds for each record in doubt, from ten thousand to a million of them: against reading and
/// writing them once, and against a tenth of them; and what memory that takes.
pub fn rows(scratch: &Scratch, effort: Effort) -> Result<Vec<Row>> {
    let (with_few, with_some, with_many) = (Memory::new(), Memory::new(), Memory::new());
    let killed = |records| Killed::new(scratch, effort.size(records), Strategy::Os);
    let (few, some, many) = (killed(10_000)?, killed(100_000)?, killed(1_000_000)?);
    let open = |log: &Killed, memory: &Memory| {
        let (each, most) = log.open(scratch, Strategy::Os)?;
        memory.note(most);
        Ok(each)
    };
    let [few_carried, some_carried, many_carried, few, some, many] = interleaved(
        effort.rounds(9),
        &mut [
            &mut || few.carry(scratch),
            &mut || some.carry(scratch),
            &mut || many.carry(scratch),
            &mut || open(&few, &with_few),
            &mut || open(&some, &with_some),
            &mut || open(&many, &with_many),
        ],
    )?;
    let mut rows = vec![
        against_floor("10 k", &few_carried, &few),
        against_floor("100 k", &some_carried, &some),
        against_floor("1 M", &many_carried, &many),
        against_a_tenth("100 k", &few, &some),
        against_a_tenth("1 M", &some, &many),
    ];
    rows.extend(with_many.row("1 M", ("ours with 10 k", with_few)));
    Ok(rows)
}

/// The same with ten million records, and with a hundred thousand under each strategy; takes minutes,
/// and 2 GB of disk.
pub fn long_rows(scratch: &Scratch, effort: Effort) -> Result<Vec<Row>> {
    let (with_tenth, with_all) = (Memory::new(), Memory::new());
    let killed = |records| Killed::new(scratch, effort.size(records), Strategy::Os);
    let (tenth, all) = (killed(1_000_000)?, killed(10_000_000)?);
    let open = |log: &Killed, memory: &Memory| {
        let (each, most) = log.open(scratch, Strategy::Os)?;
        memory.note(most);
        Ok(each)
    };
    let [carried, tenth, all] = interleaved(
        effort.rounds(3),
        &mut [&mut || all.carry(scratch), &mut || open(&tenth, &with_tenth), &mut || {
            open(&all, &with_all)
        }],
    )?;
    let mut rows =
        vec![against_floor("10 M", &carried, &all), against_a_tenth("10 M", &tenth, &all)];
    rows.extend(with_all.row("10 M", ("ours with 1 M", with_tenth)));
    rows.extend(strategies(scratch, effort)?);
    Ok(rows)
}

/// A hundred thousand records in doubt, left by `os` and opened under each strategy, and left by an
/// interval, which leaves the same frames.
fn strategies(scratch: &Scratch, effort: Effort) -> Result<Vec<Row>> {
    let killed = |strategy| Killed::new(scratch, effort.size(100_000), strategy);
    let by_os = killed(Strategy::Os)?;
    let by_interval = killed(Strategy::Interval(LONGEST))?;
    let open = |log: &Killed, strategy| Ok(log.open(scratch, strategy)?.0);
    let (open, by_os) = (&open, &by_os);
    let mut under = STRATEGIES.map(|strategy| move || open(by_os, strategy));
    let [os, interval, sync, group, thread, pipelined, parallel] = under.each_mut();
    let subjects: &mut [Subject<'_>; 8] =
        &mut [os, interval, sync, group, thread, pipelined, parallel, &mut || {
            open(&by_interval, Strategy::Interval(LONGEST))
        }];
    let [os, others @ .., left_by_interval] = interleaved(effort.rounds(9), subjects)?;
    let row = |what: String, ours: &Samples| {
        let what = format!("open{what}, records in doubt: 100 k, each");
        Row::new(what, "ns", ("ours under os", &os), ours, Budget::RatioAtMost(ALIKE))
    };
    let named = STRATEGIES.iter().skip(1).zip(&others);
    let mut rows: Vec<_> =
        named.map(|(strategy, ours)| row(format!(" under {}", strategy.name()), ours)).collect();
    rows.push(row(", left by interval".into(), &left_by_interval));
    Ok(rows)
}
