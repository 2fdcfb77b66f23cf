//! [`Spares`]: files that are ready, or will be, to become segments.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use wal_core::SegmentId;

use super::preparation::{Prepared, is_full};
use super::syncs::Syncs;
use super::zeros::Zeros;
use super::{Access, Ahead, Files, Preparation, Recycling, name};
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{self, Condvar, Mutex, MutexGuard};

/// The files of a store that are no segments: of segments that went, and one that is prepared for
/// the segment to come. They are this handle's alone, and go with it.
#[derive(Debug)]
pub(super) struct Spares {
    files: Arc<dyn Files>,
    dir_syncs: Arc<Syncs>,
    preparation: Preparation,
    recycling: Recycling,
    ahead: Ahead,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Files of segments that went, by name.
    retired: Vec<String>,
    /// Segments whose writer has yet to sync for the first time.
    unborn: BTreeSet<SegmentId>,
    /// The segment that is to be prepared, and how.
    wanted: Option<(SegmentId, Preparation)>,
    ready: Option<Spare>,
    /// Zeros that are to be written ahead of the current segment's end.
    zeros: Option<Arc<Zeros>>,
    /// Bytes of the last segment made: the next will have as many.
    size: u64,
    work: Work,
    room: Room,
}

impl State {
    /// The names of all spares, which are nobody's then.
    fn take(&mut self) -> Vec<String> {
        let ready = self.ready.take().map(|spare| name::unfinished(spare.id));
        self.retired.drain(..).chain(ready).collect()
    }
}

/// Whether the disk has room for spares.
#[derive(Debug, Default, PartialEq, Eq)]
enum Room {
    #[default]
    Enough,
    None,
}

/// Preparing ahead, which those wait for who need the segment: it ends when this is dropped, also by a
/// panic.
struct Preparing<'a>(&'a Spares);

impl Drop for Preparing<'_> {
    fn drop(&mut self) {
        self.0.state().work = Work::Resting;
        self.0.changed.notify_all();
    }
}

/// A file that is prepared and has the name of a segment that is being made.
#[derive(Debug)]
pub(super) struct Spare {
    id: SegmentId,
    size: u64,
    pub(super) prepared: Prepared,
    /// Up to here a sync has nothing to do but the bytes.
    pub(super) written: u64,
    /// Whether the file was a segment before.
    pub(super) reused: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Work {
    #[default]
    Resting,
    Preparing,
    Ended,
}

impl Spares {
    pub(super) fn new(
        files: Arc<dyn Files>,
        dir_syncs: Arc<Syncs>,
        preparation: Preparation,
        recycling: Recycling,
        ahead: Ahead,
    ) -> Self {
        let (state, changed) = (Mutex::new(State::default()), Condvar::new());
        Self { files, dir_syncs, preparation, recycling, ahead, state, changed }
    }

    /// Takes a file for this segment, one that is ready or made now; its name is that of a segment
    /// being made, and nothing of it need be durable yet.
    pub(super) fn take(&self, id: SegmentId, size: u64) -> io::Result<Spare> {
        let mut state = self.state();
        while state.work == Work::Preparing {
            state = self.wait(state);
        }
        if !state.unborn.insert(id) {
            let what = format!("segment {id} is being made already: {:?}", self.files);
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
        }
        (state.size, state.wanted) = (size, None);
        let ready = state.ready.take();
        drop(state);
        let mut spare = match ready {
            Some(spare) if spare.size >= size => self.renamed(spare, id),
            Some(spare) => {
                self.discard(&[name::unfinished(spare.id)]);
                self.prepare(id, size, self.preparation)
            }
            None => self.prepare(id, size, self.preparation),
        };
        if spare.as_ref().is_err_and(is_full) && self.release() {
            self.discard(&[name::unfinished(id)]);
            spare = self.prepare(id, size, self.preparation);
        }
        if spare.is_ok() {
            self.state().room = Room::Enough;
        } else {
            self.discard(&[name::unfinished(id)]);
            self.born(id);
        }
        spare
    }

    /// The disk is full: gives back the space of all spares, and keeps none until there is room
    /// again. Says whether there were any.
    pub(super) fn release(&self) -> bool {
        let mut state = self.state();
        state.room = Room::None;
        let spares = state.take();
        drop(state);
        self.discard(&spares);
        !spares.is_empty()
    }

