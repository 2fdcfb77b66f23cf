//! The `wal` tool: writes a log from a shell, and looks at one without touching it.
//!
//! `append` is the only command that writes to a log it is given; `replay`, `dump`, `stat` and
//! `verify` take no lock and change no byte, and so work beside a writer. `demo` works in a
//! directory of its own.

mod append;
mod cli;
mod demo;
mod dump;
mod failure;
mod input;
mod log;
mod out;
mod replay;
mod size;
mod stat;
mod verify;
mod walk;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run().unwrap_or_else(|error| failure::report(&error))
}
