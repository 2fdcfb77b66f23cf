//! `wal backup`: a log copied, record by record.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use serde::Serialize;
use wal::parts::core::SegmentStore;
use wal::parts::segment::FileStore;
use wal::{Backup, Error, ErrorKind, Reader};

use crate::failure::tell;
use crate::log::Log;
use crate::out::Out;

/// Copy a log's records into an empty directory; works beside a writer
///
/// Every frame is read, verified and written anew, with the same LSNs and times. The copy is a log of
/// its own with an identity of its own. It has every record that was acknowledged before the start,
/// and is durable at exit code 0.
///
/// A copy that ends early does not open as a log: delete it, and begin again. One does so where the
/// log is pruned while it is read.
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

/// Has `copy` make a log in this directory. Where it fails and leaves a part of one, says so.
pub(crate) fn fill<T>(
    dir: &Path,
    copy: impl FnOnce(Arc<dyn SegmentStore>) -> wal::Result<T>,
) -> wal::Result<T> {
    let store = FileStore::open(dir).map_err(|cause| {
        Error::io(format!("opening the directory {} failed", dir.display()), cause)
    })?;
    let store: Arc<dyn SegmentStore> = Arc::new(store);
    let was_empty = store.list().is_ok_and(|segments| segments.is_empty());
    copy(Arc::clone(&store)).inspect_err(|error| {
        // Another process may be making its copy there.
        let ours = was_empty && error.kind() != ErrorKind::Locked;
        let survey = || Reader::with_store(store).survey();
        let unfinished = || matches!(survey(), Err(error) if error.kind() == ErrorKind::Corrupt);
        if ours && unfinished() {
            let dir = dir.display();
            tell(format_args!(
                "note: the copy in {dir} is not finished; delete it, and begin again"
            ));
        }
    })
}
