//! [`medium_failed`]: whose fault a read is.

use std::io;

use crate::Fenced;

/// Whether a read failed since the medium does not give the bytes, as a worn sector does not: then they are
/// gone as wrong ones are, and the others are not. What the system refuses to this process, a place that
/// cannot be reached, and a writer's place that was taken say nothing of them.
///
/// ```
/// use std::io;
/// use wal_core::medium_failed;
///
/// assert!(medium_failed(&io::Error::other("Input/output error")));
/// assert!(!medium_failed(&io::ErrorKind::PermissionDenied.into()));
/// assert!(!medium_failed(&io::ErrorKind::TimedOut.into()));
/// ```
pub fn medium_failed(cause: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, HostUnreachable, Interrupted, InvalidInput, NetworkDown,
        NetworkUnreachable, NotConnected, OutOfMemory, PermissionDenied, StaleNetworkFileHandle,
        TimedOut, Unsupported, WouldBlock,
    };
    let refused =
        [Interrupted, InvalidInput, OutOfMemory, PermissionDenied, Unsupported, WouldBlock];
    // Where the files are is not to be reached.
    let away = [ConnectionAborted, HostUnreachable, NetworkDown, NetworkUnreachable];
    let gone = [NotConnected, StaleNetworkFileHandle, TimedOut];
    // Too many open files; links that lead to themselves.
    let numbers = matches!(cause.raw_os_error(), Some(23 | 24 | 40));
    let kinds = [&refused[..], &away, &gone].concat();
    !(kinds.contains(&cause.kind()) || numbers || Fenced::is_source_of(cause))
}
