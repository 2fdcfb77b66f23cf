//! [`TwoDisks`]: a place whose segments are on two simulated disks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use wal_core::{Error, SegmentStore};
use wal_segment::{FileStore, OnLoss, Preparation, Recycling, TeeStore};
use wal_testkit::{Harm, Inflicted, Place, Profile, Room, SimDisk, SimFiles, SimStore};

/// The two lose power together. Faults and want of room come to the first, and only where they make
/// operations fail: with [`OnLoss::GoOn`] they do not.
pub(crate) struct TwoDisks {
    disks: Mutex<[SimDisk; 2]>,
    on_loss: OnLoss,
    kinds: [Kind; 2],
}

/// How the bytes of a half come onto its disk.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Plain,
    /// Files of removed segments are used again.
    Recycling,
    /// No space is prepared.
    Unprepared,
}

impl TwoDisks {
    pub(crate) fn new(on_loss: OnLoss) -> Self {
        let disks = [Profile::STRICT, Profile::JOURNALED].map(SimDisk::new);
        Self { disks: Mutex::new(disks), on_loss, kinds: [Kind::Plain; 2] }
    }

    pub(crate) fn kinds(mut self, kinds: [Kind; 2]) -> Self {
        self.kinds = kinds;
        self
    }
}

impl Place<dyn SegmentStore> for TwoDisks {
    fn open(&self) -> wal_core::Result<Box<dyn SegmentStore>> {
        let disks = self.disks.lock().unwrap();
        let [first, second] = [0, 1].map(|at| half(&disks[at], self.kinds[at]));
        let store = TeeStore::open(first, second, self.on_loss);
        Ok(Box::new(store.map_err(|cause| Error::io("the pair does not open", cause))?))
    }

    fn files(&self) -> Option<BTreeMap<String, Vec<u8>>> {
        None
    }

    fn inflict(&self, harm: Harm) -> Inflicted {
        let mut disks = self.disks.lock().unwrap();
        match (harm, self.on_loss) {
            (Harm::Crash(choice), _) => {
                *disks = disks.each_ref().map(|disk| disk.power_cut(choice));
            }
            (Harm::Kill, _) => *disks = disks.each_ref().map(SimDisk::kill),
            (Harm::Interrupt { after }, OnLoss::Fail) => {
                for disk in &*disks {
                    disk.crash_at(disk.operations().saturating_add(after));
                }
            }
            (Harm::Fault(rule), OnLoss::Fail) => disks[0].fail(rule),
            (Harm::Room(Room::Bytes(bytes)), OnLoss::Fail) => disks[0].set_room(Some(bytes)),
            (Harm::Room(Room::Plenty), OnLoss::Fail) => disks[0].set_room(None),
            _ => return Inflicted::Cannot,
        }
        Inflicted::Done
    }
}

pub(crate) fn tee(disks: &[SimDisk; 2], on_loss: OnLoss) -> std::io::Result<TeeStore> {
    let [first, second] = disks.each_ref().map(|disk| Arc::new(SimStore::new(disk.clone())));
    TeeStore::open(first, second, on_loss)
}

fn half(disk: &SimDisk, kind: Kind) -> Arc<dyn SegmentStore> {
    let files = || FileStore::over(Arc::new(SimFiles::new(disk.clone())));
    match kind {
        Kind::Plain => Arc::new(SimStore::new(disk.clone())),
        Kind::Recycling => Arc::new(files().recycling(Recycling::Keep(8))),
        Kind::Unprepared => Arc::new(files().preparation(Preparation::None)),
    }
}
