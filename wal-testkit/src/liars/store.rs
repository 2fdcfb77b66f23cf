//! A store that lies in one way, and is otherwise right.

#![expect(clippy::cast_possible_truncation, reason = "segments of tests are small")]

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use wal_core::{
    Durability, Guarantees, SegmentId, SegmentReader, SegmentSpace, SegmentStore, SegmentSyncer,
    SegmentWriter, StoreLock, Unwritten,
};

use super::anchor;
use crate::life::Life;
use crate::{SimDisk, SimFile, SimLock};

/// The one way in which a [`LyingStore`] lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreLie {
    /// It is honest.
    None,
    /// It declares an alignment that is no power of two.
    AlignmentOfThree,
    /// A damaged anchor reads as none.
    AnchorDamageIsNone,
    /// The anchor is overwritten in place.
    AnchorHasOneSlot,
    /// Only the first hundred bytes of an anchor are kept.
    AnchorIsCutShort,
    /// The anchor is written anew each time, beside the old one.
    AnchorNeedsRoom,
    /// The anchor stays with the handle.
    AnchorStaysWithItsHandle,
    /// The anchor is not synced.
    AnchorSkipsSync,
    /// Appended bytes stay with the writer until a sync.
    AppendsAreBuffered,
    /// Every second append lands before the one before it.
    AppendsTradePlaces,
    /// A create that fails for lack of space keeps the space it took.
    CreateKeepsItsRoom,
    /// Creating a number that is taken empties the segment.
    CreateOverwrites,
    /// A recycled file has its name before its old bytes are gone.
    CreateRecyclesOpenly,
    /// The zeros over a recycled file are not synced.
    CreateRecyclesUnsynced,
    /// A new segment's name is not synced.
    CreateSkipsDirectorySync,
    /// The end is that of the prepared space.
    EndCountsPreparedSpace,
    /// A failed append moves the end.
    FailedAppendMovesTheEnd,
    /// A full disk is told as any other error.
    FullIsAnyError,
    /// Segments are listed in the order of their numbers as text.
    ListIsUnsorted,
    /// Only the segments made by this handle are listed.
    ListKnowsOwnSegmentsOnly,
    /// The lock is listed as a segment.
    ListShowsTheLock,
    /// The lock is a file that stays when its holder dies.
    LockIsAFile,
    /// The lock is free when the store's handle goes.
    LockGoesWithItsHandle,
    /// A dropped lock is still held.
    LockIsNeverFreed,
    /// Everyone gets the lock.
    LockLetsTwoIn,
    /// Opening a missing segment makes it.
    OpenMakesTheSegment,
    /// Prepared space is not zero.
    PreparedSpaceIsGarbage,
    /// A read that fails says that there is nothing more.
    ReadErrorsAreTheEnd,
    /// A read gives a hundred bytes at most.
    ReadsAreShort,
    /// Removing removes nothing.
    RemoveDoesNothing,
    /// Removals are not synced.
    RemoveSkipsDirectorySync,
    /// Removing fails at a segment that is not there.
    RemoveStopsAtTheMissing,
    /// One directory sync is to keep the order of several removals.
    RemoveSyncsOnceForAll,
    /// A segment that cannot be deleted keeps those behind it.
    RemoveStopsAtAFailure,
    /// A short read is taken for the end.
    ShortReadsAreTakenForWhole,
    /// A short write is taken for a whole one.
    ShortWritesAreTakenForWhole,
    /// Space that was not prepared is promised.
    SpaceIsOverstated,
    /// What may be anything is said to be zeros.
    SpaceSaysZeros,
    /// A sync does nothing.
    SyncDoesNothing,
    /// A failed sync is taken for done.
    SyncErrorsAreSwallowed,
    /// A syncer works only on the thread that made it.
    SyncWorksOnItsThreadOnly,
    /// A syncer works once.
    SyncWorksOnce,
    /// A trim cuts down to a whole sector.
    TrimCutsTooMuch,
    /// A trim gives back nothing.
    TrimDoesNothing,
    /// A trim makes a short segment longer.
    TrimExtends,
    /// A trim writes what is kept anew.
    TrimRewrites,
    /// A trim is not synced.
    TrimSkipsSync,
    /// A writer goes on when another handle has the lock.
    WriterOutlivesItsLock,
}

