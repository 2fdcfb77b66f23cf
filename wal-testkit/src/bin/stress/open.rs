//! [`Opened`]: a log, opened as the settings say, and what it needs to live.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use tokio::runtime::{self, Runtime};
use wal::parts::core::{Applied, Files, SegmentStore, Transform, TransformId};
use wal::parts::segment::{FileStore, OsFiles};
use wal::{Error, ErrorKind, Result, Strategy, Wal, Writing};

use wal_testkit::liars::LandedStore;

use crate::settings::{Settings, Store};

/// A log, and what it needs to live.
pub(crate) struct Opened {
    pub(crate) wal: Wal,
    /// Where it is not the builder's.
    pub(crate) store: Option<Arc<FileStore>>,
    /// Set, the next write fails.
    pub(crate) fails: Arc<AtomicBool>,
    /// Goes after the log.
    _runtime: Option<Runtime>,
}

/// Opens the log. Where the file system knows no direct writing, it is buffered.
pub(crate) fn open(dir: &Path, settings: &Settings) -> Result<Opened> {
    match open_as_told(dir, settings) {
        Err(error)
            if error.kind() == ErrorKind::Unsupported
                && settings.config.writing == Some(Writing::Direct) =>
        {
            let mut settings = settings.clone();
            settings.config.writing = Some(Writing::Buffered);
            open_as_told(dir, &settings)
        }
        opened => opened,
    }
}

fn open_as_told(dir: &Path, settings: &Settings) -> Result<Opened> {
    let config = settings.config.clone();
    let runtime = match config.strategy {
        Strategy::Tokio => Some(
            runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .map_err(|cause| Error::io("no runtime", cause))?,
        ),
        _ => None,
    };
    let inside = runtime.as_ref().map(Runtime::enter);
    let (builder, store) = match settings.store {
        Store::OfDirectory => (Wal::builder(dir), None),
        Store::Landed => (Wal::with_store(landed(dir)?), None),
        Store::Given(ahead) => {
            let store = Arc::new(config.store_in(dir)?.0.ahead(ahead));
            (Wal::with_store(Arc::clone(&store) as _), Some(store))
        }
    };
    let fails = Arc::new(AtomicBool::new(false));
    let transform = Arc::new(FailsOnce(Arc::clone(&fails)));
    let (wal, _) = builder.config(config).transform(transform).open()?;
    drop(inside);
    Ok(Opened { wal, store, fails, _runtime: runtime })
}

/// The store with the race, and a thread of its own pace that prepares for it.
fn landed(dir: &Path) -> Result<Arc<dyn SegmentStore>> {
    let files = OsFiles::create(dir).map_err(|cause| Error::io("no directory", cause))?;
    let files: Arc<dyn Files> = Arc::new(files);
    let rest = Arc::new(FileStore::over(Arc::clone(&files)));
    let store = Arc::new(LandedStore::new(files, rest, thread::yield_now));
    let prepared = Arc::downgrade(&store);
    thread::spawn(move || {
        // It ends with the store.
        while let Some(store) = prepared.upgrade() {
            if !store.prepare_next().unwrap_or_default() {
                drop(store);
                thread::sleep(Duration::from_micros(50));
            }
        }
    });
    Ok(store)
}

/// Leaves every frame as it is, and fails once when it is told to: the log is poisoned by it.
#[derive(Debug)]
struct FailsOnce(Arc<AtomicBool>);

impl Transform for FailsOnce {
    fn id(&self) -> TransformId {
        TransformId(200)
    }

    fn apply(&self, _: &[u8], _: &mut Vec<u8>) -> Result<Applied> {
        if self.0.swap(false, SeqCst) {
            return Err(Error::new(ErrorKind::Invalid, "a failure that was asked for"));
        }
        Ok(Applied::Skipped)
    }

    fn undo(&self, _: &[u8], _: usize, _: &mut Vec<u8>) -> Result<()> {
        Err(Error::new(ErrorKind::Corrupt, "no frame went through this"))
    }
}
