//! A whole log in two stores: the laws of a log, and the loss of a half.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod cases;
mod image;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use wal::parts::segment::{FileStore, Half, Mismatch, OnLoss, TeeStore};
use wal::{ErrorKind, Lsn, Result, Wal};
use wal_testkit::{
    Call, Fault, FaultRule, Harm, Inflicted, LogUnderTest, Place, Profile, Room, SimDisk, SimStore,
    log_laws,
};

// Power goes for both halves at once; what else may happen, happens to one.
log_laws!(first_harmed, || TwoDisks::new(Half::First), without[stranger]);

// A half that is full while the other took the bytes is no want of room but the end of the handle,
// so that the second half is given room.
log_laws!(second_harmed, || TwoDisks::new(Half::Second), without [room, stranger]);

fn open(store: io::Result<TeeStore>) -> Result<Wal> {
    let store = store.map_err(|cause| match Mismatch::of(&cause) {
        Some(_) => wal::Error::new(ErrorKind::Corrupt, "the two are no pair").because(cause),
        None => wal::Error::io("the pair does not open", cause),
    })?;
    Ok(Wal::with_store(Arc::new(store)).segment_size(16 * 1024).open()?.0)
}

fn records(wal: &Wal) -> Result<Vec<Vec<u8>>> {
    let entries = wal.read_from(Lsn::FIRST)?;
    entries.map(|entry| entry.map(|entry| entry.payload.to_vec())).collect()
}

/// Acknowledged records, in several segments.
fn append(wal: &Wal, from: u32, to: u32) -> Result<()> {
    for number in from..to {
        let mut record = number.to_le_bytes().to_vec();
        record.resize(300, 7);
        let lsn = wal.append(&record)?;
        if number % 10 == 0 || number + 1 == to {
            wal.wait_for_lsn(lsn).wait()?;
        }
    }
    Ok(())
}

fn numbers(wal: &Wal) -> Result<Vec<u32>> {
    let number = |record: Vec<u8>| u32::from_le_bytes(record[..4].try_into().unwrap());
    Ok(records(wal)?.into_iter().map(number).collect())
}

#[test]
fn either_directory_may_go_and_no_acknowledged_record_does() -> Result<()> {
    for gone in [Half::First, Half::Second] {
        let dir = tempfile::tempdir().unwrap();
        let paths = ["first", "second"].map(|name| dir.path().join(name));
        let files = |path: &Path| Arc::new(FileStore::open(path).unwrap());
        let pair = || TeeStore::open(files(&paths[0]), files(&paths[1]), OnLoss::Fail);
        let wal = open(pair())?;
        append(&wal, 0, 200)?;
        wal.close()?;
        drop(wal);

        let (lost, left) = match gone {
            Half::First => (&paths[0], &paths[1]),
            Half::Second => (&paths[1], &paths[0]),
        };
        fs::remove_dir_all(lost).unwrap();
        let error = pair().unwrap_err();
        assert_eq!(Mismatch::of(&error), Some(Mismatch::Blank(gone)));

        // On what is left, and then in both again.
        let wal = open(TeeStore::alone(files(left), gone.other()))?;
        assert_eq!(numbers(&wal)?, (0..200).collect::<Vec<_>>());
        append(&wal, 200, 250)?;
        wal.close()?;
        drop(wal);
        TeeStore::rebuild(&*files(left), &*files(lost)).unwrap();
        let wal = open(pair())?;
        append(&wal, 250, 300)?;
        wal.close()?;
        drop(wal);

        // The one that was rebuilt holds it all by itself.
        let wal = open(TeeStore::alone(files(lost), gone))?;
        assert_eq!(numbers(&wal)?, (0..300).collect::<Vec<_>>());
    }
    Ok(())
}

