//! [`Subject`]: the program whose acknowledgements are put to the proof.

use std::fmt;
use std::io;
use std::path::Path;

/// A log that lives in a directory and numbers its records densely from 1.
pub trait Subject: fmt::Debug {
    /// Opens the log for appending, and makes it if there is none. Recovers it first, if it has to.
    /// Draws of `variant` decide what the subject is free in, such as its way of committing.
    fn open(&self, dir: &Path, variant: u64) -> io::Result<Box<dyn Session>>;

    /// The records of the log, from the first to the last, without changing a byte. A directory
    /// that is not there, or empty, is a log with no records. An error says what a person would
    /// want to know.
    fn read(&self, dir: &Path) -> io::Result<Vec<Vec<u8>>>;

    /// Looks at every byte of a log that was closed in good order, and fails where it finds
    /// anything to complain of.
    fn verify(&self, dir: &Path) -> io::Result<()>;
}

/// A log that is open for appending.
pub trait Session {
    /// Hands over the next record. It has the LSN after the one before; acknowledgement is another
    /// matter. A record holds no newline.
    fn append(&mut self, record: &[u8]) -> io::Result<()>;

    /// Waits for the next acknowledgement, and gives the last LSN that is acknowledged. Called only
    /// while one is missing.
    fn acknowledged(&mut self) -> io::Result<u64>;

    /// Ends in good order: all that was handed over is durable.
    fn close(self: Box<Self>) -> io::Result<()>;

    /// Dies in the middle of whatever it does.
    fn kill(self: Box<Self>) -> io::Result<()>;
}
