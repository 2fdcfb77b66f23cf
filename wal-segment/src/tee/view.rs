//! [`View`]: one half as a log, whatever the other one holds.

use std::collections::BTreeMap;
use std::io;

use wal_core::format::{Anchor, Identity, Predecessor, SegmentHeader, Start};
use wal_core::{LogId, Lsn, Naming, SegmentId, SegmentStore, Unwritten};

use super::copy::segments;
use super::run::{Head, Run};

/// What a half holds, read as a log.
#[derive(Debug)]
pub(super) struct View {
    pub(super) ids: Vec<SegmentId>,
    pub(super) heads: BTreeMap<SegmentId, Head>,
    /// The newest segment in force, and what hangs on it.
    pub(super) log: Option<Log>,
    /// What keeps it from being whole.
    pub(super) flaw: Option<Flaw>,
    pub(super) anchor: Word,
    /// There is something that this build does not know.
    pub(super) unknown: bool,
    naming: Naming,
}

/// What keeps a half from being whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// This segment is damaged, or is not there.
    Segment(SegmentId),
    /// Its anchor cannot be read, or says that the log went further.
    Anchor,
}

/// The anchor of a half.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    None,
    Log(Anchor),
    /// Bytes, and no anchor of the format.
    Strange(Vec<u8>),
    Damaged,
}

#[derive(Debug)]
pub(super) struct Log {
    pub(super) id: LogId,
    pub(super) newest: SegmentId,
    pub(super) tail: Run,
    pub(super) start: Start,
    pub(super) chain: BTreeMap<SegmentId, Link>,
}

/// A segment of a log, as far as it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) identity: Identity,
    pub(super) end: u64,
    pub(super) digest: u32,
}

/// How far a log goes: of two of one lineage, the one with more.
pub(super) type Reach = (SegmentId, u64, u64);

impl View {
    pub(super) fn of(store: &dyn SegmentStore) -> io::Result<Self> {
        let guarantees = store.guarantees();
        let mut view = Self {
            ids: segments(store)?,
            heads: BTreeMap::new(),
            log: None,
            flaw: None,
            anchor: Word::read(store)?,
            unknown: false,
            naming: guarantees.naming,
        };
        let may_be_begun = guarantees.naming == Naming::AtCreate;
        for &id in &view.ids {
            let reader = store.open(id)?;
            let zeros = guarantees.unwritten == Unwritten::Zeros;
            let mut head = Head::of(&*reader, id, may_be_begun && zeros)?;
            if head == Head::Strange && may_be_begun && !zeros {
                // Bytes of another life may lie behind a header that was being written.
                head = Head::Begun;
            }
            view.unknown |= head == Head::Unknown;
            view.heads.insert(id, head);
        }
        view.find_newest(store)?;
        view.follow_chain(store)?;
        view.check_anchor();
        Ok(view)
    }

    pub(super) fn has_format(&self) -> bool {
        self.heads.values().any(|head| matches!(head, Head::Sound(_)))
    }

    pub(super) fn header(&self, id: SegmentId) -> Option<&SegmentHeader> {
        match self.heads.get(&id) {
            Some(Head::Sound(header)) => Some(header),
            _ => None,
        }
    }

    pub(super) fn reach(&self) -> Option<Reach> {
        self.log.as_ref().map(|log| (log.newest, log.tail.end, log.tail.seal_len))
    }

    /// The newest segment and the last record.
    pub(super) fn ends(&self) -> Option<(SegmentId, Lsn)> {
        self.log.as_ref().map(|log| (log.newest, log.tail.last_lsn))
    }

