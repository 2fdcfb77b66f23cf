//! What comes over the disk: kills, power cuts, faults; and opening the log after them.

use std::sync::Arc;

use wal::parts::replay::verify;
use wal::{ErrorKind, Result, Verdict};
use wal_testkit::{Call, CutChoice, Fault, FaultRule, Tape};

use super::{Disk, Run};
use crate::input::Input;

impl Run<'_> {
    pub(super) fn kill(&mut self, input: &mut Input<'_>) {
        self.say(|| "kill".into());
        self.trust_watermark();
        self.disk = self.disk.kill();
        self.disk.set_room(None);
        self.state = Disk::Sound;
        self.wal = None;
        self.reopen(input);
    }

    pub(super) fn power_cut(&mut self, input: &mut Input<'_>) {
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

    pub(super) fn fault(&mut self, input: &mut Input<'_>) {
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

    /// Opens the log as a new process would, until it opens: faults may hit that, too, and power
    /// cuts in the middle of the recovery.
    pub(super) fn reopen(&mut self, input: &mut Input<'_>) {
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
        if input.byte().is_multiple_of(2) {
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
        let store = (self.store)(self.shape, &self.disk);
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
}
