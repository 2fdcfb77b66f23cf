//! The command line as a whole.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{append, backup, compact, demo, dump, prune, replay, segments, stat, verify};

const EXIT_CODES: &str = "\
Exit codes:
  0  done; from verify: clean
  1  any other error, such as a directory that is not there; from demo: FAIL
  2  the command line is wrong
  3  verify only: a torn tail, such as a write that a crash interrupted; nothing that the log
     vouches for is hurt, and the next writer cuts it
  4  corruption: bytes that the log vouches for are damaged, missing or unreadable, or a file
     that is not the log's has one of its names

append that is ended by SIGINT or SIGTERM makes durable what it has read, and then ends by it.";

/// A write-ahead log from the shell.
///
/// replay, dump, stat, segments and verify need no lock and never change a byte: they work while
/// another process writes the log, and when it is damaged. backup and compact never change the log
/// that they read, and work beside its writer too. append and prune need the log for themselves.
#[derive(Debug, Parser)]
#[command(name = "wal", version, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Append(append::Args),
    Replay(replay::Args),
    Dump(dump::Args),
    Stat(stat::Args),
    Segments(segments::Args),
    Verify(verify::Args),
    Prune(prune::Args),
    Backup(backup::Args),
    Compact(compact::Args),
    Demo(demo::Args),
    #[command(hide = true)]
    DemoWriters(demo::WritersArgs),
}

/// Does what the command line asks for.
pub(crate) fn run() -> anyhow::Result<ExitCode> {
    match Cli::parse().command {
        Command::Append(args) => append::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Dump(args) => dump::run(&args),
        Command::Stat(args) => stat::run(&args),
        Command::Segments(args) => segments::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Prune(args) => prune::run(&args),
        Command::Backup(args) => backup::run(&args),
        Command::Compact(args) => compact::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::DemoWriters(args) => demo::run_writers(&args),
    }
}
