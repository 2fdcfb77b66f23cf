//! [`Spare`]: a file that is prepared and has no segment's name, and how one is made.

use std::io;
use std::sync::Arc;

use super::preparation::{Prepared, is_full};
use super::transfer::uninterrupted;
use super::{Access, Ahead, FileInfo, FileKind, Files, OpenFile, Preparation, name};
use crate::sync::{AtomicU64, Ordering};

/// How many names are tried for a file. A name of this life is another's by a person's doing only.
const TRIES: u32 = 100;

/// A file that is prepared for a segment.
#[derive(Debug)]
pub(super) struct Spare {
    pub(super) name: String,
    pub(super) file: Arc<dyn OpenFile>,
    /// The size of the segments that it was made for.
    pub(super) size: u64,
    pub(super) prepared: Prepared,
    /// Up to here a sync has nothing to do but the bytes.
    pub(super) written: u64,
    /// Whether the file was a segment before.
    pub(super) reused: bool,
}

/// The file of a segment that went.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) name: String,
    pub(super) info: FileInfo,
}

/// Makes the spares of one life, each under a name of its own.
#[derive(Debug)]
pub(super) struct SpareFiles {
    files: Arc<dyn Files>,
    ahead: Ahead,
    chance: u64,
    next: AtomicU64,
}

impl SpareFiles {
    pub(super) fn new(files: Arc<dyn Files>, ahead: Ahead) -> Self {
        let chance = files.random();
        Self { files, ahead, chance, next: AtomicU64::new(1) }
    }

    /// A name that no file of this life had.
    pub(super) fn name(&self) -> String {
        name::spare(self.chance, self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// A name that no file of this life had, for one that is to be the anchor, or was it.
    pub(super) fn anchor_name(&self) -> String {
        name::spare_anchor(self.chance, self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// An empty file, under one of these names.
    pub(super) fn make(
        &self,
        name: impl Fn() -> String,
    ) -> io::Result<(String, Arc<dyn OpenFile>)> {
        let mut tries = 0;
        loop {
            let name = name();
            match self.files.create_new(&name) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tries < TRIES => {
                    tries += 1;
                }
                made => {
                    // An error does not say whether the file is there. Under this name it is ours.
                    let made = made.inspect_err(|_| self.remove(&name));
                    return Ok((name, made?));
                }
            }
        }
    }

    /// Removes one of these files.
    pub(super) fn remove(&self, name: &str) {
        // Where this fails, the next life of the store does it.
        self.files.remove(name).ok();
    }

    /// A new file, prepared. Where this fails, none is left.
    pub(super) fn prepare(&self, size: u64, preparation: Preparation) -> io::Result<Spare> {
        let (name, file) = self.make(|| self.name())?;
        self.prepared(name, file, 0, size, preparation, false)
    }

    /// The file of a segment that went, prepared; `None` where it is not what it was, and is used no
    /// more. Fails with the file as it was where it could not be looked at.
    pub(super) fn reuse(
        &self,
        kept: &Kept,
        size: u64,
        preparation: Preparation,
    ) -> io::Result<Option<Spare>> {
        let Kept { name, info: before } = kept;
        let file = match self.files.open(name, Access::Write) {
            // Somebody tidied up by hand.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let info = file.info()?;
        // It has got a second name since, say: then it is a copy that somebody counts on.
        if info.kind != FileKind::File || info.links != 1 || !info.may_be(before) {
            self.remove(name);
            return Ok(None);
        }
        // What was longer is cut: else one large segment would be large in all its lives.
        let len = info.size.min(size);
        if record_len(&*file, len).is_err() {
            self.remove(name);
            return Ok(None);
        }
        match self.prepared(name.clone(), file, len, size, preparation, true) {
            Err(error) if !is_full(&error) => Ok(None),
            spare => spare.map(Some),
        }
    }

    fn prepared(
        &self,
        name: String,
        file: Arc<dyn OpenFile>,
        len: u64,
        size: u64,
        preparation: Preparation,
        reused: bool,
    ) -> io::Result<Spare> {
        let prepared = preparation.prepare(&*file, len, size).and_then(|prepared| {
            if self.ahead != Ahead::Never {
                // What a first sync finds done it need not do.
                file.sync_all()?;
            }
            Ok(prepared)
        });
        let prepared = prepared.inspect_err(|_| self.remove(&name))?;
        let written = if preparation == Preparation::ZeroFill { len.max(size) } else { len };
        Ok(Spare { name, file, size, prepared, written, reused })
    }
}

/// Gives the file this length, so that the segment's first sync makes it durable: the header counts on it.
///
/// The length that was found may be in the cache alone. A former owner's sync failed, say, and with it what
/// made the file longer was forgotten; no later sync brings that back, and after a power cut the file is
/// shorter than its header says. A change of the length is recorded anew.
fn record_len(file: &dyn OpenFile, len: u64) -> io::Result<()> {
    if let Some(less) = len.checked_sub(1) {
        uninterrupted(|| file.set_len(less))?;
    }
    uninterrupted(|| file.set_len(len))
}
