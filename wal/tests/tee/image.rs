//! One half put back from an older image of itself, or with rot in it, at every point.

use std::io;
use std::sync::Arc;

use wal::parts::segment::{FileStore, Half, Mismatch, OnLoss, Preparation, Recycling, TeeStore};
use wal::{Lsn, Result, Wal};
use wal_core::SegmentStore;
use wal_testkit::{CutChoice, Profile, SimDisk, SimFiles, SimStore};

/// How the bytes of a half come onto its disk.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Plain,
    Recycling,
    Unprepared,
}

const KINDS: [[Kind; 2]; 3] = [
    [Kind::Plain, Kind::Plain],
    [Kind::Recycling, Kind::Recycling],
    [Kind::Unprepared, Kind::Recycling],
];

fn half(disk: &SimDisk, kind: Kind) -> Arc<dyn SegmentStore> {
    let files = || FileStore::over(Arc::new(SimFiles::new(disk.clone())));
    match kind {
        Kind::Plain => Arc::new(SimStore::new(disk.clone())),
        Kind::Recycling => Arc::new(files().recycling(Recycling::Keep(2))),
        Kind::Unprepared => Arc::new(files().preparation(Preparation::None)),
    }
}

struct Pair {
    disks: [SimDisk; 2],
    kinds: [Kind; 2],
}

impl Pair {
    fn new(kinds: [Kind; 2]) -> Self {
        Self { disks: [Profile::STRICT, Profile::JOURNALED].map(SimDisk::new), kinds }
    }

    fn halves(&self) -> [Arc<dyn SegmentStore>; 2] {
        [half(&self.disks[0], self.kinds[0]), half(&self.disks[1], self.kinds[1])]
    }

    fn store(&self, on_loss: OnLoss) -> io::Result<TeeStore> {
        let [first, second] = self.halves();
        TeeStore::open(first, second, on_loss)
    }

    fn open(&self, on_loss: OnLoss) -> Result<Wal> {
        let store = self.store(on_loss).map_err(|cause| wal::Error::io("no pair", cause))?;
        Ok(Wal::with_store(Arc::new(store)).segment_size(16 << 10).open()?.0)
    }

    fn killed(&self) -> Self {
        Self { disks: self.disks.each_ref().map(SimDisk::kill), kinds: self.kinds }
    }

    fn cut(&self, choice: CutChoice) -> Self {
        let disks = self.disks.each_ref().map(|disk| disk.power_cut(choice));
        Self { disks, kinds: self.kinds }
    }

    /// Opens what is there, where it has to be rebuilt from the half that is not `bad`; says how many
    /// records there are.
    fn recovered(&self, bad: usize) -> Result<u64> {
        let wal = match self.open(OnLoss::Fail) {
            Ok(wal) => wal,
            Err(error) => {
                let cause = std::error::Error::source(&error);
                let cause = cause.and_then(|cause| cause.downcast_ref::<io::Error>());
                assert!(cause.and_then(Mismatch::of).is_some(), "{error}: {cause:?}");
                let halves = self.halves();
                TeeStore::rebuild(&*halves[1 - bad], &*halves[bad]).unwrap();
                drop(halves);
                self.open(OnLoss::Fail)?
            }
        };
        let all = wal.read_from(wal.first_lsn())?.collect::<Result<Vec<_>>>()?;
        assert_eq!(all.last().map(|entry| entry.lsn), Some(wal.last_lsn()));
        Ok(wal.last_lsn().get())
    }
}

/// Three lives with several segments each, some of them pruned; `each` sees the pair after every
/// acknowledgement.
fn history(pair: &Pair, mut each: impl FnMut(&Pair, u64)) -> Result<()> {
    for life in 0..3_u8 {
        let wal = pair.open(OnLoss::Fail)?;
        for number in 0..20 {
            let lsn = wal.append_durable(vec![life * 50 + number + 1; 1500])?;
            if number % 7 == 6 {
                wal.prune_before(Lsn::new(lsn.get().saturating_sub(15).max(1)))?;
            }
            each(pair, lsn.get());
        }
        if life != 1 {
            wal.close()?;
        }
    }
    Ok(())
}

/// Whatever the age of the image and whichever half it replaces, nothing that was acknowledged is lost:
/// it is healed, or refused and rebuilt from the other one.
#[test]
fn a_half_put_back_from_any_older_image_costs_no_record() -> Result<()> {
    for kinds in KINDS {
        let pair = Pair::new(kinds);
        let mut images = Vec::new();
        let mut last = 0;
        history(&pair, |pair, lsn| {
            images.push((lsn, pair.killed().disks));
            last = lsn;
        })?;
        for (stale, (lsn, image)) in
            [0, 1].into_iter().flat_map(|stale| images.iter().map(move |image| (stale, image)))
        {
            let mut after = pair.cut(CutChoice::Everything);
            after.disks[stale] = image[stale].kill();
            let found = after.recovered(stale)?;
            assert_eq!(found, last, "{kinds:?}, half {stale} as it was at {lsn}");
        }
    }
    Ok(())
}

