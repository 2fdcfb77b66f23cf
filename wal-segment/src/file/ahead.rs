//! [`Ahead`]: who prepares the next segment, and when.

/// Who prepares the next segment, and when. It is wanted once half of the current one is written;
/// one that is not ready when it is needed is prepared then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ahead {
    /// Nobody before it is needed.
    #[default]
    Never,
    /// A thread of the store, which sleeps meanwhile and ends with the store.
    Thread,
    /// Whoever calls [`FileStore::prepare_next`](super::FileStore::prepare_next).
    Caller,
}
