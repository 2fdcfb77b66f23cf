//! `power-cut`: cuts the power of a real file system under the `wal` tool, many times.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

use wal_testkit::power_cut::{
    Depth, FileSystem, Machine, Progress, Rename, RenameWriter, Run, Subject, Tally, WalBinary,
};

const EXIT_CODES: &str = "\
Exit codes:
  0  every log kept its word, and every control was seen to break it
  1  a violation
  2  the command line is wrong
  3  void: a control that must lose records was not seen to lose any
  4  the rig cannot run here, or failed";

/// Cut the power of a disk under a real file system, at any point of its writes, and see whether
/// `wal` finds every record it acknowledged
///
/// Needs Linux, root, /dev/fuse, /dev/loop-control, losetup, and mkfs.ext4, mkfs.xfs, mkfs.btrfs.
#[derive(Debug, Parser)]
#[command(name = "power-cut", after_help = EXIT_CODES)]
struct Args {
    /// A file system: ext4, xfs or btrfs; may be given several times [default: all]
    #[arg(long = "fs", value_name = "NAME")]
    file_systems: Vec<FileSystem>,
    /// Cuts for each file system; second cuts, in the recovery, come on top
    #[arg(long, default_value_t = 300)]
    cuts: u64,
    /// Cuts for each control
    #[arg(long, default_value_t = 100)]
    control_cuts: u64,
    /// Decides workloads and cuts [default: by the clock]
    #[arg(long)]
    seed: Option<u64>,
    /// The round to begin with, to run a case again
    #[arg(long, default_value_t = 0)]
    round: u64,
    /// The `wal` program [default: beside this one]
    #[arg(long, value_name = "PATH")]
    wal: Option<PathBuf>,
    /// The segment size in bytes: small, so that there are many rotations
    #[arg(long, default_value_t = 32768)]
    segment_size: u64,
    /// A commit strategy that acknowledges durably; several take turns
    #[arg(long = "strategy", default_values = ["group-commit", "sync"])]
    strategies: Vec<String>,
    /// Options for mount, such as data=writeback
    #[arg(long, default_value = "")]
    mount_options: String,
    /// A directory that keeps the disk of every violation
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(4)
        }
    }
}

/// What a run must come to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// No violation.
    Holds,
    /// At least one, after first cuts and after second ones: else the rig sees nothing, and nothing
    /// it says counts.
    Breaks,
    /// At least one.
    BreaksAtFirst,
    /// Either.
    Shown,
}

struct Row {
    file_system: FileSystem,
    mode: &'static str,
    expected: Expected,
    tally: Tally,
    per_minute: f64,
}

fn run(args: &Args) -> io::Result<u8> {
    let wal = match &args.wal {
        Some(path) => path.clone(),
        None => std::env::current_exe()?.with_file_name("wal"),
    };
    if !wal.is_file() {
        return Err(io::Error::other(format!("there is no wal program at {}", wal.display())));
    }
    let seed = match args.seed {
        Some(seed) => seed,
        None => std::time::UNIX_EPOCH.elapsed().map_or(0, |time| u64::from(time.subsec_nanos())),
    };
    let strategies: Vec<_> = args.strategies.iter().map(String::as_str).collect();
    let product = WalBinary::new(&wal, args.segment_size, &strategies);
    let unsynced = WalBinary::new(&wal, args.segment_size, &["os"]);
    let named = !args.file_systems.is_empty();
    let file_systems = if named { &args.file_systems[..] } else { &FileSystem::ALL };

    let mut rows = Vec::new();
    for &file_system in file_systems {
        let machine = Machine::new(file_system, &args.mount_options)?;
        let mut cut = |mode, subject: &dyn Subject, expected, depth, cuts| {
            let (machine, keep) =
                (&machine, args.keep.clone().filter(|_| expected == Expected::Holds));
            let run = Run { machine, subject, cuts, seed, first_round: args.round, depth, keep };
            rows.push(told(&run, mode, expected)?);
            io::Result::Ok(rows[rows.len() - 1].void())
        };
        let rename = match file_system {
            FileSystem::Ext4 => Expected::BreaksAtFirst,
            // Their logs take the rename along with the sync of the file.
            _ => Expected::Shown,
        };
        let (bad, good) = (RenameWriter(Rename::Unsynced), RenameWriter(Rename::Synced));
        let control = args.control_cuts;
        let void = cut(
            "control: acks without sync",
            &unsynced,
            Expected::Breaks,
            Depth::CutAgain,
            control,
        )? || cut("control: rename, no dir sync", &bad, rename, Depth::Read, control)?
            || cut("rename and dir sync", &good, Expected::Holds, Depth::Read, control)?;
        if !void {
            cut("wal", &product, Expected::Holds, Depth::CutAgain, args.cuts)?;
        }
    }
    table(&rows, seed);
    Ok(verdict(&rows))
}