/// One wrong bit, in any place of any file of either half, marks and anchors included.
#[test]
fn rot_in_one_half_costs_no_record() -> Result<()> {
    for kinds in KINDS {
        let pair = Pair::new(kinds);
        let mut last = 0;
        history(&pair, |_, lsn| last = lsn)?;
        for (rotten, disk) in pair.disks.iter().enumerate() {
            for (name, bytes) in disk.kill().contents().unwrap() {
                let len = bytes.len() as u64;
                let places =
                    [0, 9, 300, 4095, 4096, 4096 + 44, 4096 + 700, 9000, len / 2, len.max(1) - 1];
                for offset in places.into_iter().filter(|at| *at < len) {
                    let after = pair.killed();
                    after.disks[rotten].flip(&name, offset, 0x10).unwrap();
                    let found = after.recovered(rotten)?;
                    let place = format!("{kinds:?}, byte {offset} of {name}, half {rotten}");
                    assert_eq!(found, last, "{place}");
                }
            }
        }
    }
    Ok(())
}

/// A file of either half that is emptied, or gone: a segment, the anchor, a mark.
#[test]
fn a_file_emptied_or_gone_in_one_half_costs_no_record() -> Result<()> {
    for kinds in KINDS {
        let pair = Pair::new(kinds);
        let mut last = 0;
        history(&pair, |_, lsn| last = lsn)?;
        for (bad, disk) in pair.disks.iter().enumerate() {
            for name in disk.kill().contents().unwrap().into_keys() {
                for emptied in [true, false] {
                    let after = pair.killed();
                    if emptied {
                        after.disks[bad].open(&name).unwrap().set_len(0).unwrap();
                    } else {
                        after.disks[bad].remove(&name).unwrap();
                    }
                    let found = after.recovered(bad)?;
                    assert_eq!(found, last, "{kinds:?}, {name} of {bad}, emptied: {emptied}");
                }
            }
        }
    }
    Ok(())
}

/// A half that went on alone wins over the one that it left behind, whatever becomes of its marks: or
/// nothing opens.
#[test]
fn no_damage_to_a_mark_lets_the_abandoned_half_win() -> Result<()> {
    for kinds in KINDS {
        let pair = Pair::new(kinds);
        let mut last = 0;
        history(&pair, |_, lsn| last = lsn)?;
        for (ahead, half) in [Half::First, Half::Second].into_iter().enumerate() {
            let after = pair.killed();
            let store = TeeStore::alone(after.halves()[ahead].clone(), half).unwrap();
            let wal = Wal::with_store(Arc::new(store)).segment_size(16 << 10).open()?.0;
            let alone = wal.append_durable(vec![9; 100])?.get();
            assert_eq!(alone, last + 1);
            wal.close()?;
            drop(wal);
            let marks = after.disks[ahead].contents().unwrap();
            for name in marks.into_keys().filter(|name| name.starts_with("09")) {
                for byte in [None, Some(20), Some(4096 + 20)] {
                    let harmed = after.killed();
                    match byte {
                        None => harmed.disks[ahead].open(&name).unwrap().set_len(0).unwrap(),
                        Some(byte) => harmed.disks[ahead].flip(&name, byte, 2).unwrap(),
                    }
                    for on_loss in [OnLoss::GoOn, OnLoss::Fail] {
                        if let Ok(wal) = harmed.killed().open(on_loss) {
                            let place = format!("{kinds:?}, {half}, {name}, {byte:?}");
                            assert_eq!(wal.last_lsn().get(), alone, "{place}");
                        }
                    }
                }
            }
        }
    }
    Ok(())
}

/// A sector of one half could not be read, and the pair did not open, though the other half had what it
/// held: it is damage of that half, as a wrong byte is. What of the segment could be read is kept.
#[test]
fn an_unreadable_sector_in_one_half_is_healed_from_the_other() -> Result<()> {
    for kinds in KINDS {
        let pair = Pair::new(kinds);
        let mut last = 0;
        history(&pair, |_, lsn| last = lsn)?;
        for (bad, disk) in pair.disks.iter().enumerate() {
            for (name, bytes) in disk.kill().contents().unwrap() {
                // The pair's own marks have numbers of their own.
                if name.strip_suffix(".wal").is_none() || !name.starts_with("00000000") {
                    continue;
                }
                for at in
                    [0, 4096, bytes.len() as u64 / 2, (bytes.len() as u64).saturating_sub(600)]
                {
                    let after = pair.killed();
                    after.disks[bad].lose(&name, at..at + 512).unwrap();
                    let found = after.recovered(bad);
                    let found = found.unwrap_or_else(|error| {
                        panic!("{kinds:?}, half {bad}, {name} at {at}: {error:?}")
                    });
                    assert_eq!(found, last, "{kinds:?}, half {bad}, {name} at {at}");
                }
            }
        }
    }
    Ok(())
}