impl StoreLie {
    /// Every lie, with the laws that are there to catch it. A lie may break others too.
    pub const ALL: &[(Self, &[&str])] = &[
        (Self::AlignmentOfThree, &["guarantees_make_sense"]),
        (Self::AnchorDamageIsNone, &["a_damaged_anchor_is_not_none"]),
        (Self::AnchorHasOneSlot, &["an_interrupted_anchor_is_the_old_or_the_new"]),
        (Self::AnchorIsCutShort, &["an_anchor_is_read_back"]),
        (Self::AnchorNeedsRoom, &["an_anchor_is_replaced_on_a_full_disk"]),
        (Self::AnchorStaysWithItsHandle, &["an_anchor_survives_the_death_of_its_process"]),
        (Self::AnchorSkipsSync, &["an_anchor_survives_a_crash"]),
        (Self::AppendsAreBuffered, &["readers_see_appends_at_once"]),
        (Self::AppendsTradePlaces, &["appends_keep_their_order"]),
        (Self::CreateKeepsItsRoom, &["a_create_without_room_gives_it_back"]),
        (Self::CreateOverwrites, &["a_taken_number_is_refused"]),
        (Self::CreateRecyclesOpenly, &["an_interrupted_create_leaves_zeros_or_nothing"]),
        (Self::CreateRecyclesUnsynced, &["prepared_space_is_zeros_after_a_crash"]),
        (Self::CreateSkipsDirectorySync, &["a_created_segment_survives_a_crash"]),
        (Self::EndCountsPreparedSpace, &["the_end_is_what_was_appended"]),
        (Self::FailedAppendMovesTheEnd, &["a_failed_append_does_not_move_the_end"]),
        (Self::FullIsAnyError, &["an_append_without_room_can_be_repeated"]),
        (Self::ListIsUnsorted, &["segments_are_listed_in_order"]),
        (
            Self::ListKnowsOwnSegmentsOnly,
            &["reopening_finds_everything", "a_synced_segment_is_there"],
        ),
        (Self::ListShowsTheLock, &["only_segments_are_listed"]),
        (Self::LockIsAFile, &["a_lock_dies_with_its_holder"]),
        (Self::LockGoesWithItsHandle, &["a_second_lock_is_refused"]),
        (Self::LockIsNeverFreed, &["a_dropped_lock_is_free"]),
        (Self::LockLetsTwoIn, &["a_second_lock_is_refused"]),
        (Self::OpenMakesTheSegment, &["a_missing_segment_is_not_found"]),
        (Self::PreparedSpaceIsGarbage, &["prepared_space_reads_as_zeros"]),
        (Self::ReadErrorsAreTheEnd, &["a_failed_read_is_reported"]),
        (Self::ReadsAreShort, &["reads_stop_only_at_the_end"]),
        (Self::RemoveDoesNothing, &["removed_segments_are_gone"]),
        (Self::RemoveSkipsDirectorySync, &["a_removal_survives_a_crash"]),
        (Self::RemoveStopsAtTheMissing, &["remove_passes_over_the_missing"]),
        (Self::RemoveStopsAtAFailure, &["remove_goes_past_what_cannot_be_deleted"]),
        (Self::RemoveSyncsOnceForAll, &["an_interrupted_removal_leaves_the_last"]),
        (Self::ShortReadsAreTakenForWhole, &["short_reads_are_finished"]),
        (Self::ShortWritesAreTakenForWhole, &["short_writes_are_finished"]),
        (Self::SpaceIsOverstated, &["promised_space_is_there_after_a_crash"]),
        (Self::SpaceSaysZeros, &["space_reads_as_its_writer_says"]),
        (Self::SyncDoesNothing, &["synced_bytes_survive_a_crash"]),
        (Self::SyncErrorsAreSwallowed, &["a_failed_sync_is_reported"]),
        (Self::SyncWorksOnItsThreadOnly, &["syncs_run_beside_appends"]),
        (Self::SyncWorksOnce, &["a_sync_covers_every_append_before_it"]),
        (Self::TrimCutsTooMuch, &["trim_keeps_what_is_before"]),
        (Self::TrimDoesNothing, &["trim_gives_back_the_rest"]),
        (Self::TrimExtends, &["trim_leaves_a_short_segment_alone"]),
        (Self::TrimRewrites, &["an_interrupted_trim_keeps_what_is_before"]),
        (Self::TrimSkipsSync, &["a_trim_survives_a_crash"]),
        (Self::WriterOutlivesItsLock, &["nothing_changes_under_the_next_owner"]),
    ];
}

