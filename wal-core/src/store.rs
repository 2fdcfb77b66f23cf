//! The store seam: where segments live.
//!
//! A store keeps append-only segments of bytes under numbers. It is blocking, knows nothing of the
//! format, and speaks [`io::Error`]; whoever calls it adds the place and the record. What an
//! implementation must hold is written at each method and tested by
//! `wal_testkit::segment_store_laws!`.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;

use crate::SegmentId;

/// Where segments live.
///
/// One writer at a time, kept out by [`lock`](Self::lock); any number of readers beside it, in this
/// process and in others, without a lock. What changes the store ([`create`](Self::create),
/// [`trim`](Self::trim), [`remove`](Self::remove), [`write_anchor`](Self::write_anchor)) is called
/// only while this handle holds the lock; a store may refuse it otherwise.
///
/// A log calls its store with turns of its own in hand, and wakes nobody on that thread meanwhile, of
/// whichever log: a store that lies on another log may wait for it ([`Watermark::wait`](crate::Watermark)
/// blocks), and must not drive a task on the calling thread that waits to be woken by it. The same holds for
/// a [`Transform`](crate::Transform).
pub trait SegmentStore: Send + Sync + fmt::Debug {
    /// What the store promises. Constant for the life of the store.
    fn guarantees(&self) -> Guarantees;

    /// Takes the store for writing, until the returned value is dropped or the process ends.
    ///
    /// - Fails with [`io::ErrorKind::WouldBlock`], at once, while another handle holds it, in this
    ///   process or another.
    /// - A dead process's lock is free.
    /// - Nothing in the store is changed before the lock is had. Once another handle can have it,
    ///   nothing of this one changes the store any more: no writer, no syncer, no thread of the
    ///   store's own. A lock that is dropped while a writer or a syncer is still alive is free when
    ///   the last of those is gone.
    /// - A place that was taken away all the same, as by a person who replaced a directory, is an
    ///   error that [`Fenced`] is the source of, before anything is acknowledged.
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
    ///
    /// One that cannot be deleted does not keep the ones behind it; the first failure is returned
    /// when all were tried.
    fn remove(&self, ids: &[SegmentId]) -> io::Result<()>;

    /// What [`write_anchor`](Self::write_anchor) wrote last, or `None` where it never did.
    ///
    /// Fails with [`io::ErrorKind::InvalidData`] where there is something and it is damaged.
    fn read_anchor(&self) -> io::Result<Option<Vec<u8>>>;

    /// Keeps these few bytes (at most [`MAX_ANCHOR`]) beside the segments in place
    /// of the ones before, durably when it returns. After a crash in the middle the ones before are
    /// there, or these.
    ///
    /// Where there was an anchor already, needs no more space than that has: it works on a full
    /// disk.
    fn write_anchor(&self, bytes: &[u8]) -> io::Result<()>;
}

/// The most bytes of an anchor ([`SegmentStore::write_anchor`]).
pub const MAX_ANCHOR: usize = 512;

/// Another writer has the place that this one had: the source of an error of the store, which
/// becomes [`ErrorKind::Fenced`](crate::ErrorKind::Fenced).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fenced(pub String);

impl fmt::Display for Fenced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Fenced {}

impl From<Fenced> for io::Error {
    fn from(fenced: Fenced) -> Self {
        Self::other(fenced)
    }
}

impl Fenced {
    /// Whether this is the error of a store whose place was taken.
    pub fn is_source_of(error: &io::Error) -> bool {
        error.get_ref().is_some_and(<dyn StdError + Send + Sync>::is::<Self>)
    }
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

    /// What is known of the space that the segment was made with. Constant.
    fn space(&self) -> SegmentSpace;

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
    /// When a segment is there.
    pub naming: Naming,
}

/// What is known of the space that a segment was made with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SegmentSpace {
    /// The segment has at least so many bytes once its first sync has returned, also after a crash,
    /// until it is trimmed. 0 promises nothing.
    pub durable_len: u64,
    /// What it reads as before anybody has written to it: no worse than [`Guarantees::unwritten`].
    pub unwritten: Unwritten,
}

/// When a segment is there, for whoever lists the store or looks into it after a crash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Naming {
    /// From its making on: a crash before the first sync may leave a segment with nothing, or not
    /// all, of what was appended.
    #[default]
    AtCreate,
    /// From its first sync on, with all that was appended before that: a segment that is there
    /// without is damaged.
    AtSync,
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
    /// was never written reads as zeros; a segment is there from its making on.
    pub const fn new(durability: Durability) -> Self {
        Self {
            durability,
            alignment: 1,
            overlapping_syncs: 1,
            unwritten: Unwritten::Zeros,
            naming: Naming::AtCreate,
        }
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

    /// A segment is there from this moment on.
    pub const fn naming(mut self, naming: Naming) -> Self {
        self.naming = naming;
        self
    }

    /// Space that nobody has written to reads as this.
    pub const fn unwritten(mut self, unwritten: Unwritten) -> Self {
        self.unwritten = unwritten;
        self
    }
}
