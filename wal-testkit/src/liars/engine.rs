//! A replay engine that is right, or lies in one way.

use std::sync::atomic::{AtomicBool, Ordering};

use wal_core::{Entry, ReplayEngine, ReplayReport, ReplayTarget, Result, Scope};

/// The one way in which a [`LyingEngine`] lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EngineLie {
    /// It is honest.
    None,
    /// Groups are sorted by key, barriers or not.
    CrossesBarriers,
    /// After the log's last entry an empty group is applied.
    EndsWithAnEmptyGroup,
    /// It applies what it read, error or not, and says that all is well.
    LogErrorIsTheEnd,
    /// It goes on behind an entry that could not be read.
    LogErrorIsSkipped,
    /// The last group is applied twice.
    LastGroupTwice,
    /// A report counts groups, and not entries.
    ReportCountsGroups,
    /// Of an empty log it reports one entry.
    ReportsOneOfNone,
    /// Groups are applied newest entry first.
    ReversesGroups,
    /// A second replay applies nothing.
    ReplaysOnce,
    /// A target that fails is passed over.
    TargetErrorIsSkipped,
    /// An entry that does not fill a group is left out.
    TheLastGroupIsLost,
    /// The state is right for keys, and barriers come too late.
    BarriersComeLast,
}

impl EngineLie {
    /// Every lie, with the laws that are there to catch it. A lie may break others too.
    pub const ALL: &[(Self, &[&str])] = &[
        (Self::CrossesBarriers, &["nothing_crosses_a_barrier", "the_state_is_that_of_the_log"]),
        (Self::EndsWithAnEmptyGroup, &["no_group_is_empty"]),
        (Self::LogErrorIsTheEnd, &["a_failing_log_ends_the_replay"]),
        (Self::LogErrorIsSkipped, &["a_failing_log_ends_the_replay"]),
        (Self::LastGroupTwice, &["every_entry_is_applied_once"]),
        (Self::ReportCountsGroups, &["the_report_adds_up"]),
        (Self::ReportsOneOfNone, &["an_empty_log_is_no_work"]),
        (Self::ReversesGroups, &["entries_of_a_key_keep_their_order"]),
        (Self::ReplaysOnce, &["a_second_replay_gives_the_same"]),
        (Self::TargetErrorIsSkipped, &["a_failing_target_ends_the_replay"]),
        (Self::TheLastGroupIsLost, &["every_entry_is_applied_once"]),
        (Self::BarriersComeLast, &["nothing_crosses_a_barrier"]),
    ];
}

/// An engine that lies in one way, or, with [`EngineLie::None`], in none: groups of four, in the
/// order of the log.
#[derive(Debug)]
pub struct LyingEngine {
    lie: EngineLie,
    replayed: AtomicBool,
}

const GROUP: usize = 4;

impl LyingEngine {
    /// An engine with this lie.
    pub fn new(lie: EngineLie) -> Self {
        Self { lie, replayed: AtomicBool::new(false) }
    }

    fn apply(
        &self,
        group: &mut [Entry],
        target: &mut dyn ReplayTarget,
        report: &mut ReplayReport,
    ) -> Result<()> {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { return Ok(()) };
        if report.entries == 0 {
            report.first_lsn = first.lsn;
        }
        report.last_lsn = last.lsn;
        report.entries +=
            if self.lie == EngineLie::ReportCountsGroups { 1 } else { group.len() as u64 };
        report.bytes += group.iter().map(|entry| entry.payload.len() as u64).sum::<u64>();
        let barrier = |entry: &Entry| target.scope(entry) == Scope::Barrier;
        match self.lie {
            EngineLie::ReversesGroups => group.reverse(),
            EngineLie::CrossesBarriers => group.sort_by_key(|entry| match target.scope(entry) {
                Scope::Barrier => Vec::new(),
                Scope::Key(key) => [vec![1], key].concat(),
            }),
            EngineLie::BarriersComeLast => group.sort_by_key(barrier),
            _ => {}
        }
        match target.apply(group) {
            Ok(applications) => {
                report.applied += applications.applied;
                report.skipped += applications.skipped;
            }
            Err(_) if self.lie == EngineLie::TargetErrorIsSkipped => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

impl ReplayEngine for LyingEngine {
    fn replay(
        &self,
        entries: &mut dyn Iterator<Item = Result<Entry>>,
        target: &mut dyn ReplayTarget,
    ) -> Result<ReplayReport> {
        let mut report = ReplayReport::default();
        let before = self.replayed.swap(true, Ordering::Relaxed);
        if before && self.lie == EngineLie::ReplaysOnce {
            return Ok(report);
        }
        let mut group = Vec::new();
        for entry in entries {
            match entry {
                Ok(entry) => group.push(entry),
                Err(_) if self.lie == EngineLie::LogErrorIsSkipped => {}
                Err(_) if self.lie == EngineLie::LogErrorIsTheEnd => break,
                Err(error) => {
                    self.apply(&mut group, target, &mut report)?;
                    return Err(error);
                }
            }
            if group.len() == GROUP {
                self.apply(&mut group, target, &mut report)?;
                group.clear();
            }
        }
        if self.lie != EngineLie::TheLastGroupIsLost {
            self.apply(&mut group, target, &mut report)?;
        }
        match self.lie {
            EngineLie::LastGroupTwice => self.apply(&mut group, target, &mut report)?,
            EngineLie::EndsWithAnEmptyGroup => drop(target.apply(&[])?),
            EngineLie::ReportsOneOfNone if report.entries == 0 => report.entries = 1,
            _ => {}
        }
        Ok(report)
    }
}