/// A mark is two slots in a file of their length, as an anchor is, and has a spare's name until it is
/// durable. A pair that was killed while it marked its halves, before there was an anchor, was given the
/// mark as its anchor by the next lock, and never opened again.
#[test]
fn a_mark_without_a_name_is_no_anchor() -> Result<()> {
    for kinds in [[Kind::Unprepared; 2], [Kind::Recycling; 2]] {
        // Marks that are too old go from the fifth lock on, and their files are kept.
        for lives in [0, 1, 6] {
            for bad in 0..2 {
                for operation in 0.. {
                    let pair = Pair::new(kinds);
                    for _ in 0..lives {
                        pair.store(OnLoss::Fail).unwrap().lock().map(drop).unwrap();
                    }
                    let disk = &pair.disks[bad];
                    disk.crash_at(disk.operations() + operation);
                    let through = pair.store(OnLoss::Fail).and_then(|store| store.lock().map(drop));
                    let place = format!("{kinds:?}, {lives} lives, half {bad}, step {operation}");
                    let after = pair.killed();
                    let wal = after.open(OnLoss::Fail);
                    let wal = wal.unwrap_or_else(|error| panic!("{place}: {}", error.report()));
                    wal.append_durable(vec![7; 100])?;
                    wal.close()?;
                    if through.is_ok() {
                        break;
                    }
                }
            }
        }
    }
    Ok(())
}

/// B2, of a pair: each lock marks both halves anew, which takes room, so a pair that had filled a disk to
/// the last block could not be locked, and so not be pruned either. It goes on under the marks that it has.
#[test]
fn b2_a_pair_on_a_full_disk_opens_and_is_pruned() -> Result<()> {
    for full in [[true, false], [false, true], [true, true]] {
        for lives in 0..3 {
            let mut pair = Pair::new([Kind::Recycling; 2]);
            for _ in 0..lives {
                pair.store(OnLoss::Fail).unwrap().lock().map(drop).unwrap();
            }
            let wal = pair.open(OnLoss::Fail)?;
            wal.append_durable(vec![1; 1500])?;
            for (disk, full) in pair.disks.iter().zip(full) {
                disk.set_room(full.then_some(100 << 10));
            }
            let mut last = 1;
            while let Ok(lsn) = wal.append_durable(vec![7; 1500]) {
                last = lsn.get();
            }
            let killed = pair.killed();
            drop(wal);
            pair = killed;
            for life in 0..4 {
                for (disk, full) in pair.disks.iter().zip(full) {
                    disk.set_room(full.then_some(0));
                }
                let place = format!("{full:?}, {lives} lives before, life {life}");
                let wal = pair.open(OnLoss::Fail);
                let wal = wal.unwrap_or_else(|error| panic!("{place}: {}", error.report()));
                assert_eq!(wal.last_lsn().get(), last, "{place}");
                if life == 3 {
                    wal.prune_before(Lsn::new(last))?;
                    assert!(wal.first_lsn().get() > 1, "{place}");
                    last = wal.append_durable(vec![9; 1500])?.get();
                    wal.close()?;
                }
                let killed = pair.killed();
                drop(wal);
                pair = killed;
            }
            // With room, they are marked anew, and are a pair as ever.
            for disk in &pair.disks {
                disk.set_room(None);
            }
            assert_eq!(pair.open(OnLoss::Fail)?.last_lsn().get(), last);
            for bad in 0..2 {
                let after = pair.killed();
                assert_eq!(after.recovered(bad)?, last);
            }
        }
    }
    Ok(())
}

/// The marking of a pair was interrupted in lock after lock, by crashes or for want of room: each one left
/// an offer in the first half, the fourth pushed out the last mark that was taken, and the halves were
/// strangers, or one was called left behind, with all that was acknowledged in both.
#[test]
fn markings_that_are_interrupted_again_and_again_leave_a_pair() -> Result<()> {
    for seed in 0..60_u64 {
        let mut pair = Pair::new([Kind::Unprepared; 2]);
        let wal = pair.open(OnLoss::Fail)?;
        wal.append_durable(vec![1; 1500])?;
        wal.close()?;
        drop(wal);
        let mut chance = seed;
        for round in 0..12 {
            // Both disks go off at the same step of one of them; or one has no room.
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let bad = (chance >> 40) as usize % 2;
            let disk = &pair.disks[bad];
            match (chance >> 50) % 3 {
                0 => disk.set_room(Some(0)),
                _ => disk.crash_at(disk.operations() + (chance >> 44) % 16),
            }
            let locked = pair.store(OnLoss::Fail).and_then(|store| store.lock().map(drop));
            let place = format!("seed {seed}, round {round}, half {bad}: {locked:?}");
            for disk in &pair.disks {
                disk.set_room(None);
            }
            let after = pair.killed();
            let wal = pair.killed().open(OnLoss::Fail);
            let wal = wal.unwrap_or_else(|error| panic!("{place}: {}", error.report()));
            assert_eq!(wal.last_lsn().get(), 1, "{place}");
            pair = after;
        }
    }
    Ok(())
}