/// A store on a simulated disk that lies in one way, or, with [`StoreLie::None`], in none.
#[derive(Debug)]
pub struct LyingStore {
    disk: SimDisk,
    lie: StoreLie,
    own: Mutex<Vec<SegmentId>>,
    life: Arc<Life>,
    /// The lock, where it goes with the handle.
    kept: Mutex<Option<Arc<SimLock>>>,
    anchor: Mutex<Option<Vec<u8>>>,
}

impl LyingStore {
    /// The store that is on this disk.
    pub fn new(disk: SimDisk, lie: StoreLie) -> Self {
        let (own, anchor) = (Mutex::default(), Mutex::default());
        Self { disk, lie, own, life: Arc::default(), kept: Mutex::default(), anchor }
    }

    fn prepare(&self, file: &SimFile, size: u64) -> io::Result<()> {
        let garbage = vec![0xdb; size as usize];
        match self.lie {
            StoreLie::PreparedSpaceIsGarbage | StoreLie::SpaceSaysZeros => {
                file.write_all_at(0, &garbage)?;
            }
            StoreLie::CreateRecyclesUnsynced => {
                file.write_all_at(0, &garbage)?;
                file.sync_data()?;
                file.write_all_at(0, &vec![0; size as usize])?;
                return Ok(());
            }
            StoreLie::CreateRecyclesOpenly => {
                self.disk.sync_dir()?;
                file.write_all_at(0, &garbage)?;
                file.sync_data()?;
                file.write_all_at(0, &vec![0; size as usize])?;
            }
            StoreLie::CreateKeepsItsRoom => file.write_all_at(0, &vec![0; size as usize])?,
            _ => file.allocate(0, size)?,
        }
        file.sync_data()
    }
}

fn name_of(id: SegmentId) -> String {
    format!("{:020}.seg", id.get())
}

impl SegmentStore for LyingStore {
    fn guarantees(&self) -> Guarantees {
        let honest = Guarantees::new(Durability::Power);
        match self.lie {
            StoreLie::AlignmentOfThree => honest.alignment(3),
            StoreLie::SpaceSaysZeros => honest.unwritten(Unwritten::Anything),
            _ => honest,
        }
    }

    fn lock(&self) -> io::Result<Box<dyn StoreLock>> {
        match self.lie {
            StoreLie::LockLetsTwoIn => return Ok(Box::new(Lock { file: None, _lock: None })),
            StoreLie::LockGoesWithItsHandle => {
                let lock = self.life.begin(self.disk.lock("LOCK")?);
                self.kept.lock().unwrap_or_else(PoisonError::into_inner).replace(lock);
                return Ok(Box::new(Lock { file: None, _lock: None }));
            }
            StoreLie::LockIsAFile => {
                let taken = |_| io::Error::from(io::ErrorKind::WouldBlock);
                self.disk.create_new("LOCK").map_err(taken)?;
                return Ok(Box::new(Lock { file: Some(self.disk.clone()), _lock: None }));
            }
            _ => {}
        }
        let lock = self.disk.lock("LOCK")?;
        if self.lie == StoreLie::ListShowsTheLock && self.disk.open("LOCK").is_err() {
            self.disk.create_new("LOCK")?;
        }
        if self.lie == StoreLie::LockIsNeverFreed {
            std::mem::forget(lock);
            return Ok(Box::new(Lock { file: None, _lock: None }));
        }
        Ok(Box::new(Lock { file: None, _lock: Some(self.life.begin(lock)) }))
    }

    fn list(&self) -> io::Result<Vec<SegmentId>> {
        if self.lie == StoreLie::ListKnowsOwnSegmentsOnly {
            let mut own = lock(&self.own).clone();
            own.sort_unstable();
            return Ok(own);
        }
        let names = self.disk.list()?;
        let number = |name: &String| match name.strip_suffix(".seg") {
            Some(digits) => digits.parse().ok(),
            None => (self.lie == StoreLie::ListShowsTheLock).then_some(u64::MAX),
        };
        let mut ids: Vec<_> = names.iter().filter_map(number).map(SegmentId::new).collect();
        if self.lie == StoreLie::ListIsUnsorted {
            ids.sort_by_key(|id| id.get().to_string());
        }
        Ok(ids)
    }

