//! [`Reader`]: a log read without opening it.

use std::path::Path;
use std::sync::Arc;

use wal_core::format::Start;
use wal_core::{Error, ErrorKind, Lsn, Result, SegmentStore};
use wal_replay::{
    Chain, Cursor, FrameNote, SegmentInfo, Survey, Transforms, Until, Verification, prefix, survey,
    verify,
};
use wal_segment::{FileStore, Reading};

/// How often a log that changes is looked at before it is taken for what it seems.
const LOOKS: usize = 16;

fn by_a_writer(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Corrupt | ErrorKind::Changed)
}

fn start(survey: Option<&Survey>) -> Option<Start> {
    survey.map(|survey| survey.chain.start)
}

/// A log read as it lies there, without a lock and without changing a byte: also while another
/// process writes it, and also when it is damaged. For tools and for the curious.
#[derive(Clone, Debug)]
pub struct Reader {
    store: Arc<dyn SegmentStore>,
    transforms: Transforms,
}

impl Reader {
    /// The log in this directory, which must be there.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(dir, Reading::default())
    }

    /// The log in this directory, which must be there, read in this way: [`Reading::Direct`] to
    /// [`verify`](Self::verify) what the disk holds, whatever the page cache does. A way that this
    /// system or this build does not know shows when the first segment is read, as
    /// [`ErrorKind::Io`](wal_core::ErrorKind::Io).
    pub fn open_with(dir: impl AsRef<Path>, reading: Reading) -> Result<Self> {
        let dir = dir.as_ref();
        let store = FileStore::open_read_only(dir).map_err(|cause| {
            Error::io(format!("opening the directory {} failed", dir.display()), cause)
        })?;
        Ok(Self::with_store(Arc::new(store.reading(reading))))
    }

    /// The log in this store.
    pub fn with_store(store: Arc<dyn SegmentStore>) -> Self {
        Self { store, transforms: Transforms::default() }
    }

    /// Reads frames that went through these.
    pub fn transforms(mut self, transforms: Transforms) -> Self {
        self.transforms = transforms;
        self
    }

    pub(crate) fn store(&self) -> &Arc<dyn SegmentStore> {
        &self.store
    }

    pub(crate) fn known_transforms(&self) -> &Transforms {
        &self.transforms
    }

    /// What is there, by its newest segment and the list of all; `None` where there is no log.
    pub fn survey(&self) -> Result<Option<Survey>> {
        survey(&*self.store)
    }

    /// All segments of the log, oldest first. Some reads a segment, whatever its size.
    pub fn list_segments(&self) -> Result<Vec<SegmentInfo>> {
        self.settled(|survey| match survey {
            None => Ok(Vec::new()),
            Some(survey) => survey.chain.list(&*self.store, survey.last_lsn()),
        })
    }

    /// The entries from this LSN on, to the end of what can be read. A torn tail ends them; damage
    /// is an error.
    ///
    /// Beside a process that prunes the log, the segments that the cursor comes to may be gone by then:
    /// that is [`NotFound`](ErrorKind::NotFound), and a cursor from where the log begins by now reads on.
    /// Where the log is cut, or a writer opens it and recovers it, the cursor goes on with what is in force
    /// by then, or says [`Changed`](ErrorKind::Changed): look again. What it had read ahead before that, it
    /// gives as it was.
    pub fn read_from(&self, lsn: Lsn) -> Result<Cursor> {
        self.settled(|survey| match survey {
            None => Ok(Cursor::empty(Arc::clone(&self.store))),
            Some(survey) => self.read_chain(&survey.chain, lsn),
        })
    }

    /// What `look` makes of the log, which another process may prune or cut meanwhile: where that fails,
    /// and the log begins elsewhere by now or was cut, it looks again.
    pub(crate) fn settled<T>(
        &self,
        mut look: impl FnMut(Option<&Survey>) -> Result<T>,
    ) -> Result<T> {
        let mut survey = self.survey()?;
        let mut looks = 0;
        loop {
            let error = match look(survey.as_ref()) {
                Err(error) if by_a_writer(&error) => error,
                looked => return looked,
            };
            let again = self.survey()?;
            if error.kind() != ErrorKind::Changed && start(survey.as_ref()) == start(again.as_ref())
            {
                return Err(error);
            }
            looks += 1;
            if looks > LOOKS {
                // Of a log that is sound no file is missing, and nothing is damaged.
                let what = "the log is pruned or cut faster than it is read";
                return Err(Error::new(ErrorKind::Changed, what).because(error));
            }
            survey = again;
        }
    }

    /// As [`read_from`](Self::read_from), over a chain that a [`survey`](Self::survey) or a
    /// [`prefix`](Self::prefix) has found.
    pub fn read_chain(&self, chain: &Chain, lsn: Lsn) -> Result<Cursor> {
        let store = Arc::clone(&self.store);
        Cursor::new(store, self.transforms.clone(), chain, lsn, Until::End)
    }

    /// The part of a damaged log that comes before the damage; `None` where nothing does.
    pub fn prefix(&self) -> Result<Option<Chain>> {
        prefix(&*self.store)
    }

    /// Reads every byte and says how the log is; `visit` gets every sound frame.
    pub fn verify(&self, mut visit: impl FnMut(&FrameNote)) -> Result<Verification> {
        verify(&*self.store, &mut visit)
    }
}
