//! [`Error`]: one cloneable error for the whole kit.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;

use crate::{Fenced, Lsn, Position, SegmentId};

/// The result of everything in the kit that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the caller should do about an [`Error`]. A kind exists only where the answer differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// More is staged than the log may hold in memory: wait, or offer less. Nothing was appended.
    Backpressure,
    /// The log is sound, and not the one any more that a look at it began with: meanwhile it was
    /// truncated, or a writer that opened it has recovered it. Look again.
    Changed,
    /// Bytes that the log vouches for are damaged or missing. An operator decides; the evidence is
    /// untouched.
    Corrupt,
    /// Another writer has the log, or may have it: stop writing. Its place was taken, or this handle is
    /// used in a process that did not open it.
    Fenced,
    /// The call is wrong: an LSN never issued, a record over the limit, a log already closed.
    Invalid,
    /// The storage refused. Nothing may be concluded about the bytes of that call.
    Io,
    /// Another process, or another handle of this one, has the log open for writing.
    Locked,
    /// Pruned, or never written.
    NotFound,
    /// An earlier write or sync failed, so this handle acknowledges nothing any more: close and
    /// reopen. The first failure is the [`source`](StdError::source). Records that were staged and
    /// not yet acknowledged are *indeterminate*: the next recovery finds each of them or not.
    Poisoned,
    /// No space left before anything was lost, on the disk or in what the process may take of it (a
    /// quota, a limit on the size of files); or no file handle or memory for the next segment: free some (prune, or a larger disk or limit) and wait or
    /// append again. What was staged is still staged.
    StorageFull,
    /// Written by a newer version, or with a codec, transform or feature this build does not know; or
    /// the settings ask for what the file system cannot do. Never a sign of damage.
    Unsupported,
}

/// What went wrong, where, and why; cheap to clone, since one failed sync fails many waiters.
///
/// `Display` gives one line without the cause; walk [`source`](StdError::source) for that, or take
/// [`report`](Self::report). Only a [`Poisoned`](ErrorKind::Poisoned) error says its cause by itself:
/// what happened is in there, and nothing of it in the error that it makes of every later call.
///
/// ```
/// use wal_core::{Error, ErrorKind, Lsn, SegmentId};
///
/// let error = Error::new(ErrorKind::Corrupt, "frame checksum does not match")
///     .segment(SegmentId::new(7))
///     .offset(4096)
///     .lsn(Lsn::new(12));
/// assert_eq!(error.to_string(), "frame checksum does not match: segment=7 offset=4096 lsn=12");
/// ```
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    what: Cow<'static, str>,
    segment: Option<SegmentId>,
    offset: Option<u64>,
    lsn: Option<Lsn>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
    reading: bool,
}

impl Error {
    /// An error of this kind; `what` is lowercase and says what is wrong, not where.
    pub fn new(kind: ErrorKind, what: impl Into<Cow<'static, str>>) -> Self {
        Self(Arc::new(Inner {
            kind,
            what: what.into(),
            segment: None,
            offset: None,
            lsn: None,
            source: None,
            reading: false,
        }))
    }

    /// The storage refused: [`ErrorKind::StorageFull`] where it says that there is no room, or none
    /// that this process may take in one file,
    /// [`ErrorKind::NotFound`] where there is nothing of that name, [`ErrorKind::Fenced`] where
    /// another writer has its place ([`Fenced`]), else [`ErrorKind::Io`].
    pub fn io(what: impl Into<Cow<'static, str>>, source: io::Error) -> Self {
        let kind = match source.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => ErrorKind::StorageFull,
            io::ErrorKind::NotFound => ErrorKind::NotFound,
            _ if Fenced::is_source_of(&source) => ErrorKind::Fenced,
            _ => ErrorKind::Io,
        };
        Self::new(kind, what).because(source)
    }

    /// As [`io`](Self::io), of a call that was to open a segment for reading, or to read what it holds: so
    /// that no word of `what` has to tell.
    ///
    /// ```
    /// use std::io;
    /// use wal_core::Error;
    ///
    /// let cause = || io::Error::other("Input/output error");
    /// assert!(Error::reading("reading a segment failed", cause()).is_of_reading());
    /// assert!(!Error::io("syncing a segment failed", cause()).is_of_reading());
    /// ```
    pub fn reading(what: impl Into<Cow<'static, str>>, source: io::Error) -> Self {
        let mut error = Self::io(what, source);
        Arc::make_mut(&mut error.0).reading = true;
        error
    }

    /// Whether this says the same of the same place as `other`, its cause aside: what is found twice in
    /// something that changes is more than a moment of it.
    pub fn is_like(&self, other: &Self) -> bool {
        let of = |error: &Self| {
            (error.0.kind, error.0.what.clone(), error.0.segment, error.0.offset, error.0.lsn)
        };
        of(self) == of(other)
    }

    /// Puts the error into this segment.
    pub fn segment(mut self, segment: SegmentId) -> Self {
        Arc::make_mut(&mut self.0).segment = Some(segment);
        self
    }

    /// Puts the error at this byte of its segment.
    pub fn offset(mut self, offset: u64) -> Self {
        Arc::make_mut(&mut self.0).offset = Some(offset);
        self
    }

    /// Puts the error at this place.
    pub fn at(self, position: Position) -> Self {
        self.segment(position.segment).offset(position.offset)
    }

    /// Puts the error at this record.
    pub fn lsn(mut self, lsn: Lsn) -> Self {
        Arc::make_mut(&mut self.0).lsn = Some(lsn);
        self
    }

    /// Gives the cause.
    pub fn because(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        Arc::make_mut(&mut self.0).source = Some(Arc::new(source));
        self
    }

    /// What to do about it.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether it is of a call that was to [read](Self::reading) a segment.
    pub fn is_of_reading(&self) -> bool {
        self.0.reading
    }

    /// What is wrong, without the place.
    pub fn what(&self) -> &str {
        &self.0.what
    }

    /// The segment it is about, where known.
    pub fn at_segment(&self) -> Option<SegmentId> {
        self.0.segment
    }

    /// The byte of the segment it is about, where known.
    pub fn at_offset(&self) -> Option<u64> {
        self.0.offset
    }

    /// The record it is about, where known.
    pub fn at_lsn(&self) -> Option<Lsn> {
        self.0.lsn
    }

    /// The whole chain of causes in one line, for a person.
    pub fn report(&self) -> String {
        let mut line = self.to_string();
        if !self.says_its_cause() {
            push_causes(&mut line, self.source());
        }
        line
    }

    fn says_its_cause(&self) -> bool {
        self.kind() == ErrorKind::Poisoned
    }
}

fn push_causes(line: &mut String, mut cause: Option<&(dyn StdError + 'static)>) {
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        let whole = error.downcast_ref::<Error>().is_some_and(Error::says_its_cause);
        cause = if whole { None } else { error.source() };
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { what, segment, offset, lsn, .. } = &*self.0;
        f.write_str(what)?;
        let mut mark = ": ";
        if let Some(segment) = segment {
            write!(f, "{mark}segment={segment}")?;
            mark = " ";
        }
        if let Some(offset) = offset {
            write!(f, "{mark}offset={offset}")?;
            mark = " ";
        }
        if let Some(lsn) = lsn {
            write!(f, "{mark}lsn={lsn}")?;
        }
        if self.says_its_cause() {
            let mut causes = String::new();
            push_causes(&mut causes, self.source());
            f.write_str(&causes)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({})", self.kind(), self.report())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}
