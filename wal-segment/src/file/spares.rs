//! [`Spares`]: files that are ready, or will be, to become segments.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use wal_core::SegmentId;

use super::life::Settings;
use super::preparation::is_full;
use super::spare::{Kept, Spare, SpareFiles};
use super::zeros::Zeros;
use super::{Ahead, FileInfo, FileKind, Files, Preparation};
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{self, Condvar, Mutex, MutexGuard};

/// The files of one life of a store that are no segments: of segments that went, one that is prepared
/// for a segment to come, and those of segments that have yet to get their name.
///
/// A spare has no segment's number. So it does not matter when it is asked for, made or taken: which
/// segment it becomes is settled when it gets that segment's name.
#[derive(Debug)]
pub(super) struct Spares {
    making: SpareFiles,
    settings: Settings,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Files of segments that went.
    kept: Vec<Kept>,
    ready: Option<Spare>,
    /// The size of a segment that is to be prepared, and how.
    wanted: Option<(u64, Preparation)>,
    /// Zeros that are to be written ahead of the current segment's end.
    zeros: Option<Arc<Zeros>>,
    /// Segments that have yet to get their name.
    pending: BTreeSet<SegmentId>,
    /// Segments that have a writer or a syncer, each as often as it has.
    written: Vec<SegmentId>,
    work: Work,
    disk: DiskSpace,
    /// The life is over: nothing is prepared any more.
    ended: bool,
}

/// Whether the disk has room for spares.
#[derive(Debug, Default, PartialEq, Eq)]
enum DiskSpace {
    #[default]
    Enough,
    None,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Work {
    #[default]
    Resting,
    Preparing,
}

/// Preparing ahead, which the writer waits for that needs the segment: it ends when this is dropped,
/// also by a panic.
struct PreparingNow<'a>(&'a Spares);

impl Drop for PreparingNow<'_> {
    fn drop(&mut self) {
        self.0.state().work = Work::Resting;
        self.0.changed.notify_all();
    }
}

impl Spares {
    pub(super) fn new(files: Arc<dyn Files>, settings: Settings) -> Self {
        let making = SpareFiles::new(files, settings.ahead);
        let (state, changed) = (Mutex::new(State::default()), Condvar::new());
        Self { making, settings, state, changed }
    }

    /// A file for a segment of this size, one that is ready or made now. Nothing of it need be
    /// durable yet. Where this fails, nothing is left of it, and it can be called again.
    pub(super) fn take(&self, size: u64) -> io::Result<Spare> {
        let mut state = self.settled();
        // One of another size stays for the segment that it was made for.
        let ready = state.ready.take_if(|spare| spare.size == size);
        state.wanted.take_if(|wanted| wanted.0 == size);
        drop(state);
        let mut spare = match ready {
            Some(spare) => Ok(spare),
            None => self.prepare(size, self.settings.preparation),
        };
        if spare.as_ref().is_err_and(is_full) && self.release() {
            spare = self.prepare(size, self.settings.preparation);
        }
        if spare.is_ok() {
            self.state().disk = DiskSpace::Enough;
        }
        spare
    }

    /// An empty file under a spare's name, which is to be the anchor.
    pub(super) fn make_anchor(&self) -> io::Result<(String, Arc<dyn super::OpenFile>)> {
        self.making.make(|| self.making.anchor_name())
    }

    /// The disk is full: gives back the space of all spares, and keeps none until there is room
    /// again. Says whether there were any.
    pub(super) fn release(&self) -> bool {
        self.state().disk = DiskSpace::None;
        self.discard()
    }

    /// Removes the spares, and says whether there were any.
    pub(super) fn discard(&self) -> bool {
        let mut state = self.state();
        let (kept, ready) = (std::mem::take(&mut state.kept), state.ready.take());
        drop(state);
        let names = kept.iter().map(|kept| &kept.name).chain(ready.iter().map(|spare| &spare.name));
        names.map(|name| self.making.remove(name)).count() > 0
    }

