//! [`Operation`]: a ready record for a table store.

use std::fmt;

/// One step of a table store: a row changed, or a transaction moved on.
///
/// `timestamp` is by whatever clock and in whatever unit the writer chose; nothing in the kit
/// decides by it. The order of operations is that of their LSNs, which the log keeps and the record
/// does not repeat. `transaction` names the transaction that a row's change belongs to, `None` where
/// it takes effect by itself (autocommit).
///
/// There is no insert. A replay runs again after a crash in its middle, so every operation must be
/// one that can be applied twice, and an insert that fails on a key already there cannot. An insert
/// is a [`Put`](Self::Put); whether the key may be new is decided before the record is written.
///
/// With the feature `serde` the bytes fields are serialised as bytes, not as sequences of numbers.
#[derive(Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Operation {
    /// The row of this key is `tuple` from now on, whether or not there was one: insert and upsert.
    Put {
        /// When.
        timestamp: u64,
        /// In which transaction.
        transaction: Option<u64>,
        /// The table's name, of at most [`Operation::TABLE_MAX`] bytes.
        table: String,
        /// The row's key in its table.
        #[cfg_attr(feature = "serde", serde(with = "crate::as_bytes"))]
        key: Vec<u8>,
        /// The row.
        #[cfg_attr(feature = "serde", serde(with = "crate::as_bytes"))]
        tuple: Vec<u8>,
    },
    /// The row of this key, which there was, is `tuple` from now on. Applied like a put; told apart
    /// for those who count rows, keep indexes, or pass changes on.
    Update {
        /// When.
        timestamp: u64,
        /// In which transaction.
        transaction: Option<u64>,
        /// The table's name, of at most [`Operation::TABLE_MAX`] bytes.
        table: String,
        /// The row's key in its table.
        #[cfg_attr(feature = "serde", serde(with = "crate::as_bytes"))]
        key: Vec<u8>,
        /// The row as it is now.
        #[cfg_attr(feature = "serde", serde(with = "crate::as_bytes"))]
        tuple: Vec<u8>,
    },
    /// There is no row of this key from now on.
    Delete {
        /// When.
        timestamp: u64,
        /// In which transaction.
        transaction: Option<u64>,
        /// The table's name, of at most [`Operation::TABLE_MAX`] bytes.
        table: String,
        /// The row's key in its table.
        #[cfg_attr(feature = "serde", serde(with = "crate::as_bytes"))]
        key: Vec<u8>,
    },
    /// The transaction starts.
    Begin {
        /// When.
        timestamp: u64,
        /// Which transaction.
        transaction: u64,
    },
    /// The transaction will commit if its coordinator says so: from here on it is in doubt, across
    /// crashes, until a commit or an abort (the first phase of a two-phase commit).
    Prepare {
        /// When.
        timestamp: u64,
        /// Which transaction.
        transaction: u64,
    },
    /// The transaction's changes take effect. Without this record they never do.
    Commit {
        /// When.
        timestamp: u64,
        /// Which transaction.
        transaction: u64,
    },
    /// The transaction's changes never take effect.
    Abort {
        /// When.
        timestamp: u64,
        /// Which transaction.
        transaction: u64,
    },
}

/// The short way to an operation, with timestamp 0 and no transaction until [`at`](Self::at) and
/// [`within`](Self::within) say otherwise. The bytes are copied; who can give them away names the
/// variant.
///
/// ```
/// use wal_codec::Operation;
///
/// let put = Operation::put("orders", b"4711", format!("{} EUR", 25)).at(1_700_000_000).within(9);
/// let commit = Operation::commit(9).at(1_700_000_001);
/// assert_eq!(put.transaction(), commit.transaction());
/// ```
impl Operation {
    /// The most bytes that a table's name may have.
    pub const TABLE_MAX: usize = 65_535;

    /// A row put.
    pub fn put(table: impl Into<String>, key: impl AsRef<[u8]>, tuple: impl AsRef<[u8]>) -> Self {
        let (key, tuple) = (key.as_ref().to_vec(), tuple.as_ref().to_vec());
        Self::Put { timestamp: 0, transaction: None, table: table.into(), key, tuple }
    }