    fn create(&self, id: SegmentId, size: u64) -> io::Result<Box<dyn SegmentWriter>> {
        let name = name_of(id);
        let file = match self.disk.create_new(&name) {
            Err(_) if self.lie == StoreLie::CreateOverwrites => {
                let file = self.disk.open(&name)?;
                file.set_len(0)?;
                file
            }
            made => made?,
        };
        if let Err(error) = self.prepare(&file, size) {
            if self.lie != StoreLie::CreateKeepsItsRoom {
                let _ = self.disk.remove(&name);
            }
            return Err(error);
        }
        if self.lie != StoreLie::CreateSkipsDirectorySync {
            self.disk.sync_dir()?;
        }
        lock(&self.own).push(id);
        let end = if self.lie == StoreLie::EndCountsPreparedSpace { size } else { 0 };
        let lie = self.lie;
        let shared = match lie {
            StoreLie::WriterOutlivesItsLock => None,
            _ => self.life.share(),
        };
        let (buffer, held) = (Arc::default(), Vec::new());
        Ok(Box::new(Writer { file, lie, size, end, buffer, held, life: shared }))
    }

    fn open(&self, id: SegmentId) -> io::Result<Box<dyn SegmentReader>> {
        let file = match self.disk.open(&name_of(id)) {
            Err(_) if self.lie == StoreLie::OpenMakesTheSegment => {
                self.disk.create_new(&name_of(id))?
            }
            found => found?,
        };
        Ok(Box::new(Reader { file, lie: self.lie }))
    }

    fn trim(&self, id: SegmentId, len: u64) -> io::Result<()> {
        let file = self.disk.open(&name_of(id))?;
        let size = file.size()?;
        match self.lie {
            StoreLie::TrimDoesNothing => return Ok(()),
            StoreLie::TrimExtends => file.set_len(len)?,
            _ if size <= len => {}
            StoreLie::TrimCutsTooMuch => file.set_len(len / 512 * 512)?,
            StoreLie::TrimRewrites => {
                let mut kept = vec![0; len as usize];
                file.read_at(0, &mut kept)?;
                file.set_len(0)?;
                file.write_all_at(0, &kept)?;
            }
            _ => file.set_len(len)?,
        }
        if self.lie == StoreLie::TrimSkipsSync { Ok(()) } else { file.sync_data() }
    }

    fn remove(&self, ids: &[SegmentId]) -> io::Result<()> {
        if self.lie == StoreLie::RemoveDoesNothing {
            return Ok(());
        }
        let mut first = Ok(());
        for &id in ids {
            match self.disk.remove(&name_of(id)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    if self.lie == StoreLie::RemoveStopsAtTheMissing {
                        return Err(error);
                    }
                }
                Err(error) if self.lie == StoreLie::RemoveStopsAtAFailure => return Err(error),
                Err(error) => first = first.and(Err(error)),
                Ok(()) => {}
            }
            if !matches!(
                self.lie,
                StoreLie::RemoveSyncsOnceForAll | StoreLie::RemoveSkipsDirectorySync
            ) {
                self.disk.sync_dir()?;
            }
        }
        if self.lie == StoreLie::RemoveSyncsOnceForAll {
            self.disk.sync_dir()?;
        }
        first
    }

    fn read_anchor(&self) -> io::Result<Option<Vec<u8>>> {
        match self.lie {
            StoreLie::AnchorHasOneSlot | StoreLie::AnchorNeedsRoom | StoreLie::AnchorSkipsSync => {
                anchor::read(&self.disk)
            }
            StoreLie::AnchorStaysWithItsHandle => Ok(lock(&self.anchor).clone()),
            StoreLie::AnchorDamageIsNone => self.disk.anchor().or(Ok(None)),
            _ => self.disk.anchor(),
        }
    }

    fn write_anchor(&self, bytes: &[u8]) -> io::Result<()> {
        match self.lie {
            StoreLie::AnchorHasOneSlot => anchor::write_in_place(&self.disk, bytes, true),
            StoreLie::AnchorSkipsSync => anchor::write_in_place(&self.disk, bytes, false),
            StoreLie::AnchorNeedsRoom => anchor::write_anew(&self.disk, bytes),
            StoreLie::AnchorStaysWithItsHandle => {
                *lock(&self.anchor) = Some(bytes.to_vec());
                Ok(())
            }
            StoreLie::AnchorIsCutShort => self.disk.set_anchor(&bytes[..bytes.len().min(100)]),
            _ => self.disk.set_anchor(bytes),
        }
    }
}

