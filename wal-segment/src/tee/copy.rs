//! Making one half the same as the other.

use std::io;

use wal_core::{SegmentId, SegmentReader, SegmentStore};

use super::history::{History, Mark, Standing, is_mark};

/// How many of the last segments a crash may leave with different bytes: the one being written, and
/// the one before, which recovery trims.
const UNSETTLED: usize = 2;
/// Bytes read and written at a time; a multiple of every alignment in use.
const CHUNK: usize = 64 * 1024;

/// The segments of a half, marks left out.
pub(super) fn segments(store: &dyn SegmentStore) -> io::Result<Vec<SegmentId>> {
    Ok(store.list()?.into_iter().filter(|id| !is_mark(*id)).collect())
}

/// What `to` has that `from` has not, and what `from` has that `to` has not, or has with other
/// bytes.
#[derive(Debug, Default)]
pub(super) struct Difference {
    extra: Vec<SegmentId>,
    missing: Vec<SegmentId>,
    other: Vec<SegmentId>,
    /// The first difference that no crash explains.
    damaged: Option<SegmentId>,
}

impl Difference {
    /// Reads all of both.
    pub(super) fn between(from: &dyn SegmentStore, to: &dyn SegmentStore) -> io::Result<Self> {
        let (wanted, found) = (segments(from)?, segments(to)?);
        let mut difference = Self::default();
        let settled = wanted.len().saturating_sub(UNSETTLED);
        for (at, &id) in wanted.iter().enumerate() {
            if !found.contains(&id) {
                difference.missing.push(id);
            } else if !same(&*from.open(id)?, &*to.open(id)?)? {
                difference.other.push(id);
                difference.damaged = difference.damaged.or((at < settled).then_some(id));
            }
        }
        if wanted.is_empty() && found.len() > UNSETTLED {
            difference.damaged = found.first().copied();
        }
        difference.extra = found.into_iter().filter(|id| !wanted.contains(id)).collect();
        Ok(difference)
    }

    pub(super) fn damaged(&self) -> Option<SegmentId> {
        self.damaged
    }

    pub(super) fn is_none(&self) -> bool {
        self.extra.is_empty() && self.missing.is_empty() && self.other.is_empty()
    }
}

/// Gives `to` what `from` has, and both a mark that they are together. Both are locked.
///
/// Before a byte of `to` changes it is marked as unfinished. After a crash in the middle `from` is
/// the good half, and this can be done again.
pub(super) fn rebuild(from: &dyn SegmentStore, to: &dyn SegmentStore) -> io::Result<()> {
    let last = match History::read(from)?.last() {
        Some(last) => last,
        None => alone(from)?,
    };
    let unfinished = last.unfinished(&History::read(to)?);
    unfinished.write(to)?;
    let Difference { extra, missing, other, .. } = Difference::between(from, to)?;
    to.remove(&extra)?;
    to.remove(&other)?;
    for id in missing.into_iter().chain(other) {
        copy(from, to, id)?;
    }
    let together = unfinished.together();
    together.write(from)?;
    together.write(to)
}

/// Marks a store as one that goes on alone, where its last mark does not say so already.
pub(super) fn alone(store: &dyn SegmentStore) -> io::Result<Mark> {
    let history = History::read(store)?;
    if let Some(last) = history.last()
        && last.standing() == Standing::Alone
    {
        return Ok(last);
    }
    let mark = history.next(Standing::Alone);
    mark.write(store)?;
    Ok(mark)
}

/// Whether two segments have the same bytes; what one does not have counts as zeros, since space
/// may be prepared in one and not in the other.
fn same(one: &dyn SegmentReader, other: &dyn SegmentReader) -> io::Result<bool> {
    let size = one.size()?.max(other.size()?);
    let (mut left, mut right) = (vec![0; CHUNK], vec![0; CHUNK]);
    let mut offset = 0;
    while offset < size {
        let (count, others) = (one.read_at(offset, &mut left)?, other.read_at(offset, &mut right)?);
        left[count..].fill(0);
        right[others..].fill(0);
        if left != right {
            return Ok(false);
        }
        offset += CHUNK as u64;
    }
    Ok(true)
}

/// Prepared space is copied as the zeros that it reads as: which zeros were appended, a store
/// cannot tell.
fn copy(from: &dyn SegmentStore, to: &dyn SegmentStore, id: SegmentId) -> io::Result<()> {
    let reader = from.open(id)?;
    let alignment = to.guarantees().alignment as usize;
    let mut writer = to.create(id, reader.size()?)?;
    let mut buffer = vec![0; CHUNK];
    loop {
        let count = reader.read_at(writer.end(), &mut buffer)?;
        if count == 0 {
            return writer.syncer().sync();
        }
        let padded = count.next_multiple_of(alignment);
        buffer[count..padded].fill(0);
        writer.append(&buffer[..padded])?;
    }
}
