//! [`Place`]: where a part under test lives, is opened, and comes to harm.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Mutex, PoisonError};

use wal_core::{Error, Result, SegmentStore};

use crate::{CutChoice, FaultRule, LogUnderTest, Profile, SimDisk};

/// A place that a part lives in and that outlives it: a directory, a simulated disk, the memory
/// that a store in memory keeps its segments in.
///
/// A closure that opens the part, `Fn() -> io::Result<impl SegmentStore>` or
/// `Fn() -> wal_core::Result<impl LogUnderTest>`, is a place to which no harm can be done; for
/// parts that work on a [`SimDisk`] there is [`OnDisk`].
pub trait Place<Part: ?Sized> {
    /// Opens the part as a new process would, on what is there.
    fn open(&self) -> Result<Box<Part>>;

    /// The files of the place by name, or whatever it keeps its bytes in, as they are now; `None`
    /// where it cannot tell. A place that has them suffers a [`Stranger`].
    fn files(&self) -> Option<BTreeMap<String, Vec<u8>>>;

    /// Does this harm, or says that it cannot. Parts that are open keep running; what they do
    /// after a crash must not reach what [`open`](Self::open) opens next.
    fn inflict(&self, harm: Harm) -> Inflicted;
}

/// What a place may suffer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Harm {
    /// The power fails; what no sync covered survives by this choice. A place that knows fewer
    /// choices takes the nearest. Like a kill, ends every other harm but that of room.
    Crash(CutChoice),
    /// The process dies: locks are free, and all that it had handed to the storage is still seen.
    Kill,
    /// The storage does so many more operations, and then every call fails until the crash.
    Interrupt {
        /// Operations still done.
        after: u64,
    },
    /// Calls of the storage fail by this rule, counted from now.
    Fault(FaultRule),
    /// The storage has room for so many bytes more.
    Room(Room),
    /// Somebody else does this to the files, durably.
    Stranger(Stranger),
}

/// What is done to the files of a place from outside: by an operator, by a script, by a restore that
/// went wrong. The names are those of [`Place::files`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stranger {
    /// A file of this name and with these bytes is there, in place of what was.
    Puts(String, Vec<u8>),
    /// The file goes.
    Removes(String),
    /// The two trade places.
    Swaps(String, String),
    /// The file of the first name has the second too.
    Links(String, String),
    /// Nothing is done.
    Nothing,
}

/// How much room a storage has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// So many bytes.
    Bytes(u64),
    /// More than anyone needs.
    Plenty,
}

/// What came of a [`Harm`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a harm that was not done proves nothing"]
pub enum Inflicted {
    /// It is done.
    Done,
    /// This place cannot do it.
    Cannot,
}

impl fmt::Display for Harm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crash(choice) => write!(f, "CRASH, {choice}"),
            Self::Kill => f.write_str("KILL"),
            Self::Interrupt { after } => write!(f, "POWER OFF after {after} operations"),
            Self::Fault(rule) => write!(f, "FAULT, {rule}"),
            Self::Room(Room::Bytes(bytes)) => write!(f, "ROOM for {bytes} bytes more"),
            Self::Room(Room::Plenty) => f.write_str("ROOM in plenty"),
            Self::Stranger(stranger) => write!(f, "STRANGER {stranger}"),
        }
    }
}

impl fmt::Display for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Puts(name, bytes) => write!(f, "puts {} bytes into {name}", bytes.len()),
            Self::Removes(name) => write!(f, "removes {name}"),
            Self::Swaps(one, other) => write!(f, "swaps {one} and {other}"),
            Self::Links(from, to) => write!(f, "links {from} as {to}"),
            Self::Nothing => f.write_str("does nothing"),
        }
    }
}