/// Runs it and says on stderr how it goes.
fn told(run: &Run<'_>, mode: &'static str, expected: Expected) -> io::Result<Row> {
    let file_system = run.machine.file_system();
    eprintln!("{file_system}, {mode}: {} cuts, seed {}", run.cuts, run.seed);
    let began = Instant::now();
    let mut last = Instant::now();
    let every = if io::stderr().is_terminal() { 1 } else { 10 };
    let mut causes = BTreeSet::new();
    let tally = run.run(|progress| match progress {
        Progress::Inconclusive(cause) if causes.insert(cause.to_string()) => {
            eprintln!("  inconclusive, the file system does not mount: {cause}");
        }
        Progress::Violation(violation) if expected == Expected::Holds => {
            eprintln!("VIOLATION on {file_system}, {mode}: {violation}");
        }
        Progress::Checked(tally) if last.elapsed().as_secs() >= every => {
            last = Instant::now();
            let Tally { cuts, second_cuts, inconclusive, violations, .. } = tally;
            let rate = per_minute(tally, began);
            eprintln!(
                "  {cuts} cuts, {second_cuts} second cuts, {inconclusive} inconclusive, \
                 {violations} violations, {rate:.0} cuts/min"
            );
        }
        _ => {}
    })?;
    let per_minute = per_minute(&tally, began);
    Ok(Row { file_system, mode, expected, tally, per_minute })
}

fn per_minute(tally: &Tally, began: Instant) -> f64 {
    let cuts = u32::try_from(tally.cuts + tally.second_cuts).unwrap_or(u32::MAX);
    f64::from(cuts) * 60.0 / began.elapsed().as_secs_f64()
}

impl Row {
    /// A control that was not seen to fail.
    fn void(&self) -> bool {
        let Tally { violations, second_violations, .. } = self.tally;
        match self.expected {
            Expected::Breaks => second_violations == 0 || violations == second_violations,
            Expected::BreaksAtFirst => violations == 0,
            Expected::Holds | Expected::Shown => false,
        }
    }
}

fn table(rows: &[Row], seed: u64) {
    println!(
        "| file system | mode | logs | records | cuts | second cuts | inconclusive | violations | \
         after a second cut | both cuts/min | seed |"
    );
    println!("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    for Row { file_system, mode, tally, per_minute, .. } in rows {
        let Tally {
            rounds,
            records,
            cuts,
            second_cuts,
            inconclusive,
            violations,
            second_violations,
        } = tally;
        println!(
            "| {file_system} | {mode} | {rounds} | {records} | {cuts} | {second_cuts} | \
             {inconclusive} | {violations} | {second_violations} | {per_minute:.0} | {seed} |"
        );
    }
}

fn verdict(rows: &[Row]) -> u8 {
    for row in rows.iter().filter(|row| row.void()) {
        println!("VOID: {}, {} found nothing", row.file_system, row.mode);
    }
    if rows.iter().any(Row::void) {
        return 3;
    }
    let broken = |row: &Row| row.expected == Expected::Holds && row.tally.violations > 0;
    u8::from(rows.iter().any(broken))
}
