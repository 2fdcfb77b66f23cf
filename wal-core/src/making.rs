//! [`make_segment`]: a segment of as much space as there is.

use std::io;

use crate::{Naming, SegmentId, SegmentStore, SegmentWriter};

/// Space that is worth a segment, in bytes, wherever more was wanted.
const WORTHWHILE: u64 = 64 << 10;

/// A segment that was made and has nothing in it.
#[derive(Debug)]
pub struct MadeSegment {
    /// Its number.
    pub id: SegmentId,
    /// Bytes of space that it was made with.
    pub size: u64,
    /// Its writer.
    pub writer: Box<dyn SegmentWriter>,
}

/// Makes a segment of `wanted` bytes of space, or of less where the store is too full for that:
/// halves are tried, down to `least`, and what is taken in the end is half of what there was room
/// for, so that one segment never fills a disk. A recovery copies what is in doubt in a segment
/// into the next one: it has room for that, now or once older segments went.
///
/// `next` is the number to use. It moves behind the one that was used, and behind one whose remains
/// are in the way; where nothing was made, it stays.
///
/// # Errors
///
/// With [`io::ErrorKind::StorageFull`] there is no room for `least` bytes either. With
/// [`io::ErrorKind::InvalidInput`] there are no numbers left.
pub fn make_segment(
    store: &dyn SegmentStore,
    next: &mut SegmentId,
    wanted: u64,
    least: u64,
) -> io::Result<MadeSegment> {
    let mut size = wanted;
    loop {
        let id = *next;
        if id > SegmentId::LAST {
            let what = "the numbers of segments are used up";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        match store.create(id, size) {
            Ok(writer) => {
                *next = id.next();
                let made = MadeSegment { id, size, writer };
                let half = size / 2;
                return if size == wanted || half < least.max(WORTHWHILE) {
                    Ok(made)
                } else {
                    smaller(store, next, made, half, least)
                };
            }
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                // Where segments are there from their making on, a failed one may still be there.
                let kept = store.guarantees().naming == Naming::AtCreate
                    && store.list().is_ok_and(|there| there.contains(&id));
                if kept {
                    *next = id.next();
                }
                if size <= least {
                    return Err(full(&error, wanted, least));
                }
                size = (size / 2).max(least);
            }
            Err(error) if is_limited(&error) => return Err(full(&error, size, size)),
            Err(error) => return Err(error),
        }
    }
}

/// Whether it is not the disk that has no room, but what this process may take of it.
fn is_limited(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}

/// Gives a segment back and makes a smaller one: of this size, or of less where the space of the one
/// given back is not free yet, as a file's is not while a thread that wrote zeros into it has it open.
fn smaller(
    store: &dyn SegmentStore,
    next: &mut SegmentId,
    made: MadeSegment,
    mut size: u64,
    least: u64,
) -> io::Result<MadeSegment> {
    let id = made.id;
    abandon(store, made)?;
    if store.guarantees().naming == Naming::AtSync {
        *next = id;
    }
    let id = *next;
    loop {
        match store.create(id, size) {
            Err(error) if error.kind() == io::ErrorKind::StorageFull && size > least => {
                size = (size / 2).max(least);
            }
            made => {
                let writer = made?;
                *next = id.next();
                return Ok(MadeSegment { id, size, writer });
            }
        }
    }
}

/// Gives back a segment that was made just now and that nothing was synced of. A store whose
/// segments are there from their first sync on does so when the writer goes; in others it is
/// removed, being this caller's own.
pub fn abandon(store: &dyn SegmentStore, made: MadeSegment) -> io::Result<()> {
    let MadeSegment { id, writer, .. } = made;
    drop(writer);
    match store.guarantees().naming {
        Naming::AtSync => Ok(()),
        Naming::AtCreate => store.remove(&[id]),
    }
}

fn full(error: &io::Error, wanted: u64, least: u64) -> io::Error {
    let what = if least < wanted {
        format!(
            "no room for a segment of {least} bytes, nor for one of {wanted} (the setting \
             segment_size): {error}"
        )
    } else {
        format!("no room for a segment of {wanted} bytes (the setting segment_size): {error}")
    };
    io::Error::new(error.kind(), what)
}