    /// A segment of this size, as the current one has, will be needed soon; it took this time to
    /// fill a quarter of the current one. Asked for once in the life of a writer.
    pub(super) fn want(&self, size: u64, took: Duration) {
        let preparation = match self.settings.ahead {
            Ahead::Never => return,
            Ahead::Caller => self.settings.preparation.in_time(),
            Ahead::Thread => self.settings.preparation.at_pace(size / 4, took),
        };
        let mut state = self.state();
        let there = state.ready.as_ref().is_some_and(|spare| spare.size == size);
        if !there && state.work == Work::Resting {
            state.wanted = Some((size, preparation));
            self.changed.notify_all();
        }
    }

    /// These zeros are to be written soon.
    pub(super) fn want_zeros(&self, zeros: Arc<Zeros>) {
        if self.settings.ahead != Ahead::Never {
            self.state().zeros = Some(zeros);
            self.changed.notify_all();
        }
    }

    /// Prepares the segment that is wanted, if one is, and writes the zeros that are; says whether
    /// there was anything to do. Where it fails, the writer that needs the segment finds out.
    pub(super) fn prepare_wanted(&self) -> io::Result<bool> {
        let zeros = self.state().zeros.take();
        if let Some(zeros) = &zeros {
            while !self.state().ended && zeros.write_piece() {}
        }
        Ok(self.prepare_ahead()? || zeros.is_some())
    }

    fn prepare_ahead(&self) -> io::Result<bool> {
        let mut state = self.state();
        if state.work != Work::Resting || state.ended {
            return Ok(false);
        }
        let Some((size, preparation)) = state.wanted.take() else { return Ok(false) };
        state.work = Work::Preparing;
        // It was made for segments of another size, of which there are no more.
        let other = state.ready.take();
        drop(state);
        let _preparing = PreparingNow(self);
        if let Some(other) = other {
            self.making.remove(&other.name);
        }
        let spare = self.prepare(size, preparation)?;
        self.state().ready = Some(spare);
        Ok(true)
    }

    /// Starts the thread that prepares what is wanted, where there is to be one.
    pub(super) fn start(this: &Arc<Self>) -> io::Result<Option<JoinHandle<()>>> {
        if this.settings.ahead != Ahead::Thread {
            return Ok(None);
        }
        let spares = Arc::clone(this);
        let thread = thread::Builder::new().name("wal-prepare".into());
        thread.spawn(move || spares.work()).map(Some)
    }

    /// Ends the thread, at its next step.
    pub(super) fn end(&self) {
        self.state().ended = true;
        self.changed.notify_all();
    }

    fn work(&self) {
        loop {
            let mut state = self.state();
            while state.wanted.is_none() && state.zeros.is_none() && !state.ended {
                state = sync::wait(&self.changed, state);
            }
            if state.ended {
                return;
            }
            drop(state);
            // No caller is here to be told: the writer that needs the segment tries again.
            self.prepare_wanted().ok();
        }
    }

