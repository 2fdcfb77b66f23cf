//! The `wal` tool: writes a log from a shell, and looks at one without touching it.
//!
//! `append` and `prune` are the only commands that write to a log they are given; all others take no
//! lock of it and change no byte, and so work beside a writer: `backup` and `compact` write to a
//! directory that is empty. `demo` works in a directory of its own.

mod age;
mod append;
mod backup;
mod cli;
mod compact;
mod demo;
mod dump;
mod failure;
mod input;
mod log;
mod out;
mod prune;
mod replay;
mod segments;
mod size;
mod stat;
mod stop;
mod verify;
mod walk;

use std::process::ExitCode;

fn main() -> ExitCode {
    stop::survive_file_size_limit();
    cli::run().unwrap_or_else(|error| failure::report(&error))
}
