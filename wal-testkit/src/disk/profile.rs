//! [`Profile`]: which disk and file system is simulated.

/// What a disk and its file system may do at a power cut.
///
/// Starts from [`STRICT`](Self::STRICT), which allows all that POSIX allows, or from
/// [`JOURNALED`](Self::JOURNALED).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Profile {
    /// The unit that comes back whole.
    pub atom: Atom,
    /// In which order changes of the directory become durable.
    pub order: DirectoryOrder,
    /// What the sync of a file does for its directory entry.
    pub entry: EntrySync,
    /// What a file reads as where its size became durable and its bytes did not.
    pub tail: Tail,
    /// What may become of an atom that was being written.
    pub damage: Damage,
    /// When a full disk says so.
    pub space: Space,
}

impl Profile {
    /// All that POSIX allows, on sectors of 512 bytes that may come back as garbage where they were
    /// being written.
    pub const STRICT: Self = Self {
        atom: Atom::Sector,
        order: DirectoryOrder::Subset,
        entry: EntrySync::Apart,
        tail: Tail::Zeros,
        damage: Damage::Written,
        space: Space::AtWrite,
    };

    /// As ext4 does it with ordered data: changes of the directory become durable in their order,
    /// and the sync of a new file takes its entry along.
    pub const JOURNALED: Self = Self {
        atom: Atom::Page,
        order: DirectoryOrder::Prefix,
        entry: EntrySync::WithFile,
        tail: Tail::Zeros,
        damage: Damage::None,
        space: Space::AtWrite,
    };

    /// With atoms of this size.
    pub const fn atom(mut self, atom: Atom) -> Self {
        self.atom = atom;
        self
    }

    /// With this order of directory changes.
    pub const fn order(mut self, order: DirectoryOrder) -> Self {
        self.order = order;
        self
    }

    /// With this bond between a file and its entry.
    pub const fn entry(mut self, entry: EntrySync) -> Self {
        self.entry = entry;
        self
    }

    /// With this behind the bytes that survived.
    pub const fn tail(mut self, tail: Tail) -> Self {
        self.tail = tail;
        self
    }

    /// With space given out like this.
    pub const fn space(mut self, space: Space) -> Self {
        self.space = space;
        self
    }

    /// With this damage to what was being written.
    pub const fn damage(mut self, damage: Damage) -> Self {
        self.damage = damage;
        self
    }
}

impl Default for Profile {
    fn default() -> Self {
        Self::STRICT
    }
}

/// The unit of data that comes back whole: all new, all old, or all of some state in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Atom {
    /// 1 byte: a write may tear anywhere.
    Byte,
    /// 512 bytes.
    Sector,
    /// 4096 bytes.
    Page,
}

impl Atom {
    /// The size in bytes.
    pub const fn bytes(self) -> u64 {
        match self {
            Self::Byte => 1,
            Self::Sector => 512,
            Self::Page => 4096,
        }
    }
}

/// Which unsynced changes of the directory survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirectoryOrder {
    /// The first ones, up to some point: a journal.
    Prefix,
    /// Any of them.
    Subset,
}

/// What the sync of a file does for its directory entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntrySync {
    /// Nothing; only a sync of the directory does.
    Apart,
    /// The entry, and every change of the directory before it, becomes durable too.
    WithFile,
}

/// What a file reads as where its size became durable and its bytes did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// Zeros.
    Zeros,
    /// What the blocks held before they were given to this file. Space that was allocated reads as
    /// zeros all the same.
    Stale,
}

/// When a full disk says so. What is allocated ahead is refused at once either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// At the write.
    AtWrite,
    /// At the sync: space is given out when the bytes go to the disk, as by file systems with
    /// delayed allocation and by thin volumes. The sync that fails has made nothing durable, and
    /// what it was to make durable still waits.
    AtSync,
}

/// What may become of an atom that was being written, besides new and old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Nothing.
    None,
    /// Garbage in place of the bytes being written; the bytes around them in the same atom are
    /// safe. `SQLite` calls this *powersafe overwrite*.
    Written,
    /// Garbage in place of the whole atom. Only what is written in whole atoms is safe then: a
    /// store whose alignment is smaller keeps no promise on such a disk.
    Atom,
}
