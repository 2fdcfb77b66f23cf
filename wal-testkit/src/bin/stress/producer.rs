//! A thread that appends, in every way there is.

use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;

use wal::{Error, ErrorKind, Lsn, Wal};

use crate::chance::Chance;
use crate::ledger::Event;
use crate::life::Life;
use crate::payload::{HEAD, Name};
use crate::settings::{End, Shape};
use crate::wait::block_on;

/// A thread that appends.
pub(crate) struct Producer<'a> {
    life: &'a Life<'a>,
    wal: &'a Wal,
    chance: Chance,
    /// The name of the next record.
    next: Name,
    /// Staged under these LSNs, and not known to be acknowledged.
    pending: VecDeque<(Lsn, u32, Name)>,
    big: bool,
}

/// Whether the thread can go on.
enum Step {
    On,
    Ended,
}

impl<'a> Producer<'a> {
    pub(crate) fn new(life: &'a Life<'a>, wal: &'a Wal, next: Name) -> Self {
        let parts = [u64::from(next.life), u64::from(next.thread), u64::from(next.number)];
        let chance = Chance::of(life.seed ^ 1, &parts);
        Self { life, wal, chance, next, pending: VecDeque::new(), big: false }
    }

    /// Appends until the phase's calls or bytes are spent; then everything is acknowledged. Returns
    /// the number of the thread's next record.
    pub(crate) fn run(mut self) -> u32 {
        while self.life.spend(0) {
            let lens = self.lens();
            let bytes = lens.iter().sum::<usize>() as u64;
            if !self.life.spend(bytes) {
                break;
            }
            if let Step::Ended = self.append(&lens) {
                return self.next.number;
            }
            let wait = self.chance.below(4) < 2 || self.pending.len() > 40;
            if wait && matches!(self.wait(), Step::Ended) {
                return self.next.number;
            }
        }
        self.wait();
        self.next.number
    }

    /// The lengths of the records to append at once.
    fn lens(&mut self) -> Vec<usize> {
        let segment = self.life.settings.config.segment_size;
        let shape = match self.life.settings.shape {
            Shape::Mixed => self.chance.pick(&[
                Shape::Small,
                Shape::Small,
                Shape::Shares,
                Shape::Halves,
                Shape::Thresholds,
            ]),
            shape => shape,
        };
        let chance = &mut self.chance;
        let bytes = match shape {
            Shape::Small | Shape::Mixed => chance.between(HEAD as u64, 3000),
            Shape::Shares => chance.between(HEAD as u64, segment * 6 / 5),
            Shape::Halves => {
                self.big = !self.big;
                let (from, to) = if self.big { (50, 70) } else { (30, 50) };
                chance.between(segment * from / 100, segment * to / 100)
            }
            Shape::Thresholds => {
                let end = self.wal.current_segment().map_or(0, |(_, end)| end);
                let quarters = chance.pick(&[1, 2, 2, 2, 3, 4]);
                let aim = (segment * quarters / 4).saturating_sub(chance.below(1500));
                if aim > end + 100 { aim - end - 60 } else { segment - segment / 3 }
            }
        };
        let count = match chance.below(3) {
            0 => chance.between(1, 20).min(bytes / 64).max(1),
            _ => 1,
        };
        let each = usize::try_from(bytes / count).unwrap_or(HEAD).max(HEAD);
        vec![each; usize::try_from(count).unwrap_or(1)]
    }

    fn append(&mut self, lens: &[usize]) -> Step {
        let name = |turn: usize| Name {
            number: self.next.number + u32::try_from(turn).unwrap_or(0),
            ..self.next
        };
        let records: Vec<Vec<u8>> = lens
            .iter()
            .enumerate()
            .map(|(turn, len)| name(turn).record(self.life.seed, *len))
            .collect();
        let count = u32::try_from(records.len()).unwrap_or(0);
        let first = self.next;
        loop {
            if self.life.given_up() {
                return Step::Ended;
            }
            let way = self.chance.below(6);
            let appended = match (&records[..], way) {
                ([record], 0) => block_on(self.wal.append_async(record)),
                ([record], 1) => self.wal.try_append(record),
                ([record], 2) => self.wal.append_durable(record),
                ([record], 3) => self.wal.append(record),
                (_, 4) => block_on(self.wal.append_batch_async(&records)).map(|lsns| last(&lsns)),
                _ => self.wal.append_batch(&records).map(|lsns| last(&lsns)),
            };
            // A record may be staged although something failed, and then the error says where.
            let staged = match &appended {
                Ok(lsn) => Some(*lsn),
                Err(error) if error.kind() == ErrorKind::StorageFull => error.at_lsn(),
                Err(_) => None,
            };
            if let Some(lsn) = staged {
                let begins = Lsn::new(lsn.get() + 1 - u64::from(count));
                self.pending.push_back((begins, count, first));
                self.next.number += count;
            }
            match appended {
                Ok(lsn) if matches!((&records[..], way), ([_], 2)) => self.acknowledged(lsn),
                Ok(_) => {}
                Err(error) => match self.failed(&error) {
                    Step::On if staged.is_none() => continue,
                    Step::On => {}
                    Step::Ended => {
                        // Indeterminate: the name is never used again.
                        self.next.number += count;
                        return Step::Ended;
                    }
                },
            }
            return Step::On;
        }
    }

    /// Waits until all of this thread's records are acknowledged.
    fn wait(&mut self) -> Step {
        while let Some((first, count, _)) = self.pending.back() {
            let lsn = Lsn::new(first.get() + u64::from(*count) - 1);
            let waited = match self.chance.below(3) {
                0 => block_on(self.wal.wait_for_lsn(lsn)),
                1 => self.wal.sync(),
                _ => self.wal.wait_for_lsn(lsn).wait(),
            };
            match waited {
                Ok(()) => self.acknowledged(lsn),
                Err(error) => {
                    if let Step::Ended = self.failed(&error) {
                        return Step::Ended;
                    }
                }
            }
        }
        Step::On
    }

    /// All through `lsn` are acknowledged.
    fn acknowledged(&mut self, lsn: Lsn) {
        while let Some((first, count, name)) = self.pending.front().copied() {
            if first > lsn {
                return;
            }
            Life::progress();
            self.life.told.note(Event::Acknowledged { lsn: first.get(), count, name });
            self.pending.pop_front();
        }
    }

    /// Whether the thread can go on after this.
    fn failed(&self, error: &Error) -> Step {
        let limited = self.life.settings.config.max_size.is_some();
        match error.kind() {
            ErrorKind::Backpressure => {}
            ErrorKind::StorageFull if limited => self.life.room_wanted.store(true, Relaxed),
            // The failure that was put in, and what follows from it.
            _ if self.life.settings.end == End::Poison && self.life.broke.load(Relaxed) => {
                return Step::Ended;
            }
            _ => {
                self.life.give_up(format!("thread {}: {error:?}", self.next.thread));
                return Step::Ended;
            }
        }
        if self.life.given_up() {
            return Step::Ended;
        }
        std::thread::yield_now();
        Step::On
    }
}

fn last(lsns: &[Lsn]) -> Lsn {
    lsns.last().copied().unwrap_or(Lsn::ZERO)
}
