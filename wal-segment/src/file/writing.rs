//! [`Writing`]: how appended bytes go to their file.

use std::fmt;
use std::io;

use wal_core::Guarantees;

use super::transfer::write_all;
use super::{Access, DIRECT_ALIGNMENT, OpenFile};

/// How appended bytes go to their file, and what is left for a sync to do.
///
/// | way | an append | a sync | appends come in |
/// |---|---|---|---|
/// | `Buffered` | copies into the page cache | `fdatasync` | any length |
/// | `Synced` | is durable when it returns | nothing | any length |
/// | `Direct` | is durable when it returns, past the page cache | nothing | 4096 bytes |
///
/// Under `Direct` each flush is padded to 4096 bytes, and so no byte that was acknowledged is ever
/// written again, not even with its neighbours. Its bytes are not in the page cache: the first to
/// read them reads them from the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Writing {
    /// Through the page cache, and `fdatasync`.
    #[default]
    Buffered,
    /// `O_DSYNC`.
    Synced,
    /// `O_DIRECT | O_DSYNC`. Where the file system does not know it, making a segment fails with
    /// [`io::ErrorKind::Unsupported`].
    Direct,
}

impl Writing {
    /// What a file is opened for that is written in this way.
    pub(super) fn access(self) -> Access {
        match self {
            Self::Buffered => Access::Write,
            Self::Synced => Access::WriteSynced,
            Self::Direct => Access::WriteDirect,
        }
    }

    /// The guarantees of a store that writes in this way.
    pub(super) fn guarantee(self, guarantees: Guarantees) -> Guarantees {
        match self {
            Self::Buffered | Self::Synced => guarantees,
            Self::Direct => guarantees.alignment(DIRECT_BLOCK),
        }
    }

    /// Whether bytes are durable when their append has returned.
    pub(super) fn syncs_itself(self) -> bool {
        self != Self::Buffered
    }

    /// Writes all of `bytes`, by way of `block` where the memory has to be aligned.
    pub(super) fn write(
        self,
        file: &dyn OpenFile,
        offset: u64,
        bytes: &[u8],
        block: &mut Block,
    ) -> io::Result<()> {
        match self {
            Self::Buffered | Self::Synced => write_all(file, offset, bytes),
            Self::Direct => block.write(file, offset, bytes),
        }
    }
}

const DIRECT_BLOCK: u32 = 4096;
const _: () = assert!(DIRECT_BLOCK as usize == DIRECT_ALIGNMENT);

/// Memory that begins at a multiple of [`DIRECT_ALIGNMENT`], and takes none before it is used.
#[derive(Default)]
pub(super) struct Block {
    memory: Vec<u8>,
}

impl Block {
    /// Bytes that go in one write.
    const LEN: usize = 1 << 20;

    /// The aligned bytes.
    pub(super) fn bytes(&mut self) -> &mut [u8] {
        self.of(Self::LEN)
    }

    /// So many aligned bytes, whatever they hold.
    pub(super) fn of(&mut self, len: usize) -> &mut [u8] {
        if self.memory.len() < len + DIRECT_ALIGNMENT {
            self.memory = vec![0; len + DIRECT_ALIGNMENT];
        }
        let start = self.memory.as_ptr().align_offset(DIRECT_ALIGNMENT);
        // A byte pointer can always be aligned, and in less than the alignment.
        &mut self.memory[start.min(DIRECT_ALIGNMENT)..][..len]
    }

    fn write(&mut self, file: &dyn OpenFile, mut offset: u64, mut bytes: &[u8]) -> io::Result<()> {
        if !bytes.len().is_multiple_of(DIRECT_ALIGNMENT) {
            let what = format!("{} bytes are no multiple of {DIRECT_ALIGNMENT}", bytes.len());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        while !bytes.is_empty() {
            let (piece, rest) = bytes.split_at(bytes.len().min(Self::LEN));
            let block = &mut self.bytes()[..piece.len()];
            block.copy_from_slice(piece);
            write_aligned(file, offset, block)?;
            offset += piece.len() as u64;
            bytes = rest;
        }
        Ok(())
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Block").field("bytes", &self.memory.len()).finish()
    }
}

/// As [`write_all`]; of a short write only whole blocks count.
fn write_aligned(file: &dyn OpenFile, mut offset: u64, mut bytes: &[u8]) -> io::Result<()> {
    // A system that goes on taking less than a block has no room for one.
    let mut patience = 16;
    while !bytes.is_empty() {
        let written = match file.write_at(offset, bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            written => written? / DIRECT_ALIGNMENT * DIRECT_ALIGNMENT,
        };
        if written == 0 {
            patience -= 1;
            if patience == 0 {
                let what = format!("the system takes less than a block of {file:?}");
                return Err(io::Error::new(io::ErrorKind::StorageFull, what));
            }
        }
        offset += written as u64;
        bytes = &bytes[written..];
    }
    Ok(())
}
