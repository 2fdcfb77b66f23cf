//! Calls, faults and power cuts on a simulated disk, against a model.

use std::sync::Arc;

use wal::parts::core::SegmentStore;
use wal::parts::replay::verify;
use wal::parts::segment::{FileStore, Preparation};
use wal::{Acknowledgement, Config, Error, ErrorKind, Lsn, Result, Strategy, Verdict, Wal};
use wal_testkit::{
    Atom, Call, CutChoice, Damage, Fault, FaultRule, Profile, SimDisk, SimStore, Tail, Tape,
};

use crate::input::Input;
use crate::leader::Leader;
use crate::model::Model;
use crate::sim_files::SimFiles;
use crate::still::Still;

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
    let mut input = Input::new(bytes);
    let mut run = Run::new(&mut input);
    run.reopen(&mut input);
    for _ in 0..CALLS {
        if input.is_empty() {
            break;
        }
        run.step(&mut input);
    }
    run.end_of_life(&mut input);
    run.reopen(&mut input);
}

/// Which disk, which store and which strategy.
#[derive(Clone, Copy, Debug)]
struct Shape {
    profile: Profile,
    store: u8,
    strategy: u8,
    alignment: u32,
}

impl Shape {
    fn chosen(input: &mut Input<'_>) -> Self {
        let (disk, store, strategy) = (input.byte() % 6, input.byte() % 5, input.byte() % 3);
        let strict = Profile::STRICT;
        let (profile, alignment) = match disk {
            0 => (strict, 8),
            1 => (strict.atom(Atom::Byte), 8),
            2 => (Profile::JOURNALED, 8),
            3 => (strict.tail(Tail::Stale), 8),
            4 => (strict, 512),
            // Whole blocks may come back as garbage: no acknowledged record shares one.
            _ => (strict.atom(Atom::Page).damage(Damage::Atom), 4096),
        };
        Self { profile, store, strategy, alignment }
    }

    fn store(self, disk: &SimDisk) -> Arc<dyn SegmentStore> {
        let files = |preparation| {
            let store = FileStore::over(Arc::new(SimFiles(disk.clone())));
            Arc::new(store.preparation(preparation)) as Arc<dyn SegmentStore>
        };
        match self.store {
            0 => files(Preparation::Whole),
            1 => files(Preparation::None),
            2 => files(Preparation::Chunks(4096)),
            3 => files(Preparation::ZeroFill),
            _ => Arc::new(SimStore::new(disk.clone())),
        }
    }

    fn open(self, store: Arc<dyn SegmentStore>, env: Arc<Still>) -> Result<Wal> {
        let mut config = Config::default();
        config.segment_size = 16 * 1024;
        config.alignment = self.alignment;
        config.buffer_size = 4096;
        config.strategy = if self.strategy == 1 { Strategy::Os } else { Strategy::Sync };
        let mut builder = Wal::with_store(store).config(config).env(env);
        if self.strategy == 2 {
            builder = builder.custom_strategy(Arc::new(Leader::default()));
        }
        builder.open().map(|(wal, _)| wal)
    }
}

/// Whether something was done to the disk that lets calls fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Disk {
    Sound,
    Harmed,
}

struct Run {
    shape: Shape,
    disk: SimDisk,
    env: Arc<Still>,
    wal: Option<Wal>,
    model: Model,
    state: Disk,
    trace: bool,
}

impl Run {
    fn new(input: &mut Input<'_>) -> Self {
        let shape = Shape::chosen(input);
        let trace = std::env::var_os("WAL_FUZZ_TRACE").is_some();
        let disk = SimDisk::new(shape.profile);
        let (env, model) = (Arc::new(Still::default()), Model::new());
        let run = Self { shape, disk, env, wal: None, model, state: Disk::Sound, trace };
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
        let (appended, last) = match count {
            1 => (wal.append(&payloads[0]), self.model.last() + 1),
            _ => {
                let lsns = wal.append_batch(&payloads);
                let last = |lsns: Vec<Lsn>| lsns.last().copied().unwrap_or(Lsn::ZERO);
                (lsns.map(last), self.model.last() + count)
            }
        };
        self.say(|| format!("append {count} x {len} -> {appended:?}"));
        match appended {
            Ok(lsn) => {
                assert_eq!(lsn.get(), last, "an LSN that is not the next one");
                self.model.staged(payloads);
                self.acknowledged(&[Strategy::Sync, Strategy::Os], last);
            }
            // The strategy failed; the record is staged all the same.
            Err(error) if error.at_lsn() == Some(Lsn::new(last)) => {
                self.model.staged(payloads);
                self.failed(&error);
            }
            Err(error) => self.failed(&error),
        }
    }

