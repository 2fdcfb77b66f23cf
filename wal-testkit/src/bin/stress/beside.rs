//! What goes on beside those who append: pruning and holding, reading, and looking from outside.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::Duration;

use wal::parts::segment::MemoryStore;
use wal::{Cursor, ErrorKind, Lsn, Reader, Result, Verdict, Wal};

use crate::ledger::Event;
use crate::life::Life;
use crate::payload::Name;
use crate::settings::Beside;

/// Entries that are read at a time.
const SOME: usize = 300;

impl Life<'_> {
    /// Prunes now and then, and whenever there was no room; in between something is held.
    pub(crate) fn prune(&self, wal: &Wal) {
        let mut chance = self.chance(100);
        while !self.is_over() {
            // Also once a failure was put in: until a write meets with it, all may wait for room.
            let limited = self.settings.config.max_size.is_some();
            let wanted = self.room_wanted.swap(false, SeqCst);
            if !wanted && !limited && !chance.one_in(4) {
                thread::sleep(Duration::from_millis(2));
                continue;
            }
            // Where there is no room everything goes that can, whether it is durable or not.
            let lsn = if wanted {
                wal.last_lsn().get().max(1)
            } else {
                wal.durable_lsn().get().saturating_sub(chance.below(100)).max(1)
            };
            let held = if chance.one_in(4) { self.hold(wal, chance.between(1, lsn)) } else { None };
            self.prune_before(wal, lsn);
            if let Some(hold) = held {
                self.check_held(wal, hold.lsn());
            }
            thread::sleep(Duration::from_micros(chance.below(3000)));
        }
    }

    /// Prunes what is before this record.
    pub(crate) fn prune_before(&self, wal: &Wal, lsn: u64) {
        self.told.note(Event::Pruning(lsn));
        match wal.prune_before(Lsn::new(lsn)) {
            Ok(first) => {
                self.told.note(Event::Pruned(first.get()));
                Self::progress();
            }
            Err(error) => self.prune_failed(lsn, &error),
        }
    }

    /// Reads from anywhere by the log's own handle.
    pub(crate) fn read(&self, wal: &Wal) {
        let mut chance = self.chance(101);
        while !self.is_over() && !self.given_up() {
            let lsn = chance.between(wal.first_lsn().get(), wal.last_lsn().get().max(1));
            let read = wal.read_from(Lsn::new(lsn)).and_then(|cursor| self.entries(cursor, lsn));
            if let Err(error) = read
                && !self.may_miss(error.kind())
            {
                self.give_up(format!("reading from {lsn} on: {error:?}"));
            }
            thread::sleep(Duration::from_micros(chance.below(2000)));
        }
    }

    /// Looks at the log as another process does: by cursors, by `verify` and by copies, and at the part
    /// before damage that is not there. Beside a log that is pruned or cut it may be told that what it
    /// looks for is gone, or to look again; but never of damage, and what it does read must be right.
    pub(crate) fn look(&self) {
        let mut chance = self.chance(104);
        while !self.is_over() && !self.given_up() {
            let (kind, lsn) = (chance.below(4), chance.below(1000));
            if let Err(error) = Reader::open(self.dir).and_then(|it| self.look_by(&it, kind, lsn))
                && !self.may_be_told(error.kind())
            {
                self.give_up(format!("looking from outside, {kind}: {error:?}"));
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn look_by(&self, reader: &Reader, kind: u64, lsn: u64) -> Result<()> {
        let Some(survey) = reader.survey()? else { return Ok(()) };
        let first = survey.chain.start.lsn;
        match kind {
            0 => self.entries(reader.read_from(first)?, first.get()),
            1 => {
                let from = first.get() + lsn.min(survey.records());
                self.entries(reader.read_chain(&survey.chain, Lsn::new(from))?, from)
            }
            2 => {
                let copy = Arc::new(MemoryStore::new());
                let done = reader.backup_to(copy.clone())?;
                let copied = Reader::with_store(copy).read_from(done.first_lsn)?;
                self.entries(copied, done.first_lsn.get())
            }
            _ => {
                let found = reader.verify(|_| ())?;
                if found.verdict == Verdict::Corrupt {
                    self.give_up(format!("verify finds damage: {:?}", found.findings));
                }
                Ok(())
            }
        }
    }

    /// What a reader in another process may be told of a sound log.
    fn may_be_told(&self, kind: ErrorKind) -> bool {
        kind == ErrorKind::NotFound && self.settings.does(Beside::Prune)
            || self.settings.does(Beside::Cut)
                && matches!(kind, ErrorKind::NotFound | ErrorKind::Changed)
    }

    /// Some entries of this cursor, which must be whole and follow each other.
    fn entries(&self, cursor: Cursor, from: u64) -> Result<()> {
        for (entry, lsn) in cursor.take(SOME).zip(from..) {
            let entry = entry?;
            let name = Name::read(self.seed, &entry.payload);
            if entry.lsn.get() != lsn || name.is_err() {
                self.give_up(format!("read {} in place of {lsn}: {name:?}", entry.lsn));
                break;
            }
        }
        Ok(())
    }

    fn hold(&self, wal: &Wal, lsn: u64) -> Option<wal::Hold> {
        match wal.hold("stress", Lsn::new(lsn)) {
            Ok(hold) => Some(hold),
            Err(error) if [ErrorKind::NotFound, ErrorKind::Invalid].contains(&error.kind()) => None,
            Err(error) => {
                self.give_up(format!("holding {lsn}: {error:?}"));
                None
            }
        }
    }

    fn check_held(&self, wal: &Wal, lsn: Lsn) {
        // Of the time before the reading: what becomes durable meanwhile need not be seen.
        let durable = wal.durable_lsn();
        let read = wal.read_from(lsn).and_then(|mut cursor| cursor.next().transpose());
        match read {
            _ if self.settings.does(Beside::Cut) || self.broke.load(SeqCst) => {}
            Ok(Some(entry)) if entry.lsn == lsn => {}
            // The record to come next may be held.
            Ok(None) if lsn > durable => {}
            other => self.give_up(format!("{lsn} was held, and reading it gives {other:?}")),
        }
    }

    fn prune_failed(&self, lsn: u64, error: &wal::Error) {
        let may = match error.kind() {
            // There is no room even for the boundary; what was removed before made some.
            ErrorKind::StorageFull => self.settings.config.max_size.is_some(),
            ErrorKind::Invalid | ErrorKind::NotFound => {
                self.settings.does(Beside::Cut) || self.is_over()
            }
            _ => false,
        };
        if !may && !self.broke.load(SeqCst) {
            self.give_up(format!("pruning before {lsn}: {error:?}"));
        }
    }

    /// Whether a reader may meet with this.
    fn may_miss(&self, kind: ErrorKind) -> bool {
        self.may_be_told(kind)
            // Between the look at the log's ends and the reading they were others.
            || kind == ErrorKind::Invalid && self.settings.does(Beside::Cut)
    }
}
