//! The store seam: where segments live.
//!
//! A store keeps append-only segments of bytes under numbers. It is blocking, knows nothing of the
//! format, and speaks [`io::Error`]; whoever calls it adds the place and the record. What an
//! implementation must hold is written at each method and tested by
//! `wal_testkit::segment_store_laws!`.

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::SegmentId;

/// Where segments live.
///
/// One writer at a time, kept out by [`lock`](Self::lock); any number of readers beside it, in this
/// process and in others, without a lock.
pub trait SegmentStore: Send + Sync + fmt::Debug {
    /// What the store promises. Constant for the life of the store.
    fn guarantees(&self) -> Guarantees;

    /// Takes the store for writing, until the returned value is dropped or the process ends.
    ///
    /// - Fails with [`io::ErrorKind::WouldBlock`], at once, while another handle holds it, in this
    ///   process or another.
    /// - A dead process's lock is free.
    fn lock(&self) -> io::Result<Box<dyn StoreLock>>;

    /// The numbers of all segments, ascending. What is not a segment is not listed.
    fn list(&self) -> io::Result<Vec<SegmentId>>;

    /// Makes an empty segment and prepares `size` bytes of space for it, as far as the store
    /// prepares space at all.
    ///
    /// - Fails with [`io::ErrorKind::AlreadyExists`] where the number is taken, and leaves that
    ///   segment alone.
    /// - The segment is *there*, which means listed and to be opened, from the first sync of its
    ///   writer at the latest. Until then it may not be there at all, and is not where its writer
    ///   went away or a crash came; a store in which that is so publishes the name with the first
    ///   bytes, so that nobody ever sees one without the other.
    /// - Space that nobody has written to reads as [`Guarantees::unwritten`] says.
    /// - When it fails, or a crash comes before the first sync, nothing of that number need remain,
    ///   and what remains reads as zeros. With [`io::ErrorKind::StorageFull`] the space it had taken
    ///   is given back.
    fn create(&self, id: SegmentId, size: u64) -> io::Result<Box<dyn SegmentWriter>>;

    /// Opens a segment for reading; [`io::ErrorKind::NotFound`] where there is none.
    fn open(&self, id: SegmentId) -> io::Result<Box<dyn SegmentReader>>;

    /// Gives back the space behind the first `len` bytes, durably when it returns.
    ///
    /// - Never changes a byte before `len`, nor rewrites the block it is in: a store whose space
    ///   comes in blocks may keep up to one block behind `len`.
    /// - A segment not longer than `len` stays as it is.
    fn trim(&self, id: SegmentId, len: u64) -> io::Result<()>;

    /// Deletes these segments, in this order, durably when it returns. One that is not there is
    /// passed over. After a crash in the middle, those still there are the last of the order.
    fn remove(&self, ids: &[SegmentId]) -> io::Result<()>;
}

/// A store held for writing; dropping it gives the store free.
pub trait StoreLock: Send + Sync + fmt::Debug {}

/// The one writer of a segment.
pub trait SegmentWriter: Send + fmt::Debug {
    /// Appends all of `bytes` at the segment's end.
    ///
    /// - A reader of a segment that is there sees them when it returns; they survive a power cut
    ///   only after a sync.
    /// - When it fails, the end has not moved: what was written behind it is garbage, and the next
    ///   append overwrites it.
    /// - Fails with [`io::ErrorKind::StorageFull`] only where space that becomes free would have
    ///   let it succeed. Short writes and interruptions are the store's to handle.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// The segment's end: the number of bytes appended.
    fn end(&self) -> u64;

    /// A handle that syncs this segment while the writer goes on.
    fn syncer(&self) -> Arc<dyn SegmentSyncer>;
}

/// Makes what was appended to a segment durable.
pub trait SegmentSyncer: Send + Sync + fmt::Debug {
    /// When it has returned, the segment is there, and with it every byte of every append that had
    /// returned before the call survives what [`Guarantees::durability`] names.
    ///
    /// After a failure nothing is known about those bytes, and a later call proves nothing: it is
    /// never called again for this segment.
    fn sync(&self) -> io::Result<()>;
}

/// Reads a segment, also while it is being written.
pub trait SegmentReader: Send + Sync + fmt::Debug {
    /// How many bytes the segment has at present, prepared space included.
    fn size(&self) -> io::Result<u64>;

    /// Fills as much of `buffer` as there is from `offset` on, and says how much that was; less
    /// than the whole buffer only at the segment's end. What was never written reads as
    /// [`Guarantees::unwritten`] says.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
}

/// What a store promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Guarantees {
    /// What synced bytes survive.
    pub durability: Durability,
    /// Appends must be a multiple of this many bytes, a power of two; 1 where any length will do.
    pub alignment: u32,
    /// How many syncs of one segment may run at the same time; at least 1. Where there may be
    /// several, each that succeeds vouches for its bytes whatever becomes of the others. (Not so for
    /// `fdatasync` on Linux, which tells a failed write-back to one of them only.)
    pub overlapping_syncs: u32,
    /// What the space of a segment reads as before anybody has written to it.
    pub unwritten: Unwritten,
}

/// What the space of a segment reads as before anybody has written to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unwritten {
    /// Zeros.
    #[default]
    Zeros,
    /// Anything, such as the bytes of a segment that went: the store gives its space out again.
    Anything,
}

/// What synced bytes survive. Each includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Durability {
    /// Nothing but the handle that wrote them: memory.
    Handle,
    /// The death of the process.
    Process,
    /// A power cut.
    Power,
}

impl Guarantees {
    /// Bytes survive `durability` once synced; any length may be appended; one sync at a time; what
    /// was never written reads as zeros.
    pub const fn new(durability: Durability) -> Self {
        Self { durability, alignment: 1, overlapping_syncs: 1, unwritten: Unwritten::Zeros }
    }

    /// Appends must be multiples of this many bytes.
    pub const fn alignment(mut self, bytes: u32) -> Self {
        self.alignment = bytes;
        self
    }

    /// Up to this many syncs of one segment may overlap.
    pub const fn overlapping_syncs(mut self, syncs: u32) -> Self {
        self.overlapping_syncs = syncs;
        self
    }

    /// Space that nobody has written to reads as this.
    pub const fn unwritten(mut self, unwritten: Unwritten) -> Self {
        self.unwritten = unwritten;
        self
    }
}
