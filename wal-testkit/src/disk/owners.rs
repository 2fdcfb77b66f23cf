//! [`Owners`]: which file is open for writing by which handle, and the rule that all others leave it
//! alone.

use std::collections::BTreeMap;

use super::State;
use super::directory::InodeNumber;

/// Handles of a disk that belong together: one opening of a log, with all its threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Opener(u32);

impl Opener {
    /// The hand of the test itself, which may do anything.
    pub(super) const OUTSIDE: Self = Self(0);

    pub(super) fn number(self) -> u64 {
        self.0.into()
    }
}

impl std::fmt::Display for Opener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "opener {}", self.0)
    }
}

/// The file that locks are taken on. Every opener may make it and open it for writing.
const LOCK: &str = "LOCK";

/// Who has which file open for writing, and who holds a lock.
#[derive(Clone, Debug, Default)]
pub(super) struct Owners {
    openers: u32,
    next: u64,
    writers: BTreeMap<u64, Writer>,
    lives: BTreeMap<Opener, Life>,
    /// The first breach of the rule.
    broken: Option<String>,
}

/// An open file that is written to.
#[derive(Clone, Copy, Debug)]
struct Writer {
    inode: InodeNumber,
    opener: Opener,
    /// How often the file got another name since this handle wrote first.
    renamed: u32,
    /// Its own opener has taken the file's last name away.
    nameless: bool,
}

/// Whether an opener may change the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    /// It holds so many locks.
    Holding(u32),
    /// It held one, and gave it up.
    Over,
}

impl Owners {
    pub(super) fn opener(&mut self) -> Opener {
        self.openers += 1;
        Opener(self.openers)
    }

    /// A number for an open file.
    pub(super) fn handle(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// This handle writes to its file, or is going to.
    pub(super) fn writes(&mut self, handle: u64, inode: InodeNumber, opener: Opener) {
        let writer = Writer { inode, opener, renamed: 0, nameless: false };
        self.writers.entry(handle).or_insert(writer);
    }

    pub(super) fn closed(&mut self, handle: u64) {
        self.writers.remove(&handle);
    }

    pub(super) fn locked(&mut self, opener: Opener) {
        let held = match self.lives.get(&opener) {
            Some(Life::Holding(held)) => *held,
            Some(Life::Over) | None => 0,
        };
        self.lives.insert(opener, Life::Holding(held + 1));
    }

    pub(super) fn unlocked(&mut self, opener: Opener) {
        if let Some(life @ Life::Holding(_)) = self.lives.get_mut(&opener) {
            *life = match *life {
                Life::Holding(held) if held > 1 => Life::Holding(held - 1),
                _ => Life::Over,
            };
        }
    }

    /// All handles are gone: the machine starts anew.
    pub(super) fn start_over(&mut self) {
        *self = Self { openers: self.openers, next: self.next, ..Self::default() };
    }

    pub(super) fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    pub(super) fn breaks(&mut self, what: String) {
        self.broken.get_or_insert(what);
    }

    /// The writer of this file that is not of this opener, if there is one.
    fn foreign(&self, inode: InodeNumber, opener: Opener) -> Option<Opener> {
        let others = self.writers.values().filter(|writer| writer.inode == inode);
        let mut others = others.map(|writer| writer.opener);
        others.find(|other| *other != opener && *other != Opener::OUTSIDE)
    }

    /// Why this opener may change nothing at all now, where it may not.
    fn stopped(&self, opener: Opener) -> Option<String> {
        let held = |life: &Life| matches!(life, Life::Holding(_));
        let mut others = self.lives.iter().filter(|(other, life)| **other != opener && held(life));
        if let Some((other, _)) = others.find(|(other, _)| **other != Opener::OUTSIDE) {
            return Some(format!("while {other} holds the lock"));
        }
        let over = self.lives.get(&opener) == Some(&Life::Over);
        over.then(|| "after it gave its lock up".to_owned())
    }
}

impl State {
    /// A name is made, taken away or given away by this opener.
    pub(super) fn may_name(&mut self, opener: Opener, deed: &str, name: &str) {
        if opener == Opener::OUTSIDE || name == LOCK {
            return;
        }
        let inode = self.directory.names().get(name).copied();
        let foreign = inode.and_then(|inode| self.owners.foreign(inode, opener));
        let breach = match foreign {
            Some(owner) => Some(format!("which {owner} has open for writing")),
            None => self.owners.stopped(opener),
        };
        if let Some(breach) = breach {
            self.breach(&format!("{opener} {deed} {name}, {breach}"));
        }
    }

    /// A file is to get this name: no file may have it.
    pub(super) fn may_take(&mut self, opener: Opener, from: &str, to: &str) {
        let taken = self.directory.names().get(to).copied();
        let taken = taken.filter(|taken| self.directory.names().get(from) != Some(taken));
        if opener != Opener::OUTSIDE && taken.is_some() {
            self.breach(&format!("{opener} renames {from} over {to}, which is there"));
        }
    }

    /// The file was given another name.
    pub(super) fn was_renamed(&mut self, inode: InodeNumber) {
        let writers = self.owners.writers.values_mut().filter(|writer| writer.inode == inode);
        writers.for_each(|writer| writer.renamed += 1);
    }

    /// This opener took a name of the file away.
    pub(super) fn was_unlinked(&mut self, inode: InodeNumber, opener: Opener) {
        let named = self.directory.names().values().any(|other| *other == inode);
        let own = |writer: &&mut Writer| {
            writer.inode == inode && writer.opener == opener && opener != Opener::OUTSIDE
        };
        let writers = self.owners.writers.values_mut().filter(own);
        writers.for_each(|writer| writer.nameless = !named);
    }

    /// The bytes of a file are changed, or made durable, by this handle.
    pub(super) fn may_change(
        &mut self,
        handle: u64,
        opener: Opener,
        inode: InodeNumber,
        deed: Deed,
    ) {
        let name = self.inodes[&inode].name.clone();
        if opener == Opener::OUTSIDE || &*name == LOCK {
            return;
        }
        let own = self.owners.writers.get(&handle).copied();
        let nameless = own.is_some_and(|own| own.nameless);
        let breach = match deed {
            _ if nameless => Some("a file that its own opener has taken the name of".to_owned()),
            Deed::Sync => None,
            Deed::Change if own.is_some_and(|own| own.renamed > 1) => {
                Some("a file that has gone on to another use".to_owned())
            }
            Deed::Change => match self.owners.foreign(inode, opener) {
                Some(owner) => Some(format!("a file that {owner} has open for writing")),
                None => self.owners.stopped(opener),
            },
        };
        let deed = if deed == Deed::Sync { "syncs" } else { "writes to" };
        if let Some(breach) = breach {
            self.breach(&format!("{opener} {deed} {name}: {breach}"));
        }
    }
}

/// What is done to a file's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// Written, cut, extended or allocated.
    Change,
    Sync,
}
