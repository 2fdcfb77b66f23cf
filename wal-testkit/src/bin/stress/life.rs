//! [`Life`]: one life of a log, with all the threads that have to do with it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use wal::parts::segment::Ahead;
use wal::{ErrorKind, Lsn, Wal};

use crate::chance::Chance;
use crate::ledger::Event;
use crate::open::Opened;
use crate::payload::Name;
use crate::producer::Producer;
use crate::settings::{Beside, End, Settings, Store};
use crate::told::Told;
use crate::watch::PROGRESS;

/// One life of a log.
pub(crate) struct Life<'a> {
    pub(crate) dir: &'a Path,
    pub(crate) seed: u64,
    pub(crate) number: u32,
    pub(crate) settings: &'a Settings,
    pub(crate) told: &'a Told<'a>,
    /// A record found no room.
    pub(crate) room_wanted: AtomicBool,
    /// The failure that the settings ask for was put in.
    pub(crate) broke: AtomicBool,
    /// What is left of the phase.
    calls: AtomicI64,
    bytes: AtomicI64,
    /// Calls of all phases so far.
    called: AtomicU64,
    gave_up: AtomicBool,
    over: AtomicBool,
}

impl<'a> Life<'a> {
    pub(crate) fn new(
        dir: &'a Path,
        seed: u64,
        number: u32,
        settings: &'a Settings,
        told: &'a Told<'a>,
    ) -> Self {
        Self {
            dir,
            seed,
            number,
            settings,
            told,
            room_wanted: AtomicBool::new(false),
            broke: AtomicBool::new(false),
            calls: AtomicI64::new(0),
            bytes: AtomicI64::new(0),
            called: AtomicU64::new(0),
            gave_up: AtomicBool::new(false),
            over: AtomicBool::new(false),
        }
    }

    /// Leads the life from an open log to what comes before its end. `kept` is the handle of an
    /// earlier life, which goes in the middle of this one.
    pub(crate) fn run(&self, opened: &Opened, kept: Option<Opened>) {
        let wal = &opened.wal;
        let mut chance = self.chance(0);
        let drop_at = chance.below(self.settings.calls);
        let break_at = chance.below(self.settings.calls);
        thread::scope(|scope| {
            scope.spawn(move || {
                self.until(|| self.called.load(SeqCst) >= drop_at);
                drop(kept);
            });
            if self.settings.end == End::Poison {
                scope.spawn(move || {
                    self.until(|| self.called.load(SeqCst) >= break_at);
                    self.broke.store(true, SeqCst);
                    opened.fails.store(true, SeqCst);
                });
            }
            if self.settings.does(Beside::Prune) {
                scope.spawn(|| self.prune(wal));
            }
            if self.settings.does(Beside::Read) {
                scope.spawn(|| self.read(wal));
            }
            if self.settings.does(Beside::Look) {
                scope.spawn(|| self.look());
            }
            if let (Some(store), Store::Given(Ahead::Caller)) = (&opened.store, self.settings.store)
            {
                // What cannot be prepared now is prepared when it is needed.
                scope.spawn(|| self.until(|| store.prepare_next().is_err() && self.given_up()));
            }
            self.phases(wal, &mut chance);
            self.over.store(true, SeqCst);
        });
    }

    /// Takes so much of what the phase may do; says whether there was anything left.
    pub(crate) fn spend(&self, bytes: u64) -> bool {
        if bytes == 0 {
            return self.calls.load(SeqCst) > 0 && self.bytes.load(SeqCst) > 0 && !self.given_up();
        }
        self.called.fetch_add(1, SeqCst);
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let left = self.bytes.fetch_sub(bytes, SeqCst) > 0;
        self.calls.fetch_sub(1, SeqCst) > 0 && left
    }

    /// Says that this must not have happened, and ends the life.
    pub(crate) fn give_up(&self, what: impl Into<String>) {
        self.told.wrong(what);
        self.gave_up.store(true, SeqCst);
    }

    pub(crate) fn given_up(&self) -> bool {
        self.gave_up.load(SeqCst)
    }

    /// Something went on, so that nobody takes the log for hanging.
    pub(crate) fn progress() {
        PROGRESS.fetch_add(1, SeqCst);
    }

    pub(crate) fn chance(&self, part: u64) -> Chance {
        Chance::of(self.seed, &[u64::from(self.number), part])
    }

    fn phases(&self, wal: &Wal, chance: &mut Chance) {
        let mut numbers = vec![0; usize::try_from(self.settings.threads).unwrap_or(1)];
        for phase in 0..self.settings.phases {
            self.calls.store(i64::try_from(self.settings.calls).unwrap_or(0), SeqCst);
            self.bytes.store(i64::try_from(self.settings.bytes).unwrap_or(0), SeqCst);
            thread::scope(|scope| {
                for (thread, number) in (0..).zip(&mut numbers) {
                    let name = Name { life: self.number, thread, number: *number };
                    scope.spawn(move || *number = Producer::new(self, wal, name).run());
                }
            });
            if self.given_up() || self.broke.load(SeqCst) {
                return;
            }
            if self.settings.does(Beside::Cut) && phase + 1 < self.settings.phases {
                self.truncate(wal, chance);
            }
        }
    }

    /// Cuts the log somewhere. Nothing is appended meanwhile.
    fn truncate(&self, wal: &Wal, chance: &mut Chance) {
        let (first, last) = (wal.first_lsn().get(), wal.last_lsn().get());
        let cut = match chance.below(3) {
            0 => chance.between(first - 1, last),
            _ => last - chance.below(last - first + 2).min(5),
        };
        self.told.note(Event::Truncating(cut));
        match wal.truncate_after(Lsn::new(cut)) {
            Ok(()) => self.told.note(Event::Truncated(cut)),
            // A prune was faster.
            Err(_) if cut + 1 < wal.first_lsn().get() => self.told.note(Event::Truncated(last)),
            // There is no room for the segment that a cut takes: the log is as it was.
            Err(error)
                if error.kind() == ErrorKind::StorageFull
                    && self.settings.config.max_size.is_some()
                    && wal.last_lsn().get() == last =>
            {
                self.told.note(Event::Truncated(last));
            }
            Err(error) => {
                self.give_up(format!("cutting behind {cut} of {first}..={last}: {error:?}"));
            }
        }
        if !self.given_up() && wal.last_lsn().get() > last.max(cut) {
            self.give_up(format!("cut behind {cut}, the log ends with {}", wal.last_lsn()));
        }
    }

    /// Waits for it, or for the end of the life.
    pub(crate) fn until(&self, is_so: impl Fn() -> bool) {
        while !is_so() && !self.is_over() {
            thread::sleep(Duration::from_micros(200));
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(SeqCst)
    }
}
