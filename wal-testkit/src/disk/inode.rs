//! [`Inode`]: a file's bytes, as the processes see them and as the platter holds them.

use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::choice::{AtomFate, Fate, Fates};
use super::profile::{Damage, Tail};
use crate::chance::Chance;

/// A file. Reads see `cache`; a power cut leaves `platter` and any part of `pending`.
#[derive(Clone)]
pub(super) struct Inode {
    pub(super) name: Arc<str>,
    cache: Arc<Content>,
    platter: Arc<Content>,
    /// In the order of issue. What a failed sync forgot is in the cache and no more in here.
    pending: Vec<Pending>,
    /// The end of what was written or allocated: what counts against the space of the disk.
    space: u64,
    /// What the medium does not give back any more.
    unreadable: Vec<Range<u64>>,
}

#[derive(Clone)]
struct Pending {
    operation: u64,
    change: Change,
}

#[derive(Clone)]
pub(super) enum Change {
    Write {
        offset: u64,
        bytes: Arc<[u8]>,
    },
    /// Cut or extended to this size.
    Length(u64),
    /// Allocated up to here; what is there already stays.
    Reserve(u64),
}

impl Inode {
    pub(super) fn new(name: Arc<str>) -> Self {
        Self {
            name,
            cache: Arc::default(),
            platter: Arc::default(),
            pending: Vec::new(),
            space: 0,
            unreadable: Vec::new(),
        }
    }

    /// A file that is on the platter with these bytes.
    pub(super) fn durable(name: Arc<str>, bytes: &[u8]) -> Self {
        let content = Arc::new(Content { bytes: bytes.to_vec(), size: bytes.len() as u64 });
        let (cache, platter) = (Arc::clone(&content), content);
        Self { cache, platter, space: bytes.len() as u64, ..Self::new(name) }
    }

    /// Fills the buffer, also with what the medium does not give back any more.
    pub(super) fn read_whole(&self, buffer: &mut [u8]) {
        self.cache.read(0, buffer);
    }

    pub(super) fn size(&self) -> u64 {
        self.cache.size
    }

    pub(super) fn space(&self) -> u64 {
        self.space
    }

    /// Whether these bytes are in it, in one piece, as readers see it.
    pub(super) fn holds(&self, bytes: &[u8]) -> bool {
        let held = &self.cache.bytes;
        // What is looked for was written last.
        bytes.is_empty() || held.windows(bytes.len()).rev().any(|window| window == bytes)
    }

    /// The space it would take after this change.
    pub(super) fn space_after(&self, change: &Change) -> u64 {
        match change {
            Change::Write { offset, bytes } => self.space.max(offset + bytes.len() as u64),
            Change::Length(size) => self.space.min(*size),
            Change::Reserve(end) => self.space.max(*end),
        }
    }

    /// As much as there is, or an error where the medium has lost some of it.
    pub(super) fn read_sound(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.cache.read(offset, buffer);
        match self.unreadable(&(offset..offset + count as u64)) {
            None => Ok(count),
            Some(at) => Err(io::Error::other(format!("simulated EIO, byte {at} is unreadable"))),
        }
    }

    /// The first byte of these, if any, that cannot be read.
    fn unreadable(&self, range: &Range<u64>) -> Option<u64> {
        let hit = |bad: &Range<u64>| range.start.max(bad.start)..range.end.min(bad.end);
        self.unreadable.iter().map(hit).filter(|hit| !hit.is_empty()).map(|hit| hit.start).min()
    }

    /// These bytes are lost until they are written anew.
    pub(super) fn lose(&mut self, range: Range<u64>) {
        self.unreadable.push(range);
    }

    pub(super) fn change(&mut self, operation: u64, change: Change) {
        self.space = self.space_after(&change);
        if let Change::Write { offset, bytes } = &change
            && !self.unreadable.is_empty()
        {
            let written = *offset..offset + bytes.len() as u64;
            let rest = std::mem::take(&mut self.unreadable).into_iter().flat_map(|bad| {
                let before = bad.start..bad.end.min(written.start);
                [before, bad.start.max(written.end)..bad.end]
            });
            self.unreadable = rest.filter(|bad| !bad.is_empty()).collect();
        }
        Arc::make_mut(&mut self.cache).apply(&change);
        self.pending.push(Pending { operation, change });
    }

