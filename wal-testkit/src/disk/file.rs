//! [`SimFile`] and [`SimLock`]: what is open on a simulated disk.

use std::fmt;
use std::io;
use std::sync::Arc;

use super::directory::InodeNumber;
use super::fault::{Call, Fault};
use super::inode::Change;
use super::owners::Deed;
use super::profile::{EntrySync, Space};
use super::{Event, SimDisk, State};

/// An open file of a [`SimDisk`]. A clone is another handle of the same file.
#[derive(Clone)]
pub struct SimFile {
    disk: SimDisk,
    inode: InodeNumber,
    handle: Arc<Handle>,
}

/// What the clones of a [`SimFile`] share.
struct Handle {
    disk: SimDisk,
    number: u64,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.disk.state().owners.closed(self.number);
    }
}

impl SimFile {
    pub(super) fn new(disk: SimDisk, inode: InodeNumber) -> Self {
        let number = disk.state().owners.handle();
        Self { handle: Arc::new(Handle { disk: disk.clone(), number }), disk, inode }
    }

    /// Writes as many of these bytes as it can there, and says how many: short, as `pwrite` is,
    /// where a fault or the space wants it so. What lies between the old end and `offset` reads as
    /// zeros.
    pub fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        let range = offset..offset.saturating_add(bytes.len() as u64);
        self.operate(Call::Write, Some(range), |state, operation, fault| {
            self.changes(state);
            let bytes = match fault {
                Some(Fault::Short(most) | Fault::Partial(most)) => &bytes[..most.min(bytes.len())],
                _ => bytes,
            };
            let left = match state.profile.space {
                Space::AtWrite => state.left(),
                Space::AtSync => u64::MAX,
            };
            let end = state.inode(self.inode).space().saturating_add(left);
            let room = usize::try_from(end.saturating_sub(offset)).unwrap_or(usize::MAX);
            if room == 0 && !bytes.is_empty() {
                return Err(no_space());
            }
            let bytes = &bytes[..room.min(bytes.len())];
            if !bytes.is_empty() && fault != Some(Fault::Ignored) {
                let offset = match fault {
                    Some(Fault::Misdirected(by)) => offset.saturating_add(by),
                    _ => offset,
                };
                let mut bytes: Arc<[u8]> = bytes.into();
                if let Some(fault @ Fault::WrongBit(_)) = fault {
                    fault.garble(Arc::make_mut(&mut bytes));
                }
                state.inode(self.inode).change(operation, Change::Write { offset, bytes });
            }
            state.counts.bytes += bytes.len() as u64;
            Ok(bytes.len())
        })
    }

    /// Writes all of these bytes there, however often it takes.
    pub fn write_all_at(&self, mut offset: u64, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.write_at(offset, bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    offset += count as u64;
                    bytes = &bytes[count..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Fills as much of `buffer` as there is from `offset` on, and says how much that was: less,
    /// as `pread` may, where a fault wants it so.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.disk.state();
        state.powered()?;
        let name = state.inode(self.inode).name.clone();
        let fault = state.strike(Call::Read, &name);
        let wanted = match fault {
            Some(Fault::Short(most)) => most.min(buffer.len()),
            _ => buffer.len(),
        };
        let buffer = &mut buffer[..wanted];
        let mut result = match fault.and_then(|fault| fault.refusal(Call::Read)) {
            Some(refusal) => Err(refusal),
            None => state.inode(self.inode).read_sound(offset, buffer),
        };
        state.counts.bytes_read += result.as_ref().map_or(0, |count| *count as u64);
        if let Some(fault) = fault {
            if let Ok(count) = result {
                fault.garble(&mut buffer[..count]);
            }
            if let Some(verdict) = fault.verdict(Call::Read) {
                result = Err(verdict);
            }
            state.trace.push(Event::Mishap(format!("read of {name} at {offset}: {fault:?}")));
        }
        state.counts.failed_reads += u64::from(result.is_err());
        result
    }

    /// Fills as much of `buffer` as there is from `offset` on, however often it takes.
    pub fn read_all_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.read_at(offset + filled as u64, &mut buffer[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    /// The size in bytes.
    pub fn size(&self) -> io::Result<u64> {
        let mut state = self.disk.state();
        state.powered()?;
        Ok(state.inode(self.inode).size())
    }

    /// Which file of its disk it is: a file keeps its number, also over power cuts, whatever it is
    /// called, and no other gets it.
    pub fn number(&self) -> u64 {
        self.inode
    }

    /// How many names lead to it.
    pub fn links(&self) -> io::Result<u64> {
        let state = self.disk.state();
        state.powered()?;
        let names = state.directory.names().values();
        Ok(names.filter(|inode| **inode == self.inode).count() as u64)
    }

    /// Cuts the file to this size, or extends it by zeros that take no space yet.
    pub fn set_len(&self, size: u64) -> io::Result<()> {
        self.operate(Call::SetLen, Some(0..size), |state, operation, _| {
            self.changes(state);
            state.inode(self.inode).change(operation, Change::Length(size));
            Ok(())
        })
    }

    /// Takes the space for these bytes, as `fallocate` does: what was not there reads as zeros,
    /// what was there stays. Takes none where there is not enough for all.
    pub fn allocate(&self, offset: u64, length: u64) -> io::Result<()> {
        let end = offset.saturating_add(length);
        self.operate(Call::Allocate, Some(offset..end), |state, operation, _| {
            self.changes(state);
            let change = Change::Reserve(end);
            let left = state.left();
            let inode = state.inode(self.inode);
            if inode.space_after(&change) - inode.space() > left {
                return Err(no_space());
            }
            inode.change(operation, change);
            Ok(())
        })
    }

    /// Makes every change of this file issued before the call durable, its size included; its name
    /// only where the [profile](super::Profile) says so.
    pub fn sync_data(&self) -> io::Result<()> {
        self.operate(Call::Sync, None, |state, _, fault| {
            state.may_change(self.handle.number, self.disk.opener, self.inode, Deed::Sync);
            match fault {
                Some(Fault::Dropped) => {
                    state.inode(self.inode).forget_pending();
                    return Ok(());
                }
                Some(Fault::Ignored) => return Ok(()),
                _ => {}
            }
            if state.profile.space == Space::AtSync && state.overfull() {
                return Err(no_space());
            }
            state.inode(self.inode).sync();
            if state.profile.entry == EntrySync::WithFile {
                state.directory.sync_entry(self.inode);
            }
            Ok(())
        })
    }

    /// There are changes that no sync has covered.
    pub(crate) fn is_dirty(&self) -> bool {
        self.disk.state().inode(self.inode).pending().next().is_some()
    }

    /// The handle is one that writes, from here on.
    pub(crate) fn writes(&self) {
        let mut state = self.disk.state();
        state.owners.writes(self.handle.number, self.inode, self.disk.opener);
    }

    fn changes(&self, state: &mut State) {
        let (number, opener) = (self.handle.number, self.disk.opener);
        state.owners.writes(number, self.inode, opener);
        state.may_change(number, opener, self.inode, Deed::Change);
    }

    fn operate<T>(
        &self,
        call: Call,
        bytes: Option<std::ops::Range<u64>>,
        effect: impl FnOnce(&mut State, u64, Option<Fault>) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut state = self.disk.state();
        let name = state.inode(self.inode).name.clone();
        state.operate(call, &name, bytes, effect)
    }
}

impl fmt::Debug for SimFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.disk.state().inode(self.inode).fmt(f)
    }
}

/// A lock on a [`SimDisk`]; dropping it gives the lock free.
#[derive(Debug)]
pub struct SimLock {
    disk: SimDisk,
    name: String,
}

impl SimLock {
    pub(super) fn new(disk: SimDisk, name: &str) -> Self {
        Self { disk, name: name.to_owned() }
    }
}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        state.locks.remove(&self.name);
        state.owners.unlocked(self.disk.opener);
    }
}

fn no_space() -> io::Error {
    io::Error::new(io::ErrorKind::StorageFull, "the simulated disk is full")
}