    fn discard(&self, spares: &[String]) {
        for name in spares {
            // Where this fails, the next to lock the store does it.
            self.files.remove(name).ok();
        }
    }

    /// The segment is there, or never will be.
    pub(super) fn born(&self, id: SegmentId) {
        self.state().unborn.remove(&id);
    }

    /// The segment will be needed soon; it took this time to fill a quarter of the one before.
    pub(super) fn want(&self, id: SegmentId, took: Duration) {
        let preparation = match self.ahead {
            Ahead::Never => return,
            Ahead::Caller => self.preparation.in_time(),
            Ahead::Thread => self.preparation.at_pace(self.state().size / 4, took),
        };
        let mut state = self.state();
        if state.ready.is_none() && state.work == Work::Resting {
            state.wanted = Some((id, preparation));
            self.changed.notify_all();
        }
    }

    /// These zeros are to be written soon.
    pub(super) fn want_zeros(&self, zeros: Arc<Zeros>) {
        if self.ahead != Ahead::Never {
            self.state().zeros = Some(zeros);
            self.changed.notify_all();
        }
    }

    /// Prepares the segment that is wanted, if one is, and writes the zeros that are; says whether
    /// there was anything to do. Where it fails, whoever needs the segment finds out.
    pub(super) fn prepare_wanted(&self) -> io::Result<bool> {
        let mut state = self.state();
        if let Some(zeros) = state.zeros.take() {
            drop(state);
            while zeros.write_piece() {}
            self.prepare_in(self.state())?;
            return Ok(true);
        }
        self.prepare_in(state)
    }

    fn prepare_in(&self, mut state: MutexGuard<'_, State>) -> io::Result<bool> {
        let (Some((id, preparation)), Work::Resting) = (state.wanted.take(), &state.work) else {
            return Ok(false);
        };
        let size = state.size;
        state.work = Work::Preparing;
        drop(state);
        let _preparing = Preparing(self);
        let spare = self.prepare(id, size, preparation).inspect_err(|_| {
            self.discard(&[name::unfinished(id)]);
        })?;
        self.state().ready = Some(spare);
        Ok(true)
    }

    /// Starts the thread that prepares what is wanted, where there is to be one.
    pub(super) fn start(self: &Arc<Self>) -> io::Result<Option<JoinHandle<()>>> {
        if self.ahead != Ahead::Thread {
            return Ok(None);
        }
        let spares = Arc::clone(self);
        let thread = thread::Builder::new().name("wal-prepare".into());
        thread.spawn(move || spares.work()).map(Some)
    }

    /// Ends the thread, and removes the files.
    pub(super) fn end(&self) {
        let mut state = self.state();
        while state.work == Work::Preparing {
            state = self.wait(state);
        }
        state.work = Work::Ended;
        self.changed.notify_all();
        let spares = state.take();
        drop(state);
        self.discard(&spares);
    }

    fn work(&self) {
        loop {
            let mut state = self.state();
            while state.wanted.is_none() && state.zeros.is_none() && state.work != Work::Ended {
                state = self.wait(state);
            }
            if state.work == Work::Ended {
                return;
            }
            drop(state);
            // Not here, where nobody could be told: the one who needs the segment tries again.
            self.prepare_wanted().ok();
        }
    }

    /// The name to keep the file of a segment under that goes, or `None` where it is to be deleted.
    pub(super) fn name_to_keep(&self, id: SegmentId) -> Option<String> {
        let state = self.state();
        let name = name::retired(id);
        let kept = state.retired.len() + usize::from(state.ready.is_some());
        let room = state.room == Room::Enough && kept < self.recycling.limit();
        (room && !state.retired.contains(&name)).then_some(name)
    }

    /// Keeps this file, which durably has no other name.
    pub(super) fn keep(&self, name: String) {
        self.state().retired.push(name);
    }

    /// Removes the files that are no segments, which others have left; `names` are all there are.
    /// Called by the one who has the store to himself.
    ///
    /// None of them is used again: a sync of the directory may have failed before this, and then a
    /// power cut brings the file back under its former name, whatever it is called now.
    pub(super) fn tidy(&self, names: &[String]) -> io::Result<()> {
        let state = self.state();
        let ready = state.ready.as_ref().map(|spare| name::unfinished(spare.id));
        let own = |name: &String| state.retired.contains(name) || ready.as_ref() == Some(name);
        let others = names.iter().filter(|&name| name::is_spare(name) && !own(name));
        others.into_iter().try_for_each(|name| self.files.remove(name))
    }

