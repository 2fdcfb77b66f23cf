//! Calls, faults and power cuts on a simulated disk, against a model.

mod harm;
mod shape;

use std::sync::Arc;

use wal::parts::core::SegmentStore;
use wal::{Acknowledgement, Error, ErrorKind, Lsn, Wal};
use wal_testkit::SimDisk;

use crate::input::Input;
use crate::model::Model;
use crate::still::Still;
pub(crate) use shape::Shape;

/// The most calls of a history.
const CALLS: usize = 80;

/// A row of calls of a log on a simulated disk, of faults of that disk, of kills and power cuts, some
/// of them in the middle of a recovery. At every moment the log is what the model says:
///
/// - what it acknowledged, or a recovery has shown, is there; what was cut or pruned is not;
/// - a batch is whole; LSNs are dense; no record is another than the one that was appended;
/// - without a fault every call succeeds, and after a failed write or sync none is acknowledged;
/// - what a crash leaves verifies without corruption, and opens.
///
/// With `WAL_FUZZ_TRACE` in the environment the calls are printed on stderr.
pub fn history(bytes: &[u8]) {
    history_over(bytes, &Shape::store);
}

pub(crate) fn history_over(bytes: &[u8], store: Store<'_>) {
    let mut input = Input::new(bytes);
    let mut run = Run::new(&mut input, store);
    run.reopen(&mut input);
    for _ in 0..CALLS {
        if input.is_empty() {
            break;
        }
        run.step(&mut input);
    }
    run.power_cut(&mut input);
    run.reopen(&mut input);
}

/// Whether something was done to the disk that lets calls fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Disk {
    Sound,
    Harmed,
}

/// Where the log lies, of this shape on this disk.
pub(crate) type Store<'a> = &'a dyn Fn(Shape, &SimDisk) -> Arc<dyn SegmentStore>;

struct Run<'a> {
    shape: Shape,
    store: Store<'a>,
    disk: SimDisk,
    env: Arc<Still>,
    wal: Option<Wal>,
    model: Model,
    state: Disk,
    trace: bool,
}

impl<'a> Run<'a> {
    fn new(input: &mut Input<'_>, store: Store<'a>) -> Self {
        let shape = Shape::chosen(input);
        let trace = std::env::var_os("WAL_FUZZ_TRACE").is_some();
        let disk = SimDisk::new(shape.profile);
        let (env, model) = (Arc::new(Still::default()), Model::new());
        let state = Disk::Sound;
        let run = Self { shape, store, disk, env, wal: None, model, state, trace };
        run.say(|| format!("{shape:?}"));
        run
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.byte() % 20 {
            0..=4 => self.append(input, 1),
            5 => {
                let count = 2 + u64::from(input.byte() % 4);
                self.append(input, count);
            }
            6..=8 => self.wait(input),
            9 => self.sync(),
            10 => self.prune(input),
            11 => self.truncate(input),
            12 => self.look(),
            13 => self.close(input),
            14 => self.kill(input),
            15 => {
                self.power_cut(input);
                self.reopen(input);
            }
            16 => {
                let after = u64::from(input.byte());
                self.say(|| format!("power off after {after} operations"));
                self.disk.crash_at(self.disk.operations() + after);
                self.state = Disk::Harmed;
            }
            17 => self.fault(input),
            18 => {
                let room = u64::from(input.u16());
                self.say(|| format!("room for {room} bytes more"));
                self.disk.set_room(Some(room));
                self.state = Disk::Harmed;
            }
            _ => {
                self.say(|| "room in plenty".into());
                self.disk.set_room(None);
            }
        }
    }

    fn append(&mut self, input: &mut Input<'_>, count: u64) {
        let len = usize::from(input.byte());
        // Short ones mostly, and some that are larger than a segment.
        let len = if len > 250 { 20_000 } else { len * len / 16 };
        let payloads: Vec<_> = (1..=count).map(|ahead| self.model.compose(ahead, len)).collect();
        let Some(wal) = &self.wal else { return };
        let last = self.model.last() + count;
        let appended = if count == 1 {
            wal.append(&payloads[0])
        } else {
            wal.append_batch(&payloads).map(|lsns| lsns.last().copied().unwrap_or(Lsn::ZERO))
        };
        self.say(|| format!("append {count} x {len} -> {appended:?}"));
        match appended {
            Ok(lsn) => {
                assert_eq!(lsn.get(), last, "an LSN that is not the next one");
                self.model.staged(payloads);
                if self.shape.acknowledges_appends() {
                    self.promised(last);
                }
            }
            // The strategy failed; the record is staged all the same.
            Err(error) if error.at_lsn() == Some(Lsn::new(last)) => {
                self.model.staged(payloads);
                self.failed(&error);
            }
            Err(error) => self.failed(&error),
        }
    }

