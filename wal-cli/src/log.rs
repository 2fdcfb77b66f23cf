//! [`Log`]: an existing log, to be looked at.

use std::path::Path;
use std::sync::Arc;

use anyhow::bail;
use wal::parts::core::SegmentStore;
use wal::parts::core::format::Start;
use wal::parts::segment::FileStore;
use wal::{Error, ErrorKind, Reader, Reading, SegmentId};

/// The log in a directory, opened without a lock and for reading only.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) store: Arc<dyn SegmentStore>,
    pub(crate) reader: Reader,
}

impl Log {
    /// Fails where there is no log: a mistyped path must not read as a log that is clean and empty.
    /// A log that was opened and never written to has its lock file.
    pub(crate) fn open(dir: &Path) -> anyhow::Result<Self> {
        Self::open_with(dir, Reading::default())
    }

    /// The same, read in this way.
    pub(crate) fn open_with(dir: &Path, reading: Reading) -> anyhow::Result<Self> {
        let store = match FileStore::open_read_only(dir) {
            Ok(store) => Arc::new(store.reading(reading)),
            Err(cause) => return Err(Error::io("opening the log failed", cause).into()),
        };
        let log = Self { reader: Reader::with_store(store.clone()), store };
        if log.segments()?.is_empty() && !dir.join("LOCK").is_file() {
            bail!(
                "there is no log in {}: it holds neither segments nor a LOCK file",
                dir.display()
            );
        }
        Ok(log)
    }

    /// Where the log begins by now; `None` where that cannot be told.
    pub(crate) fn start(&self) -> Option<Start> {
        self.reader.survey().ok().flatten().map(|survey| survey.chain.start)
    }

    /// Whether this error may be the work of a process that pruned the log since it began there: a
    /// segment has gone, or another one has its space. Then the log is worth another look.
    pub(crate) fn was_pruned(&self, since: Option<Start>, error: &Error) -> bool {
        let by_pruning = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Corrupt);
        by_pruning && self.start().is_some_and(|start| Some(start) != since)
    }

    /// The numbers of all segments there are, ascending.
    pub(crate) fn segments(&self) -> wal::Result<Vec<SegmentId>> {
        let listed = self.store.list();
        let listed = listed.map_err(|cause| Error::io("listing the segments failed", cause))?;
        Ok(listed.into_iter().filter(|id| id.is_of_log()).collect())
    }

    /// The bytes that a segment takes up, prepared space included; `None` where it is gone.
    pub(crate) fn size(&self, id: SegmentId) -> wal::Result<Option<u64>> {
        let size = self.store.open(id).and_then(|segment| segment.size());
        match size.map_err(|cause| Error::io("measuring a segment failed", cause).segment(id)) {
            Ok(size) => Ok(Some(size)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}