    /// A row updated.
    pub fn update(
        table: impl Into<String>,
        key: impl AsRef<[u8]>,
        tuple: impl AsRef<[u8]>,
    ) -> Self {
        let (key, tuple) = (key.as_ref().to_vec(), tuple.as_ref().to_vec());
        Self::Update { timestamp: 0, transaction: None, table: table.into(), key, tuple }
    }

    /// A row deleted.
    pub fn delete(table: impl Into<String>, key: impl AsRef<[u8]>) -> Self {
        let key = key.as_ref().to_vec();
        Self::Delete { timestamp: 0, transaction: None, table: table.into(), key }
    }

    /// A transaction started.
    pub const fn begin(transaction: u64) -> Self {
        Self::Begin { timestamp: 0, transaction }
    }

    /// A transaction prepared.
    pub const fn prepare(transaction: u64) -> Self {
        Self::Prepare { timestamp: 0, transaction }
    }

    /// A transaction committed.
    pub const fn commit(transaction: u64) -> Self {
        Self::Commit { timestamp: 0, transaction }
    }

    /// A transaction aborted.
    pub const fn abort(transaction: u64) -> Self {
        Self::Abort { timestamp: 0, transaction }
    }

    /// The same at this time.
    pub fn at(mut self, time: u64) -> Self {
        match &mut self {
            Self::Put { timestamp, .. }
            | Self::Update { timestamp, .. }
            | Self::Delete { timestamp, .. }
            | Self::Begin { timestamp, .. }
            | Self::Prepare { timestamp, .. }
            | Self::Commit { timestamp, .. }
            | Self::Abort { timestamp, .. } => *timestamp = time,
        }
        self
    }

    /// The same in this transaction; of a begin, prepare, commit or abort, for this transaction.
    pub fn within(mut self, id: u64) -> Self {
        match &mut self {
            Self::Put { transaction, .. }
            | Self::Update { transaction, .. }
            | Self::Delete { transaction, .. } => *transaction = Some(id),
            Self::Begin { transaction, .. }
            | Self::Prepare { transaction, .. }
            | Self::Commit { transaction, .. }
            | Self::Abort { transaction, .. } => *transaction = id,
        }
        self
    }

    /// When it was.
    pub const fn timestamp(&self) -> u64 {
        match self {
            Self::Put { timestamp, .. }
            | Self::Update { timestamp, .. }
            | Self::Delete { timestamp, .. }
            | Self::Begin { timestamp, .. }
            | Self::Prepare { timestamp, .. }
            | Self::Commit { timestamp, .. }
            | Self::Abort { timestamp, .. } => *timestamp,
        }
    }

    /// The transaction that it belongs to or moves on; `None` of an autocommitted change.
    pub const fn transaction(&self) -> Option<u64> {
        match self {
            Self::Put { transaction, .. }
            | Self::Update { transaction, .. }
            | Self::Delete { transaction, .. } => *transaction,
            Self::Begin { transaction, .. }
            | Self::Prepare { transaction, .. }
            | Self::Commit { transaction, .. }
            | Self::Abort { transaction, .. } => Some(*transaction),
        }
    }

    /// Table and key of the row that it changes, if it changes one.
    pub fn row(&self) -> Option<(&str, &[u8])> {
        match self {
            Self::Put { table, key, .. }
            | Self::Update { table, key, .. }
            | Self::Delete { table, key, .. } => Some((table, key)),
            _ => None,
        }
    }

    /// The row as it leaves it, if it leaves one.
    pub fn tuple(&self) -> Option<&[u8]> {
        match self {
            Self::Put { tuple, .. } | Self::Update { tuple, .. } => Some(tuple),
            _ => None,
        }
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Put { .. } => "Put",
            Self::Update { .. } => "Update",
            Self::Delete { .. } => "Delete",
            Self::Begin { .. } => "Begin",
            Self::Prepare { .. } => "Prepare",
            Self::Commit { .. } => "Commit",
            Self::Abort { .. } => "Abort",
        };
        let mut debug = f.debug_struct(name);
        debug.field("timestamp", &self.timestamp());
        debug.field("transaction", &self.transaction());
        if let Some((table, key)) = self.row() {
            debug.field("table_bytes", &table.len()).field("key_bytes", &key.len());
        }
        if let Some(tuple) = self.tuple() {
            debug.field("tuple_bytes", &tuple.len());
        }
        debug.finish()
    }
}