    /// From the highest number down, as recovery does.
    fn find_newest(&mut self, store: &dyn SegmentStore) -> io::Result<()> {
        for id in self.ids.clone().into_iter().rev() {
            let Some(header) = self.header(id).cloned() else {
                // From its first sync on a segment is there with its header, if the store says so.
                if self.naming == Naming::AtSync || self.heads.get(&id) == Some(&Head::Strange) {
                    self.flaw = self.flaw.or(Some(Flaw::Segment(id)));
                }
                continue;
            };
            let reader = store.open(id)?;
            let run = Run::scan(&*reader, &header, None)?;
            self.unknown |= run.unknown;
            let cut = run.seal_len == 0 && reader.size()? < header.space;
            if run.damaged || cut {
                self.flaw = self.flaw.or(Some(Flaw::Segment(id)));
            } else if run.last_lsn < header.carried {
                // A recovery or a truncation that was never finished.
                continue;
            }
            let start = later(run.start, header.start);
            let start = match &self.anchor {
                Word::Log(anchor) if anchor.log == header.log => later(start, anchor.start),
                _ => start,
            };
            let link = Link { identity: Identity::of(&header), end: run.end, digest: run.digest };
            let (log, chain) = (header.log, BTreeMap::from([(id, link)]));
            self.log = Some(Log { id: log, newest: id, tail: run, start, chain });
            return Ok(());
        }
        Ok(())
    }

    /// From the newest segment back to where the log begins.
    fn follow_chain(&mut self, store: &dyn SegmentStore) -> io::Result<()> {
        let Some(mut log) = self.log.take() else { return Ok(()) };
        let mut id = log.newest;
        while id > log.start.segment {
            let Some(before) = self.header(id).and_then(|header| header.predecessor) else {
                self.flaw = self.flaw.or(Some(Flaw::Segment(id)));
                break;
            };
            if before.id < log.start.segment {
                self.flaw = self.flaw.or(Some(Flaw::Segment(log.start.segment)));
                break;
            }
            let link = self.link(store, &before, log.id)?;
            let Some(link) = link else {
                self.flaw = self.flaw.or(Some(Flaw::Segment(before.id)));
                break;
            };
            log.chain.insert(before.id, link);
            id = before.id;
        }
        self.log = Some(log);
        Ok(())
    }

    /// The segment that a successor names, as far as it counts; `None` where it is not as that says.
    fn link(
        &mut self,
        store: &dyn SegmentStore,
        before: &Predecessor,
        log: LogId,
    ) -> io::Result<Option<Link>> {
        let Some(header) = self.header(before.id) else { return Ok(None) };
        if header.log != log || Identity::of(header) != before.identity {
            return Ok(None);
        }
        let run = Run::scan(&*store.open(before.id)?, header, Some(before.length))?;
        self.unknown |= run.unknown;
        let whole = !run.damaged && run.end == before.length && run.last_lsn == before.last_lsn;
        let link = Link { identity: before.identity, end: run.end, digest: run.digest };
        Ok(whole.then_some(link))
    }

    /// A log does not end before what is known of it.
    fn check_anchor(&mut self) {
        let wrong = match &self.anchor {
            Word::None | Word::Strange(_) => false,
            Word::Damaged => true,
            Word::Log(anchor) => {
                self.log.as_ref().is_some_and(|log| log.id != anchor.log)
                    || self.ends() < Some((anchor.newest, anchor.last_lsn))
            }
        };
        if wrong {
            self.flaw = self.flaw.or(Some(Flaw::Anchor));
        }
    }
}

impl Word {
    pub(super) fn read(store: &dyn SegmentStore) -> io::Result<Self> {
        match store.read_anchor() {
            Ok(None) => Ok(Self::None),
            Ok(Some(bytes)) if bytes.is_empty() => Ok(Self::None),
            Ok(Some(bytes)) => Ok(Anchor::decode(&bytes).map_or(Self::Strange(bytes), Self::Log)),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(Self::Damaged),
            Err(error) => Err(error),
        }
    }

    /// What a store was given to keep; `None` where that is nothing, or not known.
    pub(super) fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Self::None | Self::Damaged => None,
            Self::Log(anchor) => Some(anchor.encode().to_vec()),
            Self::Strange(bytes) => Some(bytes.clone()),
        }
    }
}

fn later(one: Start, other: Start) -> Start {
    if one.segment.max(other.segment) == one.segment { one } else { other }
}
