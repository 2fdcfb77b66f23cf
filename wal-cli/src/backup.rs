//! `wal backup`: a log copied, record by record.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;
use serde::Serialize;
use wal::parts::core::SegmentStore;
use wal::parts::replay::CopyMark;
use wal::{Backup, Config, ErrorKind};

use crate::failure::tell;
use crate::log::Log;
use crate::out::Out;

/// Copy a log's records into an empty directory; works beside a writer, also one that prunes
///
/// Every frame is read, verified and written anew, with the same LSNs and times. The copy is a log of
/// its own with an identity of its own. It has every record that was acknowledged before the start,
/// and is durable at exit code 0.
///
/// A copy that ends early does not open as a log: delete it, or copy into the directory again, which
/// deletes the remains and begins anew. One that is killed in its first milliseconds, before its mark is
/// durable, leaves a directory like an empty log's: only exit code 0 says that a copy is whole.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The log's directory
    dir: PathBuf,
    /// The directory to copy into; made if it is missing
    target: PathBuf,
    /// One JSON object: `log`, `first_lsn`, `last_lsn`, `record_bytes`
    #[arg(long)]
    json: bool,
}

/// `last_lsn` is one less than `first_lsn` where there are no records.
#[derive(Debug, Serialize)]
struct Told {
    log: String,
    first_lsn: u64,
    last_lsn: u64,
    record_bytes: u64,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let log = Log::open(&args.dir)?;
    let done = fill(&args.target, |target| log.reader.backup_to(target))?;
    let mut out = Out::new();
    if args.json {
        let Backup { log, first_lsn, last_lsn, record_bytes, .. } = done;
        let (first_lsn, last_lsn) = (first_lsn.get(), last_lsn.get());
        out.json(&Told { log: log.to_string(), first_lsn, last_lsn, record_bytes })?;
    } else {
        out.text(format_args!("{done}"))?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Has `copy` make a log in this directory. Where it fails and has left a part of one, says so; where it
/// has left nothing of one, neither stays what was made for it.
pub(crate) fn fill<T>(
    dir: &Path,
    copy: impl FnOnce(Arc<dyn SegmentStore>) -> wal::Result<T>,
) -> anyhow::Result<T> {
    let before = Before::of(dir);
    let shown = dir.display();
    // As it suits the file system, as every log.
    let (store, _) = Config::default().store_in(dir)?;
    let store: Arc<dyn SegmentStore> = Arc::new(store);
    let error = match copy(Arc::clone(&store)) {
        Err(error) => error,
        Ok(done) => return Ok(done),
    };
    if error.kind() == ErrorKind::Locked {
        // Not the log that is read: that needs no lock.
        let report = error.report();
        bail!(
            "another process writes into {shown}: a copy, or a log of its own; take another: {report}"
        );
    }
    let not_ours = error.kind() == ErrorKind::Invalid && error.at_segment().is_some();
    if !not_ours && !before.restore(dir, &*store) {
        tell(format_args!(
            "note: the copy in {shown} is not finished; delete it, or copy into it again, which begins \
             anew"
        ));
    }
    if error.kind() == ErrorKind::Invalid {
        // Which names no path: a store need not have one.
        bail!("copying into {shown} failed: {}", error.report());
    }
    Err(error.into())
}

/// What was there before a copy was begun.
struct Before {
    dir: bool,
    files: [bool; 2],
}

/// What a store makes of itself.
const FILES: [&str; 2] = ["LOCK", "ANCHOR"];

impl Before {
    fn of(dir: &Path) -> Self {
        let there = |path: &Path| path.symlink_metadata().is_ok();
        Self { dir: there(dir), files: FILES.map(|name| there(&dir.join(name))) }
    }

    /// Takes away what was made since, where there is no segment: a directory with a lock file would
    /// pass for a log that is empty. Says whether there is no unfinished copy.
    fn restore(&self, dir: &Path, store: &dyn SegmentStore) -> bool {
        // Nobody else begins a log there meanwhile.
        let Ok(lock) = store.lock() else { return true };
        if !store.list().is_ok_and(|segments| segments.is_empty()) {
            // A whole log, which the copy would not touch, is not one that is unfinished.
            return !matches!(CopyMark::of(store), Ok(Some(_)));
        }
        for (name, was_there) in FILES.iter().zip(self.files) {
            if !was_there {
                fs::remove_file(dir.join(name)).ok();
            }
        }
        drop(lock);
        if !self.dir {
            // Not where anything else has come.
            fs::remove_dir(dir).ok();
        }
        true
    }
}
