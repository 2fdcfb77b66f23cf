//! [`Preparation`]: taking a segment's space before its bytes come.

use std::io;
use std::time::Duration;

use super::OpenFile;
use super::transfer::{uninterrupted, write_zeros};

/// Bytes a microsecond. Zeros that nobody waits for are worth their writing as long as they take a
/// small part of what the disk can do; a stream that is faster than this would share it with them.
const FAST: u64 = 100;

/// When a segment's space is taken from the file system.
///
/// | policy | the disk is found full | `create` costs | a sync costs |
/// |---|---|---|---|
/// | `None` | by an append | least | most: each records the new length and its blocks |
/// | `Whole` | by `create` | little | less: the length stands, blocks turn from unwritten to written |
/// | `Chunks` | by an append, a chunk ahead | least | as `Whole`, and once a chunk more |
/// | `ZeroFill` | by `create` | writing the segment once | least: about half of `Whole` on ext4 |
/// | `ZerosAhead` | by `create` | little | as `ZeroFill` where the zeros are ahead, else as `Whole` |
///
/// Where the file system copies on write or compresses (btrfs, ZFS), preparing does not promise
/// that a later write finds room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Preparation {
    /// When bytes are written.
    None,
    /// All of it when the segment is made, by `fallocate`; by writing zeros where the file system, or
    /// a sandbox, will not have that. Where a limit on the size of files is in the way, nothing is
    /// taken beforehand.
    #[default]
    Whole,
    /// By `fallocate`, in steps of this many bytes (at least 4096), ahead of the segment's end and
    /// up to its size. Where the file system cannot do that, or has no room for a whole step, as
    /// [`None`](Self::None).
    Chunks(u64),
    /// All of it when the segment is made, by writing zeros and syncing them: a sync then has nothing
    /// to record but the bytes.
    ZeroFill,
    /// All of it when the segment is made, by `fallocate`, and then, in steps of this many bytes, zeros
    /// ahead of the segment's end, by whoever [prepares ahead](super::Ahead). An append that has
    /// caught up with the zeros overtakes them, and one of 512 KiB or more ends them for a while: a
    /// stream gains nothing from them. A segment that is made ahead is zeroed whole,
    /// unless appends come faster than 100 MB a second.
    ZerosAhead(u64),
}

impl Preparation {
    /// As it is done for a segment that is not needed yet.
    pub(super) fn in_time(self) -> Self {
        if let Self::ZerosAhead(_) = self { Self::ZeroFill } else { self }
    }

    /// As [`in_time`](Self::in_time), unless `bytes` that were appended in this time say that the disk
    /// is better left to the appends.
    pub(super) fn at_pace(self, bytes: u64, took: Duration) -> Self {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
        if bytes / micros > FAST { self } else { self.in_time() }
    }

    /// Prepares a file of `len` bytes, all of them prepared already, that is to hold a segment of
    /// `size` bytes. Nothing of it is synced.
    pub(super) fn prepare(self, file: &dyn OpenFile, len: u64, size: u64) -> io::Result<Prepared> {
        let whole = Prepared { step: None, size, end: len.max(size) };
        let more = size.saturating_sub(len);
        match self {
            Self::None => Ok(Prepared { step: None, size, end: len }),
            Self::Whole | Self::ZerosAhead(_) => {
                match allocate(file, len, more)? {
                    Allocated::Done => {}
                    Allocated::Unsupported => {
                        write_zeros(file, len, more, || file.sync_data())?;
                    }
                    Allocated::BeyondLimit => return Ok(Prepared { step: None, size, end: len }),
                }
                Ok(whole)
            }
            Self::Chunks(step) => {
                let mut prepared = Prepared { step: Some(step.max(4096)), size, end: len };
                prepared.reach(file, size.min(1))?;
                Ok(prepared)
            }
            Self::ZeroFill => {
                // Found full before anything is written, where that can be known.
                if allocate(file, len, more)? == Allocated::BeyondLimit {
                    return Ok(Prepared { step: None, size, end: len });
                }
                write_zeros(file, len, more, || file.sync_data())?;
                Ok(whole)
            }
        }
    }
}

/// How far the space of a segment is prepared, and how to go on.
#[derive(Debug)]
pub(super) struct Prepared {
    /// `None` where nothing more will be prepared.
    step: Option<u64>,
    size: u64,
    end: u64,
}

impl Prepared {
    /// The segment has so many bytes.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Prepares the next steps if the segment is about to reach `needed` bytes and they are not
    /// there. A full disk is no error here: what is to be written may still fit.
    pub(super) fn reach(&mut self, file: &dyn OpenFile, needed: u64) -> io::Result<()> {
        let Some(step) = self.step else { return Ok(()) };
        if needed <= self.end {
            return Ok(());
        }
        let whole_steps = needed.checked_next_multiple_of(step).unwrap_or(needed);
        let end = whole_steps.min(self.size.max(needed));
        match allocate(file, self.end, end - self.end) {
            Ok(Allocated::Done) => self.end = end,
            Ok(Allocated::Unsupported | Allocated::BeyondLimit) => self.step = None,
            Err(error) if is_full(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

#[derive(PartialEq, Eq)]
enum Allocated {
    Done,
    /// Whatever is against it, writing may go all the same, and says so if not.
    Unsupported,
    /// A limit on the size of files is against it, and against zeros too.
    BeyondLimit,
}

fn allocate(file: &dyn OpenFile, offset: u64, len: u64) -> io::Result<Allocated> {
    if len == 0 {
        return Ok(Allocated::Done);
    }
    if offset.checked_add(len).is_none_or(|end| i64::try_from(end).is_err()) {
        // No file reaches so far.
        let what = format!("a file of {} bytes: {file:?}", offset.saturating_add(len));
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
    }
    match uninterrupted(|| file.allocate(offset, len)) {
        Ok(()) => Ok(Allocated::Done),
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Ok(Allocated::BeyondLimit),
        Err(error) if is_full(&error) => Err(error),
        // It says EOPNOTSUPP where it cannot, EPERM in a sandbox, and more elsewhere.
        Err(_) => Ok(Allocated::Unsupported),
    }
}

/// Whether there is no space, on the disk or in what the user may take of it, in all or in one file.
pub(super) fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}
