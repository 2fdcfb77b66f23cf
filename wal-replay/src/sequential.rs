//! [`Sequential`]: one entry after the other, in the log's order.

use std::time::Instant;

use wal_core::{Entry, ReplayEngine, ReplayReport, ReplayTarget, Result};

/// Applies groups of entries in the log's own order: the engine that every other one must equal.
///
/// An error in the log ends it, once what comes before is applied; an error of the target ends it at
/// once, and what the target has of that group is the target's to say.
#[derive(Clone, Debug)]
pub struct Sequential {
    group: usize,
}

impl Sequential {
    /// One entry at a time.
    pub fn new() -> Self {
        Self::grouped(1)
    }

    /// Up to `group` entries at a time, for a target that is faster that way; at least one.
    pub fn grouped(group: usize) -> Self {
        Self { group: group.max(1) }
    }
}

impl Default for Sequential {
    fn default() -> Self {
        Self::new()
    }
}

impl ReplayEngine for Sequential {
    fn replay(
        &self,
        entries: &mut dyn Iterator<Item = Result<Entry>>,
        target: &mut dyn ReplayTarget,
    ) -> Result<ReplayReport> {
        let mut report = ReplayReport::default();
        let mut group = Vec::with_capacity(self.group.min(4096));
        loop {
            group.clear();
            let began = Instant::now();
            let mut failed = None;
            while group.len() < self.group {
                match entries.next() {
                    Some(Ok(entry)) => group.push(entry),
                    Some(Err(error)) => {
                        failed = Some(error);
                        break;
                    }
                    None => break,
                }
            }
            report.read += began.elapsed();
            if let (Some(first), Some(last)) = (group.first(), group.last()) {
                if report.entries == 0 {
                    report.first_lsn = first.lsn;
                }
                report.last_lsn = last.lsn;
                report.entries += group.len() as u64;
                report.bytes += group.iter().map(|entry| entry.payload.len() as u64).sum::<u64>();
                let began = Instant::now();
                let applications = target.apply(&group)?;
                report.apply += began.elapsed();
                report.applied += applications.applied;
                report.skipped += applications.skipped;
            }
            if let Some(error) = failed {
                return Err(error);
            }
            if group.len() < self.group {
                return Ok(report);
            }
        }
    }
}