    /// Under these strategies an append returns when it is acknowledged.
    fn acknowledged(&mut self, strategies: &[Strategy], lsn: u64) {
        let strategy = match self.shape.strategy {
            0 => Strategy::Sync,
            1 => Strategy::Os,
            _ => return,
        };
        if strategies.contains(&strategy) {
            self.promised(lsn);
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
                self.model.may_truncate(lsn);
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

    fn kill(&mut self, input: &mut Input<'_>) {
        self.say(|| "kill".into());
        self.trust_watermark();
        self.disk = self.disk.kill();
        self.disk.set_room(None);
        self.state = Disk::Sound;
        self.wal = None;
        self.reopen(input);
    }

    fn power_cut(&mut self, input: &mut Input<'_>) {
        self.trust_watermark();
        self.model.power_failed();
        let n = u64::from(input.byte());
        let choice = match input.byte() % 7 {
            0 => CutChoice::Everything,
            1 => CutChoice::Nothing,
            2 => CutChoice::Drop(n),
            3 => CutChoice::Only(n),
            4 => CutChoice::TearLast(n),
            5 => CutChoice::Seed(n),
            _ => {
                let choices: Vec<u32> = input.take(32).iter().copied().map(u32::from).collect();
                self.say(|| format!("power cut by {choices:?}"));
                self.disk = self.disk.power_cut_by(&mut Tape::replay(&choices));
                return self.sound();
            }
        };
        self.say(|| format!("power cut, {choice}"));
        self.disk = self.disk.power_cut(choice);
        self.sound();
    }

    fn sound(&mut self) {
        self.disk.set_room(None);
        self.state = Disk::Sound;
        // What the old process still does reaches the old disk alone.
        self.wal = None;
    }

    /// The watermark is a promise as any other.
    fn trust_watermark(&mut self) {
        if let Some(wal) = &self.wal {
            let durable = wal.durable_lsn().get();
            self.model.is_durable(durable);
        }
    }

    fn fault(&mut self, input: &mut Input<'_>) {
        const CALLS: [Call; 8] = [
            Call::Write,
            Call::Sync,
            Call::SyncDir,
            Call::Create,
            Call::Allocate,
            Call::SetLen,
            Call::Remove,
            Call::Rename,
        ];
        let call = CALLS[input.below(CALLS.len())];
        let sync = matches!(call, Call::Sync | Call::SyncDir);
        let fault = match input.byte() % 6 {
            0 if call == Call::Write => Fault::Short(usize::from(input.byte())),
            1 if call == Call::Write => Fault::Partial(usize::from(input.u16())),
            2 if sync => Fault::Dropped,
            3 => Fault::AfterEffect,
            4 if !sync => Fault::StorageFull,
            _ => Fault::Io,
        };
        let rule = FaultRule::next(call, fault).after(u64::from(input.byte() % 16));
        self.say(|| format!("fault: {rule}"));
        self.disk.fail(rule);
        self.state = Disk::Harmed;
    }

    /// A call has failed. A full disk leaves the log usable; all else has poisoned it, and it must
    /// hold to that.
    fn failed(&mut self, error: &Error) {
        assert_eq!(self.state, Disk::Harmed, "a call fails on a sound disk: {error:?}");
        if error.kind() == ErrorKind::StorageFull {
            return;
        }
        let Some(wal) = self.wal.take() else { return };
        let poisoned = wal.append(b"late").err();
        if let Some(late) = poisoned
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
            // The record is lost with the handle, or not.
            self.model.is_durable(wal.durable_lsn().get());
            let late = self.model.last() + 1;
            if wal.last_lsn().get() == late {
                self.model.staged(vec![b"late".to_vec()]);
            }
        }
    }

    fn end_of_life(&mut self, input: &mut Input<'_>) {
        self.power_cut(input);
    }

    /// Opens the log as a new process would, until it opens: faults may hit that, too, and power
    /// cuts in the middle of the recovery.
    fn reopen(&mut self, input: &mut Input<'_>) {
        if input.byte() % 4 == 3 {
            let after = u64::from(input.byte() % 64);
            self.say(|| format!("power off after {after} operations of the recovery"));
            self.disk.crash_at(self.disk.operations() + after);
            self.state = Disk::Harmed;
        }
        match self.try_open() {
            Ok(()) => return,
            Err(error) => {
                assert_eq!(self.state, Disk::Harmed, "a sound disk does not open: {error:?}");
                assert_ne!(error.kind(), ErrorKind::Corrupt, "{error:?}");
            }
        }
        if input.byte() % 2 == 0 {
            self.power_cut(input);
        } else {
            self.say(|| "kill".into());
            self.disk = self.disk.kill();
            self.sound();
        }
        let opened = self.try_open();
        opened.expect("a log opens after any crash, on a disk that works");
    }

    fn try_open(&mut self) -> Result<()> {
        let store = self.shape.store(&self.disk);
        match verify(&*store, &mut |_| ()) {
            Ok(found) => assert_ne!(found.verdict, Verdict::Corrupt, "{found:?}"),
            Err(error) => assert_eq!(self.state, Disk::Harmed, "no verdict: {error:?}"),
        }
        let opened = self.shape.open(store, Arc::clone(&self.env));
        self.say(|| format!("open -> {:?}", opened.as_ref().err()));
        let wal = opened?;
        let adopted = self.model.adopt(&wal);
        self.say(|| format!("recovered {adopted:?}, durable {}", self.model.durable()));
        adopted?;
        self.wal = Some(wal);
        Ok(())
    }

    fn say(&self, line: impl Fn() -> String) {
        if self.trace {
            eprintln!("{}", line());
        }
    }
}