    /// The log has said that `lsn` is acknowledged.
    fn promised(&mut self, lsn: u64) {
        match self.wal.as_ref().map(Wal::acknowledges) {
            Some(Acknowledgement::Durable) => self.model.is_durable(lsn),
            _ => self.model.is_written(lsn),
        }
    }

    fn wait(&mut self, input: &mut Input<'_>) {
        let lsn = self.model.last().saturating_sub(u64::from(input.byte() % 4));
        let Some(wal) = &self.wal else { return };
        let waited = wal.wait_for_lsn(Lsn::new(lsn)).wait();
        self.say(|| format!("wait for {lsn} -> {waited:?}"));
        match waited {
            Ok(()) => self.promised(lsn),
            Err(error) => self.failed(&error),
        }
        let Some(wal) = &self.wal else { return };
        let never = wal.wait_for_lsn(Lsn::new(self.model.last() + 1)).wait();
        assert!(never.is_err(), "a wait for a record that was never appended");
    }

    fn sync(&mut self) {
        let Some(wal) = &self.wal else { return };
        let synced = wal.sync();
        self.say(|| format!("sync -> {synced:?}"));
        match synced {
            Ok(()) => self.model.is_durable(self.model.last()),
            Err(error) => self.failed(&error),
        }
    }

    fn prune(&mut self, input: &mut Input<'_>) {
        let span = self.model.last() + 2 - self.model.first();
        let lsn = self.model.first() + u64::from(input.byte()) % span;
        let Some(wal) = &self.wal else { return };
        let pruned = wal.prune_before(Lsn::new(lsn));
        self.say(|| format!("prune before {lsn} -> {pruned:?}"));
        self.model.may_prune(lsn);
        match pruned {
            Ok(first) => self.model.pruned(first.get()),
            Err(error) => self.failed(&error),
        }
    }

    fn truncate(&mut self, input: &mut Input<'_>) {
        let span = self.model.last() + 2 - self.model.first();
        let lsn = self.model.first() - 1 + u64::from(input.byte()) % span;
        let Some(wal) = &self.wal else { return };
        // Not lower than the first record there is.
        let lsn = lsn.max(wal.first_lsn().previous().get());
        let truncated = wal.truncate_after(Lsn::new(lsn));
        self.say(|| format!("truncate after {lsn} -> {truncated:?}"));
        match truncated {
            Ok(()) if lsn < self.model.last() => self.model.truncated(lsn),
            Ok(()) => {}
            Err(error) => {
                // One that does not poison the log failed before it began to cut.
                if error.kind() == ErrorKind::Poisoned {
                    self.model.may_truncate(lsn);
                }
                self.failed(&error);
            }
        }
    }

    /// Reads what there is, beside the writer.
    fn look(&mut self) {
        let Some(wal) = &self.wal else { return };
        let seen = self.model.check(wal);
        self.say(|| format!("read -> {seen:?}"));
        match seen {
            Ok((_, last)) => self.promised(last),
            Err(error) => self.failed(&error),
        }
    }

    fn close(&mut self, input: &mut Input<'_>) {
        let Some(wal) = &self.wal else { return };
        let closed = wal.close();
        self.say(|| format!("close -> {closed:?}"));
        match closed {
            Ok(()) => {
                self.model.is_durable(self.model.last());
                self.wal = None;
                self.reopen(input);
            }
            Err(error) => self.failed(&error),
        }
    }

    /// A call has failed. A full disk leaves the log usable; all else has poisoned it, and it must
    /// hold to that.
    fn failed(&mut self, error: &Error) {
        assert_eq!(self.state, Disk::Harmed, "a call fails on a sound disk: {error:?}");
        if error.kind() == ErrorKind::StorageFull {
            return;
        }
        let Some(wal) = self.wal.take() else { return };
        let late = wal.append(b"late").err();
        // Staged all the same, also where this is the call that poisons: it may be there, or not.
        if wal.last_lsn().get() > self.model.last() {
            self.model.staged(vec![b"late".to_vec()]);
        }
        if let Some(late) = late
            && late.kind() == ErrorKind::Poisoned
        {
            assert!(wal.sync().is_err(), "a poisoned log syncs");
            let durable = wal.durable_lsn();
            if durable < wal.last_lsn() {
                let waited = wal.wait_for_lsn(wal.last_lsn()).wait();
                let promised = wal.acknowledges() == Acknowledgement::Durable;
                assert!(waited.is_err() || !promised, "a poisoned log acknowledges");
            }
            assert_eq!(wal.durable_lsn(), durable, "the watermark of a poisoned log moves");
            self.model.is_durable(durable.get());
        } else {
            // The call failed and the log did not: a removal, or a read of a machine that is off.
            self.model.is_durable(wal.durable_lsn().get());
        }
    }

    fn say(&self, line: impl Fn() -> String) {
        if self.trace {
            eprintln!("{}", line());
        }
    }
}
