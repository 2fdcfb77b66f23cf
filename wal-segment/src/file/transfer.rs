//! Moving all the bytes, in however many calls it takes.

use std::io;

use super::OpenFile;

/// Writes all of `bytes`. On an error any part of them may be written.
pub(super) fn write_all(file: &dyn OpenFile, mut offset: u64, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match uninterrupted(|| file.write_at(offset, bytes))? {
            0 => {
                let what = format!("cannot write to {file:?}: the system takes no byte");
                return Err(io::Error::new(io::ErrorKind::WriteZero, what));
            }
            written => {
                offset += written as u64;
                bytes = &bytes[written..];
            }
        }
    }
    Ok(())
}

/// Fills as much of `buffer` as the file has bytes from `offset` on.
pub(super) fn read_full(file: &dyn OpenFile, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        let Some(at) = offset.checked_add(filled as u64) else { break };
        match uninterrupted(|| file.read_at(at, &mut buffer[filled..]))? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

/// Writes `len` bytes of zeros, and has each piece of them synced: so nobody's sync meanwhile has to
/// wait for all of them.
pub(super) fn write_zeros(
    file: &dyn OpenFile,
    mut offset: u64,
    mut len: u64,
    sync: impl Fn() -> io::Result<()>,
) -> io::Result<()> {
    const AT_ONCE: usize = 1 << 20;
    let zeros = vec![0; AT_ONCE];
    while len > 0 {
        let piece = usize::try_from(len).map_or(AT_ONCE, |len| len.min(AT_ONCE));
        write_all(file, offset, &zeros[..piece])?;
        sync()?;
        offset += piece as u64;
        len -= piece as u64;
    }
    Ok(())
}

/// Repeats a call that a signal broke off before it did anything. Never for a sync.
pub(super) fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}