impl<F, S> Place<dyn SegmentStore> for F
where
    F: Fn() -> io::Result<S>,
    S: SegmentStore + 'static,
{
    fn open(&self) -> Result<Box<dyn SegmentStore>> {
        Ok(Box::new(self().map_err(cannot_open)?))
    }

    fn files(&self) -> Option<BTreeMap<String, Vec<u8>>> {
        None
    }

    fn inflict(&self, _: Harm) -> Inflicted {
        Inflicted::Cannot
    }
}

impl<F, L> Place<dyn LogUnderTest> for F
where
    F: Fn() -> Result<L>,
    L: LogUnderTest + 'static,
{
    fn open(&self) -> Result<Box<dyn LogUnderTest>> {
        Ok(Box::new(self()?))
    }

    fn files(&self) -> Option<BTreeMap<String, Vec<u8>>> {
        None
    }

    fn inflict(&self, _: Harm) -> Inflicted {
        Inflicted::Cannot
    }
}

/// A place on a simulated disk, to which every harm can be done.
///
/// ```
/// use wal_testkit::{OnDisk, Profile, SimStore};
///
/// let place = OnDisk::new(Profile::STRICT, |disk| Ok::<_, std::io::Error>(SimStore::new(disk)));
/// # let _ = place;
/// ```
pub struct OnDisk<O> {
    disk: Mutex<SimDisk>,
    open: O,
}

impl<O> OnDisk<O> {
    /// An empty disk, and how a part is opened on it. Each opening gets a handle of the disk of its
    /// own, an [opener](SimDisk::opener).
    pub fn new<T, E>(profile: Profile, open: O) -> Self
    where
        O: Fn(SimDisk) -> Result<T, E>,
    {
        Self { disk: Mutex::new(SimDisk::new(profile)), open }
    }

    /// The disk as it is now, after all crashes so far.
    pub fn disk(&self) -> SimDisk {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn harm(&self, harm: Harm) {
        let mut disk = self.disk.lock().unwrap_or_else(PoisonError::into_inner);
        match harm {
            Harm::Crash(choice) => *disk = disk.power_cut(choice),
            Harm::Kill => *disk = disk.kill(),
            Harm::Interrupt { after } => disk.crash_at(disk.operations().saturating_add(after)),
            Harm::Fault(rule) => disk.fail(rule),
            Harm::Room(Room::Bytes(bytes)) => disk.set_room(Some(bytes)),
            Harm::Room(Room::Plenty) => disk.set_room(None),
            Harm::Stranger(stranger) => {
                disk.meddle(&stranger).expect("a law names files that are there");
            }
        }
    }
}

impl<O, S> Place<dyn SegmentStore> for OnDisk<O>
where
    O: Fn(SimDisk) -> io::Result<S>,
    S: SegmentStore + 'static,
{
    fn open(&self) -> Result<Box<dyn SegmentStore>> {
        Ok(Box::new((self.open)(self.disk().opener()).map_err(cannot_open)?))
    }

    fn files(&self) -> Option<BTreeMap<String, Vec<u8>>> {
        self.disk().contents().ok()
    }

    fn inflict(&self, harm: Harm) -> Inflicted {
        self.harm(harm);
        Inflicted::Done
    }
}

impl<O, L> Place<dyn LogUnderTest> for OnDisk<O>
where
    O: Fn(SimDisk) -> Result<L>,
    L: LogUnderTest + 'static,
{
    fn open(&self) -> Result<Box<dyn LogUnderTest>> {
        Ok(Box::new((self.open)(self.disk().opener())?))
    }

    fn files(&self) -> Option<BTreeMap<String, Vec<u8>>> {
        self.disk().contents().ok()
    }

    fn inflict(&self, harm: Harm) -> Inflicted {
        self.harm(harm);
        Inflicted::Done
    }
}

impl<O> fmt::Debug for OnDisk<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnDisk").field("disk", &self.disk()).finish_non_exhaustive()
    }
}

fn cannot_open(cause: io::Error) -> Error {
    Error::io("the store does not open", cause)
}
