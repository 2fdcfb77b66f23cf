//! [`examine`]: every fault on one log.

use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::child::Script;
use super::damage::Found;
use super::launch::Lab;
use super::preload::Preload;
use super::told::Told;
use super::trace::{Place, Trace};
use super::{RECORDS, TARGET};
use crate::Entrant;

/// What became of one log.
#[derive(Clone, Debug)]
pub struct Findings {
    pub(super) entrant: Entrant,
    pub(super) kill: Result<Told, String>,
    pub(super) sync_error: Result<Faulted, String>,
    pub(super) no_space: Result<Faulted, String>,
    pub(super) short_write: Result<Faulted, String>,
    pub(super) flip: Result<Damaged, String>,
    pub(super) cut: Result<Regrown, String>,
    pub(super) second_opener: Result<Told, String>,
    pub(super) syncs: Result<Syncs, String>,
}

/// A call failed while a record was appended.
#[derive(Clone, Debug)]
pub(super) struct Faulted {
    /// The run in which it did.
    pub(super) run: Told,
    /// What a later process finds.
    pub(super) later: Told,
}

/// Bytes were changed while nobody had the log open.
#[derive(Clone, Debug)]
pub(super) struct Damaged {
    pub(super) later: Told,
    /// How long the damaged file was, and is.
    pub(super) len: (Option<u64>, Option<u64>),
}

/// The last record was cut in two, and the log appended to.
#[derive(Clone, Debug)]
pub(super) struct Regrown {
    pub(super) append: Told,
    pub(super) later: Told,
}

/// What durable appends cost.
#[derive(Clone, Debug)]
pub(super) struct Syncs {
    pub(super) records: u32,
    pub(super) calls: Vec<(&'static str, usize)>,
    pub(super) by_writing: bool,
}

/// Records whose syncs are counted: not those that make the first file.
const COUNTED: RangeInclusive<u32> = 3..=RECORDS;

/// Does everything to one log, in fresh directories below `dir`; `program` is this one, which is
/// also every child.
pub fn examine(entrant: &Entrant, program: &Path, dir: &Path) -> Findings {
    let lab = Lab::new(program.into(), dir.into());
    let bench = Bench { lab, name: entrant.name, dir: dir.into() };
    Findings {
        entrant: *entrant,
        kill: said(bench.kill()),
        sync_error: said(bench.traced_fault(Trace::sync_of, "error=EIO")),
        no_space: said(bench.traced_fault(Trace::write_of, "error=ENOSPC")),
        short_write: said(bench.short_write()),
        flip: said(bench.flip()),
        cut: said(bench.cut()),
        second_opener: said(bench.second_opener()),
        syncs: said(bench.syncs()),
    }
}

/// An experiment that did not come about is part of the result.
fn said<T>(result: Result<T>) -> Result<T, String> {
    result.map_err(|error| format!("{error:#}"))
}

struct Bench {
    lab: Lab,
    name: &'static str,
    dir: PathBuf,
}

impl Bench {
    fn script(&self, dir: &Path) -> Script {
        let (subject, dir) = (self.name.into(), dir.into());
        Script { subject, dir, read: false, append: None, hold: false }
    }

    fn appending(&self, dir: &Path, records: RangeInclusive<u32>) -> Script {
        Script { append: Some(records), ..self.script(dir) }
    }

    fn reading(&self, dir: &Path) -> Script {
        Script { read: true, ..self.script(dir) }
    }

    /// Runs `experiment` in a directory that is not there yet, and is not there afterwards.
    fn fresh<T>(&self, experiment: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
        let dir = self.dir.join("log");
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
        let result = experiment(&dir);
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
        result
    }

    /// A run in which nothing fails.
    fn clean_trace(&self) -> Result<Trace> {
        self.fresh(|dir| {
            let (told, trace) = self.lab.traced(&self.appending(dir, 1..=RECORDS), None)?;
            if told.acknowledged().len() != RECORDS as usize {
                bail!("without any fault: {:?}", told.complaints());
            }
            Ok(trace)
        })
    }

    /// Nothing fails; what a later process finds.
    fn kill(&self) -> Result<Told> {
        self.fresh(|dir| {
            self.lab.run(&self.appending(dir, 1..=RECORDS))?;
            self.lab.run(&self.reading(dir))
        })
    }

    /// Makes the call fail that `find` finds in a run without faults.
    fn traced_fault(
        &self,
        find: fn(&Trace, u32) -> Option<Place>,
        how: &'static str,
    ) -> Result<Faulted> {
        // Threads may run otherwise the next time, and the call be another than counted.
        for _ in 0..3 {
            let Some(place) = find(&self.clean_trace()?, TARGET) else {
                bail!("no such call is made")
            };
            let faulted = self.fresh(|dir| {
                let script = self.appending(dir, 1..=RECORDS);
                let (run, trace) = self.lab.traced(&script, Some((&place, how)))?;
                let later = self.lab.run(&self.reading(dir))?;
                Ok(trace.failed_in(TARGET).then_some(Faulted { run, later }))
            })?;
            if let Some(faulted) = faulted {
                return Ok(faulted);
            }
        }
        bail!("the fault could not be placed")
    }

    fn short_write(&self) -> Result<Faulted> {
        let preload = Preload::compile(&self.dir)?;
        self.fresh(|dir| {
            let script = self.appending(dir, 1..=RECORDS);
            let (run, short) = self.lab.with_short_write(&script, &preload, TARGET)?;
            if !short {
                bail!("no such call is made");
            }
            let later = self.lab.run(&self.reading(dir))?;
            Ok(Faulted { run, later })
        })
    }

    fn flip(&self) -> Result<Damaged> {
        self.fresh(|dir| {
            self.lab.run(&self.appending(dir, 1..=RECORDS))?;
            let found = Found::record(dir, TARGET)?;
            found.flip()?;
            let before = found.len();
            let later = self.lab.run(&self.reading(dir))?;
            Ok(Damaged { later, len: (before, found.len()) })
        })
    }

    fn cut(&self) -> Result<Regrown> {
        self.fresh(|dir| {
            self.lab.run(&self.appending(dir, 1..=RECORDS))?;
            Found::record(dir, RECORDS)?.cut()?;
            let script = self.appending(dir, RECORDS + 1..=RECORDS + 2);
            let append = self.lab.run(&Script { read: true, ..script })?;
            let later = self.lab.run(&self.reading(dir))?;
            Ok(Regrown { append, later })
        })
    }

    fn second_opener(&self) -> Result<Told> {
        self.fresh(|dir| {
            let holder = Script { hold: true, ..self.appending(dir, 1..=1) };
            self.lab.beside(&holder, &self.script(dir))
        })
    }

    fn syncs(&self) -> Result<Syncs> {
        let trace = self.clean_trace()?;
        let (first, last) = (*COUNTED.start(), *COUNTED.end());
        let by_writing = trace.syncs_by_writing();
        Ok(Syncs { records: last - first + 1, calls: trace.syncs(first, last), by_writing })
    }
}
