//! The bytes of an [`Operation`].
//!
//! ```text
//! ┌──────┬───────────┬─────────────┬───────┬───────┬───────┐
//! │ lead │ timestamp │ transaction │ table │ key   │ tuple │
//! │ 1 B  │ 8 B       │ 1..10 B     │ 1 B.. │ 1 B.. │ 1 B.. │
//! └──────┴───────────┴─────────────┴───────┴───────┴───────┘
//! ```
//!
//! - lead: bits 7..4 the version, 1; bit 3 set where a transaction follows; bits 2..0 the kind.
//! - timestamp: little endian. Of fixed width, since the times of this century in nanoseconds take
//!   nine bytes in LEB128.
//! - transaction: LEB128; absent from an autocommitted change.
//! - table, key, tuple: length in LEB128, then the bytes. Put and update have all three, delete the
//!   first two, the rest none.
//!
//! Version 1 has no kind left to give; 0 is none, in any version. A kind to come is of version 2, and
//! only its records say so: an older reader then finds those unsupported, and reads all others as
//! before.

use wal_core::Result;

use crate::fault::{corrupt, newer, too_long};
use crate::{Input, Layout, Operation, put_bytes, put_varint};

const VERSION: u8 = 1;
const IN_TRANSACTION: u8 = 0b1000;

const PUT: u8 = 1;
const UPDATE: u8 = 2;
const DELETE: u8 = 3;
const BEGIN: u8 = 4;
const PREPARE: u8 = 5;
const COMMIT: u8 = 6;
const ABORT: u8 = 7;

impl Layout for Operation {
    fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        let transaction = self.transaction();
        let flag = if transaction.is_some() { IN_TRANSACTION } else { 0 };
        out.push((VERSION << 4) | flag | kind(self));
        out.extend_from_slice(&self.timestamp().to_le_bytes());
        if let Some(transaction) = transaction {
            put_varint(out, transaction);
        }
        if let Some((table, key)) = self.row() {
            if table.len() > Self::TABLE_MAX {
                return Err(too_long("a table name", table.len(), Self::TABLE_MAX as u64));
            }
            put_bytes(out, table.as_bytes())?;
            put_bytes(out, key)?;
        }
        self.tuple().map_or(Ok(()), |tuple| put_bytes(out, tuple))
    }

    fn decode(input: &mut Input<'_>) -> Result<Self> {
        let lead = input.byte()?;
        match lead >> 4 {
            VERSION => {}
            0 => return Err(corrupt("an operation has version 0, which none has")),
            version => return Err(newer(version, VERSION)),
        }
        let timestamp = u64::from_le_bytes(input.array()?);
        let transaction = if lead & IN_TRANSACTION == 0 { None } else { Some(input.varint()?) };
        Ok(match (lead & 0b111, transaction) {
            (PUT, transaction) => Self::Put {
                timestamp,
                transaction,
                table: table(input)?,
                key: input.field()?,
                tuple: input.field()?,
            },
            (UPDATE, transaction) => Self::Update {
                timestamp,
                transaction,
                table: table(input)?,
                key: input.field()?,
                tuple: input.field()?,
            },
            (DELETE, transaction) => {
                Self::Delete { timestamp, transaction, table: table(input)?, key: input.field()? }
            }
            (BEGIN, Some(transaction)) => Self::Begin { timestamp, transaction },
            (PREPARE, Some(transaction)) => Self::Prepare { timestamp, transaction },
            (COMMIT, Some(transaction)) => Self::Commit { timestamp, transaction },
            (ABORT, Some(transaction)) => Self::Abort { timestamp, transaction },
            _ => return Err(corrupt(format!("no operation begins with byte {lead:#04x}"))),
        })
    }
}

fn kind(operation: &Operation) -> u8 {
    match operation {
        Operation::Put { .. } => PUT,
        Operation::Update { .. } => UPDATE,
        Operation::Delete { .. } => DELETE,
        Operation::Begin { .. } => BEGIN,
        Operation::Prepare { .. } => PREPARE,
        Operation::Commit { .. } => COMMIT,
        Operation::Abort { .. } => ABORT,
    }
}

fn table(input: &mut Input<'_>) -> Result<String> {
    let table: String = input.field()?;
    if table.len() > Operation::TABLE_MAX {
        return Err(corrupt("a table name is longer than any written"));
    }
    Ok(table)
}