    pub(super) fn sync(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let platter = Arc::make_mut(&mut self.platter);
        for pending in self.pending.drain(..) {
            platter.apply(&pending.change);
        }
    }

    /// What the kernel does after a failed write-back: the pages count as clean, readers still see
    /// them, and no later sync writes them.
    pub(super) fn forget_pending(&mut self) {
        self.pending.clear();
    }

    /// The numbers of the operations that a power cut may lose.
    pub(super) fn pending(&self) -> impl Iterator<Item = u64> {
        self.pending.iter().map(|pending| pending.operation)
    }

    /// The last unsynced write, and of how many atoms it is.
    pub(super) fn last_write(&self, atom: u64) -> Option<(u64, u64)> {
        self.pending.iter().rev().find_map(|pending| match &pending.change {
            Change::Write { offset, bytes } => {
                let atoms = atoms(*offset, bytes.len() as u64, atom);
                Some((pending.operation, atoms.end - atoms.start))
            }
            Change::Length(_) | Change::Reserve(_) => None,
        })
    }

    /// Turns these bits over, in the cache and on the platter.
    pub(super) fn flip(&mut self, offset: u64, bits: u8) {
        for content in [&mut self.cache, &mut self.platter] {
            if offset < content.size {
                let mut byte = [0];
                content.read(offset, &mut byte);
                Arc::make_mut(content).put(offset, &[byte[0] ^ bits]);
            }
        }
    }

    /// These bytes are zeros, in the cache and on the platter.
    pub(super) fn blank(&mut self, range: Range<u64>) {
        for content in [&mut self.cache, &mut self.platter] {
            let range = range.start..range.end.min(content.size);
            if !range.is_empty() {
                Arc::make_mut(content).put(range.start, &vec![0; index(range.end - range.start)]);
            }
        }
    }

    /// It is no longer than this, in the cache and on the platter.
    pub(super) fn shorten(&mut self, size: u64) {
        for content in [&mut self.cache, &mut self.platter] {
            if size < content.size {
                Arc::make_mut(content).apply(&Change::Length(size));
            }
        }
        self.space = self.space.min(size);
    }

    /// The file that a power cut leaves.
    ///
    /// `versions` goes through all states of the file since its last sync; an atom that reached
    /// the platter is the whole atom as it was right after the write that put it there.
    pub(super) fn after_cut(&self, fates: &mut Fates<'_>) -> Self {
        if self.pending.is_empty() {
            let (cache, platter) = (Arc::clone(&self.platter), Arc::clone(&self.platter));
            return Self { cache, platter, space: self.platter.size, ..self.clone() };
        }
        let profile = fates.profile();
        let atom = profile.atom.bytes();
        let mut versions = Content::clone(&self.platter);
        let mut image = versions.clone();
        let (mut natural, mut size) = (self.platter.size, self.platter.size);
        let mut sizes = vec![size];
        for Pending { operation, change } in &self.pending {
            match change {
                Change::Write { offset, bytes } => {
                    let touched = atoms(*offset, bytes.len() as u64, atom);
                    let fate = fates.write(*operation, touched.end - touched.start);
                    let written = *offset..*offset + bytes.len() as u64;
                    versions.apply(change);
                    if fate == Fate::Reached {
                        image.take_over(&versions, touched.start * atom..touched.end * atom);
                        (size, natural) = (size.max(written.end), natural.max(written.end));
                        sizes.push(size);
                        continue;
                    }
                    for (index, at) in (0..).zip(touched) {
                        let whole = at * atom..(at + 1) * atom;
                        let part = whole.start.max(written.start)..whole.end.min(written.end);
                        match fate.of_atom(index) {
                            AtomFate::Reached => image.take_over(&versions, whole),
                            AtomFate::Lost if profile.tail == Tail::Stale => {
                                image.scribble(self.unheld(part), *operation ^ at);
                            }
                            AtomFate::Lost => {}
                            AtomFate::Garbage(seed) if profile.damage == Damage::Atom => {
                                image.scribble(whole, seed);
                            }
                            AtomFate::Garbage(seed) => image.scribble(part, seed),
                        }
                    }
                    size = size.max(written.end);
                    if fate != Fate::Lost {
                        natural = natural.max(written.end);
                    }
                }
                Change::Length(length) => {
                    size = *length;
                    if fates.survives(*operation) {
                        versions.apply(change);
                        image.apply(change);
                        natural = *length;
                    }
                }
                Change::Reserve(end) => {
                    size = size.max(*end);
                    if fates.survives(*operation) {
                        natural = natural.max(*end);
                    }
                }
            }
            sizes.push(size);
        }
        image.apply(&Change::Length(fates.size(natural, &sizes)));
        let image = Arc::new(image);
        Self {
            name: Arc::clone(&self.name),
            cache: Arc::clone(&image),
            space: image.size,
            platter: image,
            pending: Vec::new(),
            unreadable: self.unreadable.clone(),
        }
    }

