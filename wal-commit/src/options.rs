//! [`Options`]: the sizes a pipeline works with.

use std::sync::Arc;

use wal_core::format::{HEADER_LEN, MAX_BODY_LEN, MAX_SEGMENT_SIZE};
use wal_core::{CodecId, Error, ErrorKind, Result, Transform};

/// The sizes a [`Pipeline`](crate::Pipeline) works with. All in bytes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// A segment ends before it would grow beyond this; one record or batch that is larger gets a
    /// segment of its own.
    pub segment_size: u64,
    /// A frame ends before its body would grow beyond this; one record or batch that is larger gets
    /// a frame of its own. Never more than a segment has room for.
    pub frame_size: usize,
    /// The most a record may have.
    pub record_limit: usize,
    /// The most a batch may have, with a length prefix of up to five bytes a record.
    pub batch_limit: usize,
    /// An append that finds more than this staged does what [`when_full`](Self::when_full) says. So
    /// a stalled disk and fast appends fill at the most twice this and twice
    /// [`batch_limit`](Self::batch_limit): what is staged, and what is being written. With a
    /// [`transform`](Self::transform), also a MiB and one frame as they are stored.
    ///
    /// Between flushes a buffer of no more than this is kept; a closed log keeps none.
    pub buffer_size: usize,
    /// What an append does where there is no room.
    pub when_full: WhenFull,
    /// What becomes of records that the disk, or a limit of the store, has no room for.
    pub when_disk_full: WhenDiskFull,
    /// Every flush is padded to a multiple of this, a power of two: 8 for no padding, the device's
    /// block for never rewriting a block that holds acknowledged records.
    pub alignment: u32,
    /// The codec of the records, for the segment headers.
    pub codec: CodecId,
    /// What frame bodies go through on their way to the store.
    pub transform: Option<Arc<dyn Transform>>,
}

/// What an append does that finds [`Options::buffer_size`] bytes staged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WhenFull {
    /// It writes them out by itself, or waits for the one who does: producers are as fast as the
    /// disk.
    #[default]
    Block,
    /// It fails with [`ErrorKind::Backpressure`], nothing of it staged.
    Refuse,
}

/// What becomes of records that the disk, or a limit of the store, has no room for. They stay staged
/// in any case, under their LSNs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WhenDiskFull {
    /// Whoever waits for them is told, with [`ErrorKind::StorageFull`], and the next flush tries
    /// again.
    #[default]
    Refuse,
    /// Whoever waits for them goes on waiting, and so does whoever flushes, until there is room: made
    /// by pruning, which [`Pipeline::room_made`](crate::Pipeline::room_made) tells, or by others,
    /// which shows within a second. A close does not wait, and fails.
    Wait,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_size: 128 << 20,
            frame_size: 256 << 10,
            record_limit: 16 << 20,
            batch_limit: 64 << 20,
            buffer_size: 8 << 20,
            when_full: WhenFull::Block,
            when_disk_full: WhenDiskFull::Refuse,
            alignment: 8,
            codec: CodecId::RAW,
            transform: None,
        }
    }
}

impl Options {
    /// Refuses sizes that no log can work with, naming the field.
    pub fn validate(&self) -> Result<()> {
        let invalid = |what| Err(Error::new(ErrorKind::Invalid, what));
        if self.segment_size < 4 * HEADER_LEN as u64 {
            return invalid("segment_size is below 16384 bytes");
        }
        if self.segment_size > MAX_SEGMENT_SIZE {
            return invalid("segment_size is above 2 TiB, the most that a seal can index");
        }
        if self.frame_size == 0 || self.frame_size > MAX_BODY_LEN / 4 {
            return invalid("frame_size is zero or above 256 MiB");
        }
        if self.record_limit == 0 || self.record_limit > self.batch_limit {
            return invalid("record_limit is zero or above batch_limit");
        }
        if self.batch_limit > MAX_BODY_LEN / 2 {
            return invalid("batch_limit is above 512 MiB");
        }
        if self.buffer_size == 0 || self.buffer_size > MAX_BODY_LEN {
            return invalid("buffer_size is zero or above 1 GiB");
        }
        // No setting is above 4096. A log's headers may name more, and what they name is kept: as much as a
        // recovery takes from them.
        if !self.alignment.is_power_of_two() || !(8..=1 << 20).contains(&self.alignment) {
            return invalid("alignment is not a power of two from 8 to 1048576 bytes");
        }
        Ok(())
    }

    /// The largest body that leaves a segment within its size, with a header before it, the padding
    /// of a flush and of a block, and a seal behind it, which has blocks of its own.
    pub(crate) fn frame_that_fits(&self) -> usize {
        let blocks = 2 * HEADER_LEN as u64 + self.segment_size % HEADER_LEN as u64;
        let around = blocks + 2 * u64::from(self.alignment) + 304;
        usize::try_from(self.segment_size.saturating_sub(around)).unwrap_or(usize::MAX).max(1)
    }

    /// The most bytes that are ever unsynced at once, where anything syncs at all: what is staged
    /// when a flush begins, and as much again. A frame that a transform makes larger than that has a
    /// segment whose header says so.
    pub(crate) fn in_flight(&self) -> u64 {
        2 * (self.buffer_size + self.batch_limit) as u64
    }
}