#[test]
fn a_log_that_goes_on_without_a_half_opens_with_all_it_acknowledged() -> Result<()> {
    for (harmed, call) in [(0, Call::Write), (0, Call::Sync), (1, Call::Write), (1, Call::Sync)] {
        let disks = [Profile::STRICT, Profile::STRICT].map(SimDisk::new);
        let wal = open(tee(&disks, OnLoss::GoOn))?;
        append(&wal, 0, 50)?;
        disks[harmed].fail(FaultRule::next(call, Fault::Io));
        append(&wal, 50, 150)?;
        wal.close()?;
        drop(wal);

        let behind = [Half::First, Half::Second][harmed];
        let error = tee(&disks, OnLoss::Fail).unwrap_err();
        assert_eq!(Mismatch::of(&error), Some(Mismatch::Behind(behind)));
        let store = tee(&disks, OnLoss::GoOn).unwrap();
        assert_eq!(store.lost(), Some(behind));
        let wal = open(Ok(store))?;
        assert_eq!(numbers(&wal)?, (0..150).collect::<Vec<_>>(), "{call} of {behind}");
    }
    Ok(())
}

fn tee(disks: &[SimDisk; 2], on_loss: OnLoss) -> io::Result<TeeStore> {
    let [first, second] = disks.each_ref().map(|disk| Arc::new(SimStore::new(disk.clone())));
    TeeStore::open(first, second, on_loss)
}

struct TwoDisks {
    disks: Mutex<[SimDisk; 2]>,
    harmed: Half,
}

impl TwoDisks {
    fn new(harmed: Half) -> Self {
        let disks = [Profile::STRICT, Profile::JOURNALED].map(SimDisk::new);
        Self { disks: Mutex::new(disks), harmed }
    }
}

impl Place<dyn LogUnderTest> for TwoDisks {
    fn open(&self) -> Result<Box<dyn LogUnderTest>> {
        Ok(Box::new(Assembled(open(tee(&self.disks.lock().unwrap(), OnLoss::Fail))?)))
    }

    fn files(&self) -> Option<BTreeMap<String, Vec<u8>>> {
        None
    }

    fn inflict(&self, harm: Harm) -> Inflicted {
        let mut disks = self.disks.lock().unwrap();
        let at = usize::from(self.harmed == Half::Second);
        match (harm, self.harmed) {
            (Harm::Crash(choice), _) => {
                *disks = disks.each_ref().map(|disk| disk.power_cut(choice));
            }
            (Harm::Kill, _) => *disks = disks.each_ref().map(SimDisk::kill),
            (Harm::Interrupt { after }, _) => {
                disks[at].crash_at(disks[at].operations().saturating_add(after));
            }
            (Harm::Fault(rule), _) => disks[at].fail(rule),
            (Harm::Room(Room::Bytes(bytes)), Half::First) => disks[0].set_room(Some(bytes)),
            (Harm::Room(Room::Plenty), Half::First) => disks[0].set_room(None),
            _ => return Inflicted::Cannot,
        }
        Inflicted::Done
    }
}

#[derive(Debug)]
struct Assembled(Wal);

impl LogUnderTest for Assembled {
    fn append(&self, payload: &[u8]) -> Result<Lsn> {
        self.0.append(payload)
    }

    fn append_batch(&self, payloads: &[Vec<u8>]) -> Result<Lsn> {
        let lsns = self.0.append_batch(payloads)?;
        Ok(lsns.last().copied().unwrap_or(Lsn::ZERO))
    }

    fn wait(&self, lsn: Lsn) -> Result<()> {
        self.0.wait_for_lsn(lsn).wait()
    }

    fn sync(&self) -> Result<()> {
        self.0.sync()
    }

    fn durable_lsn(&self) -> Lsn {
        self.0.durable_lsn()
    }

    fn entries(&self, from: Lsn) -> Result<Vec<(Lsn, Vec<u8>)>> {
        let entries = self.0.read_from(from.max(self.0.first_lsn()))?;
        entries.map(|entry| entry.map(|entry| (entry.lsn, entry.payload.to_vec()))).collect()
    }

    fn prune_before(&self, lsn: Lsn) -> Result<()> {
        self.0.prune_before(lsn).map(drop)
    }

    fn truncate_after(&self, lsn: Lsn) -> Result<()> {
        self.0.truncate_after(lsn)
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.0.close()
    }
}