#[derive(Debug)]
struct Lock {
    file: Option<SimDisk>,
    _lock: Option<Arc<SimLock>>,
}

impl StoreLock for Lock {}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(disk) = &self.file {
            let _ = disk.remove("LOCK");
        }
    }
}

/// Bytes that a lying writer keeps to itself, and where they belong.
type Buffer = Arc<Mutex<Vec<(u64, Vec<u8>)>>>;

#[derive(Debug)]
struct Writer {
    file: SimFile,
    lie: StoreLie,
    size: u64,
    end: u64,
    buffer: Buffer,
    held: Vec<u8>,
    /// Keeps the store from the next owner.
    life: Option<Arc<SimLock>>,
}

impl SegmentWriter for Writer {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut at = self.end;
        let moved = self.end + bytes.len() as u64;
        match self.lie {
            StoreLie::AppendsAreBuffered => {
                lock(&self.buffer).push((at, bytes.to_vec()));
                self.end = moved;
                return Ok(());
            }
            StoreLie::AppendsTradePlaces if !self.held.is_empty() => {
                at -= self.held.len() as u64;
                let swapped = [bytes, &self.held].concat();
                self.held.clear();
                self.end = moved;
                return self.file.write_all_at(at, &swapped);
            }
            StoreLie::AppendsTradePlaces => self.held = bytes.to_vec(),
            StoreLie::ShortWritesAreTakenForWhole => {
                while let Err(error) = self.file.write_at(at, bytes) {
                    if error.kind() != io::ErrorKind::Interrupted {
                        return Err(error);
                    }
                }
                self.end = moved;
                return Ok(());
            }
            StoreLie::FailedAppendMovesTheEnd => self.end = moved,
            _ => {}
        }
        self.file.write_all_at(at, bytes).map_err(|error| match self.lie {
            StoreLie::FullIsAnyError => io::Error::other(error),
            _ => error,
        })?;
        self.end = moved;
        Ok(())
    }

    fn end(&self) -> u64 {
        self.end
    }

    fn space(&self) -> SegmentSpace {
        let durable_len = match self.lie {
            StoreLie::SpaceIsOverstated => 2 * self.size,
            _ => self.size,
        };
        SegmentSpace { durable_len, unwritten: Unwritten::Zeros }
    }

    fn syncer(&self) -> Arc<dyn SegmentSyncer> {
        let (file, lie, buffer) = (self.file.clone(), self.lie, Arc::clone(&self.buffer));
        let (thread, synced) = (thread::current().id(), AtomicBool::new(false));
        Arc::new(Syncer { file, lie, buffer, thread, synced, _life: self.life.clone() })
    }
}

#[derive(Debug)]
struct Syncer {
    file: SimFile,
    lie: StoreLie,
    buffer: Buffer,
    thread: ThreadId,
    synced: AtomicBool,
    _life: Option<Arc<SimLock>>,
}

impl SegmentSyncer for Syncer {
    fn sync(&self) -> io::Result<()> {
        for (at, bytes) in lock(&self.buffer).drain(..) {
            self.file.write_all_at(at, &bytes)?;
        }
        let before = self.synced.swap(true, Ordering::Relaxed);
        match self.lie {
            StoreLie::SyncDoesNothing => Ok(()),
            StoreLie::SyncWorksOnce if before => Ok(()),
            StoreLie::SyncErrorsAreSwallowed => self.file.sync_data().or(Ok(())),
            StoreLie::SyncWorksOnItsThreadOnly if thread::current().id() != self.thread => {
                Err(io::Error::other("not my thread"))
            }
            _ => self.file.sync_data(),
        }
    }
}

#[derive(Debug)]
struct Reader {
    file: SimFile,
    lie: StoreLie,
}

impl SegmentReader for Reader {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        match self.lie {
            StoreLie::ReadsAreShort => {
                let count = buffer.len().min(100);
                self.file.read_all_at(offset, &mut buffer[..count])
            }
            StoreLie::ShortReadsAreTakenForWhole => self.file.read_at(offset, buffer),
            StoreLie::ReadErrorsAreTheEnd => self.file.read_all_at(offset, buffer).or(Ok(0)),
            _ => self.file.read_all_at(offset, buffer),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