    /// The name to keep the file of a segment under that goes, and what is known of the file; `None`
    /// where it is to be deleted.
    ///
    /// What has another name too may be a copy that somebody counts on, a link leads to a file
    /// elsewhere, and a writer of ours may still write to the one that it has open: none of them is
    /// ever used again.
    pub(super) fn to_keep(
        &self,
        id: SegmentId,
        look: impl FnOnce() -> io::Result<FileInfo>,
    ) -> io::Result<Option<(String, FileInfo)>> {
        let state = self.state();
        let count = state.kept.len() + usize::from(state.ready.is_some());
        let limit = self.settings.recycling.limit();
        if state.disk == DiskSpace::None || count >= limit || state.written.contains(&id) {
            return Ok(None);
        }
        drop(state);
        let info = match look() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            info => info?,
        };
        let alone = info.kind == FileKind::File && info.links == 1;
        Ok(alone.then(|| (self.making.name(), info)))
    }

    /// Keeps this file, which durably has no other name.
    pub(super) fn keep(&self, name: String, info: FileInfo) {
        self.state().kept.push(Kept { name, info });
    }

    /// A writer of this segment is made. Says whether it may be: of two writers of a segment that
    /// has no name yet, one could not get it.
    pub(super) fn begin(&self, id: SegmentId) -> bool {
        let mut state = self.state();
        let first = state.pending.insert(id);
        if first {
            state.written.push(id);
        }
        first
    }

    /// The segment has its name, or never will have.
    pub(super) fn settle(&self, id: SegmentId) {
        self.state().pending.remove(&id);
    }

    /// Nothing writes to the segment any more. Its file, where it never got its name, goes.
    pub(super) fn finish(&self, id: SegmentId, unnamed: Option<&str>) {
        let mut state = self.state();
        if let Some(at) = state.written.iter().position(|written| *written == id) {
            state.written.swap_remove(at);
        }
        drop(state);
        if let Some(name) = unnamed {
            self.making.remove(name);
            self.settle(id);
        }
    }

    /// A name that no file of this life had, for an anchor that is put aside.
    pub(super) fn anchor_name(&self) -> String {
        self.making.anchor_name()
    }

    /// Removes this spare.
    pub(super) fn remove(&self, name: &str) {
        self.making.remove(name);
    }

    fn prepare(&self, size: u64, preparation: Preparation) -> io::Result<Spare> {
        loop {
            let Some(kept) = self.state().kept.pop() else {
                return self.making.prepare(size, preparation);
            };
            match self.making.reuse(&kept, size, preparation) {
                Ok(None) => {}
                // It is as good as it was, if it could not be opened just now.
                Err(error) if !is_full(&error) => {
                    self.state().kept.push(kept);
                    return Err(error);
                }
                reused => return reused.map(|spare| spare.expect("`None` is above")),
            }
        }
    }

    /// The state once nothing is being prepared.
    fn settled(&self) -> MutexGuard<'_, State> {
        let mut state = self.state();
        while state.work == Work::Preparing {
            state = sync::wait(&self.changed, state);
        }
        state
    }

    fn state(&self) -> MutexGuard<'_, State> {
        sync::lock(&self.state)
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::super::zeros::tests::Memory;
    use super::super::{Access, OpenFile};
    use super::*;

    /// Files that panic while a segment is prepared, once.
    #[derive(Debug)]
    struct Panicking(Mutex<u32>);

    impl Files for Panicking {
        fn create_new(&self, _: &str) -> io::Result<Arc<dyn OpenFile>> {
            let turn = {
                let mut turn = self.0.lock().unwrap();
                *turn += 1;
                *turn
            };
            assert_ne!(turn, 2, "on purpose");
            Ok(Arc::new(Memory::default()))
        }
        fn open(&self, _: &str, _: Access) -> io::Result<Arc<dyn OpenFile>> {
            Ok(Arc::new(Memory::default()))
        }
        fn list(&self) -> io::Result<Vec<String>> {
            Ok(Vec::new())
        }
        fn look(&self, _: &str) -> io::Result<FileInfo> {
            Err(io::ErrorKind::NotFound.into())
        }
        fn open_dir(&self) -> io::Result<Arc<dyn OpenFile>> {
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

    /// The writer that needs the segment waits for the one who prepares it, and not for ever.
    #[test]
    fn a_panic_while_preparing_leaves_nobody_waiting() {
        let settings = Settings {
            preparation: Preparation::None,
            ahead: Ahead::Caller,
            ..Settings::default()
        };
        let spares = Spares::new(Arc::new(Panicking(Mutex::new(0))), settings);
        spares.take(4096).unwrap();
        spares.want(4096, Duration::ZERO);
        let panics = catch_unwind(AssertUnwindSafe(|| spares.prepare_wanted()));
        assert!(panics.is_err());
        spares.take(4096).unwrap();
        spares.end();
    }
}
