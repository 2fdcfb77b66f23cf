//! [`PendingSegment`]: a segment that is written and has yet to get its name.

use std::fmt;
use std::io;
use std::sync::Arc;

use wal_core::{Fenced, SegmentId};

use super::life::Life;
use super::{OpenFile, name};
use crate::sync::{AtomicBool, Ordering};

/// A segment whose file has a spare's name until its first bytes are durable. Then it is
/// [published](Self::publish), or it is abandoned when this is dropped, and its file goes.
pub(super) struct PendingSegment {
    pub(super) life: Arc<Life>,
    pub(super) id: SegmentId,
    name: String,
    published: AtomicBool,
}

impl PendingSegment {
    /// The segment that this spare file is to become, which goes with it from here on. Fails with
    /// [`io::ErrorKind::AlreadyExists`] where another is pending.
    pub(super) fn new(life: Arc<Life>, id: SegmentId, name: String) -> io::Result<Self> {
        if !life.spares.begin(id) {
            life.spares.remove(&name);
            let what = format!("segment {id} is being made already: {:?}", life.files);
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
        }
        Ok(Self { life, id, name, published: AtomicBool::new(false) })
    }

    /// The name of its file until it is published.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn is_published(&self) -> bool {
        self.published.load(Ordering::Acquire)
    }

    /// Gives the file, all of it durable, the segment's name, durably.
    ///
    /// Whatever has that name keeps it. And the file that has it then is the one that is written:
    /// otherwise what is acknowledged would be in a file without a name.
    pub(super) fn publish(&self, file: &dyn OpenFile) -> io::Result<()> {
        // Where only `LOCK` could be locked, and another has the log by now, the name is another's to
        // give: a file of ours in its place would be one more that nothing vouches for.
        if let Err(error) = self.life.check() {
            // At once, so that the other does not meet it: it is this writer's own, by its name.
            self.life.spares.remove(&self.name);
            return Err(error);
        }
        let (files, name) = (&self.life.files, name::of(self.id));
        self.life.listed.forget();
        files.rename(&self.name, &name)?;
        if !files.look(&name)?.may_be(&file.info()?) {
            let what = format!("{name} is another file than the one that was written: {files:?}");
            return Err(Fenced(what).into());
        }
        self.life.sync_dir()?;
        file.is_called(&name);
        self.life.spares.settle(self.id);
        self.published.store(true, Ordering::Release);
        Ok(())
    }
}

impl Drop for PendingSegment {
    fn drop(&mut self) {
        if !self.life.is_foreign() {
            let unnamed = (!self.is_published()).then_some(&*self.name);
            self.life.spares.finish(self.id, unnamed);
        }
    }
}

impl fmt::Debug for PendingSegment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingSegment")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("published", &self.is_published())
            .finish_non_exhaustive()
    }
}
