//! What went wrong, for a person and for a script.

use std::error::Error as _;
use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use wal::parts::replay::{CopyMark, is_unreadable};
use wal::{Error, ErrorKind};

/// The exit code for a torn tail.
pub(crate) const TORN: u8 = 3;
/// The exit code for corruption.
pub(crate) const CORRUPT: u8 = 4;

/// Says on stderr what went wrong and what can be done about it, and gives the exit code. Quiet, and
/// a success, where the reader of our output has gone.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    if pipe_closed(error) {
        return ExitCode::SUCCESS;
    }
    let of_log = error.downcast_ref::<Error>();
    match of_log {
        Some(error) => tell(format_args!("error: {}", error.report())),
        None => tell(format_args!("error: {error:#}")),
    }
    if let Some(hint) = of_log.and_then(hint) {
        tell(format_args!("hint: {hint}"));
    }
    let damage = |error: &Error| error.kind() == ErrorKind::Corrupt || is_unreadable(error);
    if of_log.is_some_and(damage) { ExitCode::from(CORRUPT) } else { ExitCode::FAILURE }
}

/// Writes a line to stderr. Where that is closed there is nobody left to tell.
pub(crate) fn tell(line: impl fmt::Display) {
    writeln!(io::stderr(), "{line}").ok();
}

/// Whether this says that the reader of our output has gone.
pub(crate) fn pipe_closed(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<io::Error>();
    io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// What to do next, for who was woken by it.
fn hint(error: &Error) -> Option<&'static str> {
    match error.kind() {
        ErrorKind::Corrupt if error.at_segment() == Some(CopyMark::ID) => Some(
            "the log that was copied is not hurt. `wal backup` and `wal compact` into this directory \
             delete what is there of the copy and begin anew",
        ),
        ErrorKind::Corrupt if error.what().starts_with("the anchor, ") => Some(
            "the segments may be whole: `wal replay` prints what they hold. Copy the directory, to keep \
             the evidence; in the copy move the file ANCHOR away, and `wal verify` tells how the log is \
             without it, all but whether its newest segments are missing",
        ),
        ErrorKind::Corrupt if error.what().starts_with("the log begins later now, ") => Some(
            "what is proven to be this log's was deleted; the files that are named were not touched. \
             `wal segments` says what the log has now",
        ),
        ErrorKind::Corrupt => Some(
            "nothing in the log was changed; copy the directory, to keep the evidence. `wal verify` \
             lists all damage; `wal replay` prints what is before it, to begin a new log with where \
             there is no backup",
        ),
        _ if is_unreadable(error) => Some(
            "the disk does not give back what was written there; nothing in the log was changed. Copy \
             the directory to another disk, as far as it can be read (`ddrescue` leaves holes where it \
             cannot), and go on with the copy. `wal verify` lists all damage; `wal replay` prints what is \
             before it",
        ),
        ErrorKind::Invalid if error.what() == "the LSN was never issued" => {
            Some("`wal stat` says with which record the log ends")
        }
        ErrorKind::Locked => Some(
            "one process writes a log at a time: end that one, or wait for it; every command but \
             append and prune works beside it",
        ),
        ErrorKind::NotFound if error.at_lsn().is_some() => {
            Some("`wal stat` says with which record the log begins")
        }
        ErrorKind::Poisoned => {
            Some("see to the disk, then run again: the log is recovered when it is next opened")
        }
        ErrorKind::StorageFull => Some(match cause_of_no_space(error) {
            Some(io::ErrorKind::FileTooLarge) => {
                "a file may not become so large: `ulimit -f` says how large, in this shell. Raise that, \
                 or take a smaller --segment-size, then run again with what is missing"
            }
            Some(io::ErrorKind::QuotaExceeded) => {
                "your quota on that disk is used up: give some of it back, then run again with what is \
                 missing; `wal prune` deletes the oldest segments, and `wal backup` copies the log to \
                 another disk"
            }
            _ => {
                "free some space on that disk, then run again with what is missing. Where `df -h` shows \
                 that there is some, `df -i` says whether files are used up. `wal prune` deletes the \
                 oldest segments, also on a full disk, and `wal backup` copies the log to another one"
            }
        }),
        ErrorKind::Changed => Some(
            "nothing is wrong with the log: its writer has cut or pruned it, or opened it anew; run again, or \
             let the program that writes it copy it",
        ),
        ErrorKind::Unsupported => {
            Some("this is no damage: a newer `wal` reads it, or the program that wrote it")
        }
        _ => None,
    }
}

/// What the system said where there was no space.
fn cause_of_no_space(error: &Error) -> Option<io::ErrorKind> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error.kind());
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hint was to free space where `df` shows plenty, and on a file system without inodes for the
    /// next file there is.
    #[test]
    fn f15_the_hints_for_no_space_fit_what_the_system_said() {
        let hint = |kind: io::ErrorKind| {
            let inner = Error::io("making a segment failed", kind.into());
            hint(&Error::new(inner.kind(), "syncing failed").because(inner)).unwrap()
        };
        for (kind, named) in [
            (io::ErrorKind::StorageFull, ["df -i", "wal prune", "wal backup"]),
            (io::ErrorKind::QuotaExceeded, ["quota", "wal prune", "wal backup"]),
            (io::ErrorKind::FileTooLarge, ["ulimit -f", "--segment-size", "run again"]),
        ] {
            for name in named {
                assert!(hint(kind).contains(name), "{kind:?}: {}", hint(kind));
            }
        }
    }
}
