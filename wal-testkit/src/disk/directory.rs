//! [`Directory`]: the names, as the processes see them and as the platter holds them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::choice::Fates;
use super::profile::DirectoryOrder;

pub(super) type InodeNumber = u64;
pub(super) type Names = BTreeMap<Arc<str>, InodeNumber>;

/// The one directory of a disk: which name means which file.
#[derive(Clone, Debug, Default)]
pub(super) struct Directory {
    cache: Names,
    platter: Names,
    /// In the order of issue.
    pending: Vec<Pending>,
}

#[derive(Clone, Debug)]
struct Pending {
    operation: u64,
    change: Change,
}

#[derive(Clone, Debug)]
pub(super) enum Change {
    Link {
        name: Arc<str>,
        inode: InodeNumber,
    },
    Unlink {
        name: Arc<str>,
    },
    /// At once: one of the two names is there, never both, never neither.
    Rename {
        from: Arc<str>,
        to: Arc<str>,
        inode: InodeNumber,
    },
}

impl Directory {
    /// A directory that is durable with these names.
    pub(super) fn new(names: Names) -> Self {
        Self { cache: names.clone(), platter: names, pending: Vec::new() }
    }

    pub(super) fn names(&self) -> &Names {
        &self.cache
    }

    pub(super) fn change(&mut self, operation: u64, change: Change) {
        apply(&mut self.cache, &change);
        self.pending.push(Pending { operation, change });
    }

    pub(super) fn sync(&mut self) {
        self.sync_first(self.pending.len());
    }

    /// Makes the entry of this file durable, and with it every change before.
    pub(super) fn sync_entry(&mut self, inode: InodeNumber) {
        let of_inode = |pending: &Pending| match pending.change {
            Change::Link { inode: other, .. } | Change::Rename { inode: other, .. } => {
                other == inode
            }
            Change::Unlink { .. } => false,
        };
        let last = self.pending.iter().rposition(of_inode);
        self.sync_first(last.map_or(0, |last| last + 1));
    }

    /// The name means this file now, and ever has.
    pub(super) fn redirect(&mut self, name: &Arc<str>, inode: InodeNumber) {
        self.cache.insert(Arc::clone(name), inode);
        self.platter.insert(Arc::clone(name), inode);
    }

    /// The name is gone, and ever has been.
    pub(super) fn forget(&mut self, name: &str) {
        self.cache.remove(name);
        self.platter.remove(name);
    }

    pub(super) fn forget_pending(&mut self) {
        self.pending.clear();
    }

    /// The numbers of the operations that a power cut may lose.
    pub(super) fn pending(&self) -> impl Iterator<Item = u64> {
        self.pending.iter().map(|pending| pending.operation)
    }

    /// The names that a power cut leaves.
    pub(super) fn after_cut(&self, fates: &mut Fates<'_>) -> Names {
        let operations: Vec<_> = self.pending().collect();
        let prefix = match fates.profile().order {
            DirectoryOrder::Prefix => Some(fates.prefix(&operations)),
            DirectoryOrder::Subset => None,
        };
        let mut names = self.platter.clone();
        for (index, pending) in self.pending.iter().enumerate() {
            if prefix.map_or_else(|| fates.survives(pending.operation), |prefix| index < prefix) {
                apply(&mut names, &pending.change);
            }
        }
        names
    }

    fn sync_first(&mut self, count: usize) {
        for pending in self.pending.drain(..count) {
            apply(&mut self.platter, &pending.change);
        }
    }
}

fn apply(names: &mut Names, change: &Change) {
    match change {
        Change::Link { name, inode } => {
            names.insert(Arc::clone(name), *inode);
        }
        Change::Unlink { name } => {
            names.remove(name);
        }
        Change::Rename { from, to, inode } => {
            if names.get(from) == Some(inode) {
                names.remove(from);
            }
            names.insert(Arc::clone(to), *inode);
        }
    }
}
