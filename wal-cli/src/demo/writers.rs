//! The child process of the demo: commits orders until it is killed.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{self, ExitCode};
use std::thread;

use wal::Wal;
use wal::parts::codec::{Binary, Operation};
use wal::parts::core::Codec;

use super::WRITERS;
use super::order::Order;

/// Commit orders until killed; the demo runs this.
#[derive(Debug, clap::Args)]
pub(crate) struct WritersArgs {
    /// The log's directory.
    dir: PathBuf,
    /// Says what is in the orders.
    #[arg(long)]
    seed: u64,
    /// Tells the orders of this process from those of the ones before.
    #[arg(long)]
    round: u32,
}

/// Commits orders from many threads. Each order is reported on stdout once it is durable, and not
/// before: a line with its LSN and its name. Ends when stdout is closed.
pub(crate) fn run(args: &WritersArgs) -> anyhow::Result<ExitCode> {
    let (wal, _) = Wal::builder(&args.dir).codec(Codec::<Operation>::id(&Binary)).open()?;
    let commit = |writer| -> anyhow::Result<()> {
        let log = wal.typed(Binary)?;
        for number in 0.. {
            let order = Order { round: args.round, writer, number };
            let lsn = log.append(&order.operation(args.seed))?;
            log.wait_for_lsn(lsn).wait()?;
            // One write of less than PIPE_BUF bytes: the reader gets all of it or nothing.
            let line = format!("{lsn} {}\n", order.key());
            if io::stdout().lock().write_all(line.as_bytes()).is_err() {
                process::exit(0);
            }
        }
        Ok(())
    };
    thread::scope(|scope| {
        let commit = &commit;
        let writers: Vec<_> =
            (0..WRITERS).map(|writer| scope.spawn(move || commit(writer))).collect();
        for writer in writers {
            if let Ok(Err(error)) = writer.join() {
                // The others cannot be told to stop.
                process::exit(i32::from(crate::failure::report(&error) != ExitCode::SUCCESS));
            }
        }
    });
    Ok(ExitCode::SUCCESS)
}
