//! [`survey`]: a log as it lies there, read without changing anything.

use wal_core::format::SegmentHeader;
use wal_core::{Error, ErrorKind, Lsn, Result, SegmentId, SegmentStore};

use crate::chain::{Chain, follows, listed};
use crate::scan::{Ending, Scan};
use crate::segment::{Opened, Segment};
use crate::unfinished::CopyMark;

/// A log as it lies there. Only its newest segment was read, and headers where numbers leave a gap.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Survey {
    /// The segments that make up the log.
    pub chain: Chain,
    /// The header of the newest segment in force.
    pub newest: SegmentHeader,
    /// What the newest segment holds.
    pub tail: Scan,
    /// Segments that are there and are no part of the log: pruned, cut off, or beginnings that a
    /// crash interrupted.
    pub dead: Vec<SegmentId>,
    /// The highest number there is.
    pub highest: SegmentId,
}

impl Survey {
    /// The last record that can be read.
    pub fn last_lsn(&self) -> Lsn {
        self.tail.last_lsn
    }

    /// How many records the log has.
    pub fn records(&self) -> u64 {
        self.tail.last_lsn.since(self.chain.start.lsn.previous())
    }

    /// Whether the newest segment is known to have been durable before this process came: it holds
    /// a frame, and frames are written only into a segment whose name and header are durable.
    pub(crate) fn proven(&self) -> bool {
        self.tail.frames > 0 || self.tail.ending == Ending::Sealed
    }

    /// The newest segment follows the one before it, where that can be told, and is not another log's:
    /// by the word of that one this log would be cut, and go on. Costs one header. Where that header is
    /// damaged, nothing can be told, and the log opens as it does with damage further back: so it can be
    /// pruned.
    pub(crate) fn check_predecessor(&self, store: &dyn SegmentStore) -> Result<()> {
        let Some(before) = self.newest.predecessor else { return Ok(()) };
        let belongs = self.chain.segments.binary_search(&before.id).is_ok();
        if !belongs && !self.dead.contains(&before.id) {
            return Ok(());
        }
        match Segment::open_sound(store, before.id) {
            Ok(before) => follows(&before.header, before.identity, &self.newest),
            // What was pruned may be gone by now.
            Err(error) if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::NotFound) => {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

/// Reads the log in `store` without changing anything and without a lock, also while another
/// process writes it; `None` where there is no log.
///
/// Damage to what the log vouches for is an error of kind [`Corrupt`](ErrorKind::Corrupt), as far
/// as the newest segment and the list of segments show it; [`verify`](crate::verify) reads all.
pub fn survey(store: &dyn SegmentStore) -> Result<Option<Survey>> {
    // A log that is being written can lose segments to pruning while it is looked at.
    let mut attempts = 0;
    loop {
        match listed(store).and_then(|present| look(store, &present)) {
            Err(error) if error.kind() == ErrorKind::NotFound && attempts < 16 => attempts += 1,
            looked => return looked.map(|found| found.map(|(survey, _)| survey)),
        }
    }
}

/// The survey, and the newest segment, opened; `present` are all there are.
pub(crate) fn look(
    store: &dyn SegmentStore,
    present: &[SegmentId],
) -> Result<Option<(Survey, Segment)>> {
    let mut dead = Vec::new();
    let (mut relied_on, mut relying) = (Lsn::ZERO, None);
    for &id in present.iter().rev() {
        let Opened::Sound(segment) = Segment::open(store, id)? else {
            dead.push(id);
            continue;
        };
        let tail = Scan::tail(&segment)?;
        if tail.last_lsn < segment.header.carried {
            // A recovery or truncation that a crash interrupted: nothing was taken away from where
            // the records were before it was finished, and so the log is what it was. What it was
            // to carry may never have been durable; what it found vouched for was.
            let before = segment.header.predecessor.map_or(Lsn::ZERO, |before| before.last_lsn);
            if before > relied_on {
                (relied_on, relying) = (before, Some(segment.header));
            }
            dead.push(id);
            continue;
        }
        if tail.last_lsn < relied_on {
            return Err(gone(relying.as_ref(), relied_on));
        }
        let begins = tail.start;
        if begins.segment == id && begins.lsn != segment.header.first_lsn {
            let what = "the log's start is not the first record of its segment";
            return Err(Error::new(ErrorKind::Corrupt, what).segment(id).lsn(begins.lsn));
        }
        let chain = Chain::new(store, present, begins, &segment.header)?;
        let belongs = |id: &SegmentId| chain.segments.binary_search(id).is_ok();
        dead.extend(present.iter().filter(|&&other| other < id && !belongs(&other)));
        dead.sort_unstable();
        let highest = present.last().copied().unwrap_or(id);
        let newest = segment.header.clone();
        return Ok(Some((Survey { chain, newest, tail, dead, highest }, segment)));
    }
    if relied_on > Lsn::ZERO {
        return Err(gone(relying.as_ref(), relied_on));
    }
    Ok(None)
}

fn gone(relying: Option<&SegmentHeader>, lsn: Lsn) -> Error {
    if let Some(mark) = relying.and_then(CopyMark::read) {
        return mark.error();
    }
    let what = "records are gone that an interrupted recovery relied on";
    let id = relying.map_or(SegmentId::default(), |header| header.id);
    Error::new(ErrorKind::Corrupt, what).segment(id).lsn(lsn)
}