    /// The part of a range that the platter has no bytes for, allocated ones included.
    fn unheld(&self, range: Range<u64>) -> Range<u64> {
        let reserved = self.pending.iter().filter_map(|pending| match pending.change {
            Change::Reserve(end) => Some(end),
            Change::Write { .. } | Change::Length(_) => None,
        });
        let held = reserved.fold(self.platter.size, u64::max);
        range.start.max(held).min(range.end)..range.end
    }
}

impl fmt::Debug for Inode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inode")
            .field("name", &self.name)
            .field("size", &self.cache.size)
            .field("durable_size", &self.platter.size)
            .field("pending", &self.pending.len())
            .finish_non_exhaustive()
    }
}

/// Bytes and a size; what lies between the two reads as zeros.
#[derive(Clone, Default)]
struct Content {
    bytes: Vec<u8>,
    size: u64,
}

impl Content {
    fn read(&self, offset: u64, buffer: &mut [u8]) -> usize {
        let there = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let count = buffer.len().min(there);
        let held = self.bytes.get(index(offset)..).unwrap_or(&[]);
        let held = &held[..held.len().min(count)];
        buffer[..held.len()].copy_from_slice(held);
        buffer[held.len()..count].fill(0);
        count
    }

    fn apply(&mut self, change: &Change) {
        match change {
            Change::Write { offset, bytes } => {
                self.put(*offset, bytes);
                self.size = self.size.max(offset + bytes.len() as u64);
            }
            Change::Length(size) => {
                self.bytes.truncate(index(*size));
                self.size = *size;
            }
            Change::Reserve(end) => self.size = self.size.max(*end),
        }
    }

    /// Puts bytes there, and leaves the size as it is.
    fn put(&mut self, offset: u64, bytes: &[u8]) {
        let start = index(offset);
        self.held(start..start + bytes.len()).copy_from_slice(bytes);
    }

    /// Makes the bytes of this range those of `other`.
    fn take_over(&mut self, other: &Self, range: Range<u64>) {
        let end = index(range.end).min(other.bytes.len().max(self.bytes.len()));
        let start = index(range.start).min(end);
        let held = other.bytes.get(start..end.min(other.bytes.len())).unwrap_or(&[]);
        let (taken, zeroed) = self.held(start..end).split_at_mut(held.len());
        taken.copy_from_slice(held);
        zeroed.fill(0);
    }

    fn scribble(&mut self, range: Range<u64>, seed: u64) {
        if !range.is_empty() {
            Chance::new(seed).fill(self.held(index(range.start)..index(range.end)));
        }
    }

    /// The bytes of this range, which are held from here on.
    fn held(&mut self, range: Range<usize>) -> &mut [u8] {
        if self.bytes.len() < range.end {
            self.bytes.resize(range.end, 0);
        }
        &mut self.bytes[range]
    }
}

/// The numbers of the atoms that a write touches.
fn atoms(offset: u64, length: u64, atom: u64) -> Range<u64> {
    offset / atom..(offset + length).div_ceil(atom)
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("a simulated file fits into memory")
}