    fn renamed(&self, spare: Spare, id: SegmentId) -> io::Result<Spare> {
        if spare.id != id {
            self.files.rename(&name::unfinished(spare.id), &name::unfinished(id))?;
        }
        Ok(Spare { id, ..spare })
    }

    fn prepare(&self, id: SegmentId, size: u64, preparation: Preparation) -> io::Result<Spare> {
        let name = name::unfinished(id);
        let kept = self.reused(&name)?;
        let (file, len) = match kept {
            Some(len) => (self.files.open(&name, Access::Write)?, len),
            None => (self.made(&name)?, 0),
        };
        let prepared = preparation.prepare(&*file, len, size)?;
        let written = if preparation == Preparation::ZeroFill { len.max(size) } else { len };
        if self.ahead != Ahead::Never {
            // What a first sync finds done it need not do.
            file.sync_all()?;
        }
        Ok(Spare { id, size, prepared, written, reused: kept.is_some() })
    }

    /// Gives the file of a segment that went this name, durably, and says how long it is; none where
    /// there is no such file.
    fn reused(&self, name: &str) -> io::Result<Option<u64>> {
        loop {
            let Some(kept) = self.state().retired.pop() else { return Ok(None) };
            match self.files.rename(&kept, name) {
                // Somebody tidied up by hand.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                renamed => renamed?,
            }
            // So that it cannot have its old name beside that of the segment it becomes.
            self.dir_syncs.run(|| self.files.sync_dir())?;
            return self.files.open(name, Access::Read)?.size().map(Some);
        }
    }

    fn made(&self, name: &str) -> io::Result<Arc<dyn super::OpenFile>> {
        match self.files.create_new(name) {
            // Left by a process that died.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.files.remove(name)?;
                self.files.create_new(name)
            }
            made => made,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        sync::lock(&self.state)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        sync::wait(&self.changed, state)
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::super::zeros::tests::Memory;
    use super::*;

    /// Files that panic while a segment is prepared, once.
    #[derive(Debug, Default)]
    struct Panicking(Mutex<u32>);

    impl Files for Panicking {
        fn create_new(&self, _: &str) -> io::Result<Arc<dyn super::super::OpenFile>> {
            let turn = {
                let mut turn = self.0.lock().unwrap();
                *turn += 1;
                *turn
            };
            assert_ne!(turn, 2, "on purpose");
            Ok(Arc::new(Memory::default()))
        }
        fn open(&self, _: &str, _: Access) -> io::Result<Arc<dyn super::super::OpenFile>> {
            Ok(Arc::new(Memory::default()))
        }
        fn list(&self) -> io::Result<Vec<String>> {
            Ok(Vec::new())
        }
        fn look(&self, _: &str) -> io::Result<wal_core::FileInfo> {
            Err(io::ErrorKind::NotFound.into())
        }
        fn open_dir(&self) -> io::Result<Arc<dyn super::super::OpenFile>> {
            Err(io::ErrorKind::Unsupported.into())
        }
        fn remove(&self, _: &str) -> io::Result<()> {
            Ok(())
        }
        fn rename(&self, _: &str, _: &str) -> io::Result<()> {
            Ok(())
        }
        fn sync_dir(&self) -> io::Result<()> {
            Ok(())
        }
        fn random(&self) -> u64 {
            7
        }
    }

    /// Who needs the segment waits for the one who prepares it, and not for ever.
    #[test]
    fn a_panic_while_preparing_leaves_nobody_waiting() {
        let (files, syncs) = (Arc::new(Panicking::default()), Arc::default());
        let spares = Spares::new(files, syncs, Preparation::None, Recycling::Off, Ahead::Caller);
        let one = SegmentId::FIRST;
        spares.take(one, 4096).unwrap();
        spares.want(one.next(), Duration::ZERO);
        let panics = catch_unwind(AssertUnwindSafe(|| spares.prepare_wanted()));
        assert!(panics.is_err());
        spares.take(one.next(), 4096).unwrap();
        spares.end();
    }
}
