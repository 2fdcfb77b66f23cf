//! [`Input`]: the bytes of a record that are still to be decoded.

use std::fmt;

use wal_core::Result;

use crate::Layout;
use crate::fault::{corrupt, newer};

/// The bytes of a record that are still to be decoded, and the parts a
/// [`Layout`] is decoded with.
///
/// Every method fails with [`Corrupt`](wal_core::ErrorKind::Corrupt) where the next bytes are not
/// what it asks for, and reserves no memory before it has seen that the input can hold what a
/// length claims.
#[derive(Clone)]
pub struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    /// All of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// How many bytes are left.
    pub const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The next value of a type that has a layout.
    #[inline]
    pub fn field<T: Layout>(&mut self) -> Result<T> {
        T::decode(self)
    }

    /// The leading byte of a versioned layout, from 1 to `newest`.
    ///
    /// A higher one is [`Unsupported`](wal_core::ErrorKind::Unsupported): a newer build wrote it,
    /// and nothing is damaged.
    #[inline]
    pub fn version(&mut self, newest: u8) -> Result<u8> {
        match self.byte()? {
            0 => Err(corrupt("record layout has version 0, which none has")),
            version if version > newest => Err(newer(version, newest)),
            version => Ok(version),
        }
    }

    /// The next byte.
    #[inline]
    pub fn byte(&mut self) -> Result<u8> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    /// The next `N` bytes; with `from_le_bytes`, an integer of fixed width.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let Some((array, rest)) = self.rest.split_first_chunk() else {
            return Err(self.short(N as u64));
        };
        self.rest = rest;
        Ok(*array)
    }

    /// A number in LEB128, as [`put_varint`](crate::put_varint) appends it: a longer form than
    /// needed, or more than 64 bits, is an error.
    #[inline]
    pub fn varint(&mut self) -> Result<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(corrupt("a number has more than 64 bits"));
            }
            number |= bits << shift;
            if byte < 0x80 {
                return if byte == 0 && shift > 0 {
                    Err(corrupt("a number is not in its shortest form"))
                } else {
                    Ok(number)
                };
            }
        }
        Err(corrupt("a number has more than 64 bits"))
    }

    /// A length in LEB128 and as many bytes, as [`put_bytes`](crate::put_bytes) appends them;
    /// borrowed, so that a layout that keeps only a part copies only that.
    #[inline]
    pub fn bytes(&mut self) -> Result<&'a [u8]> {
        let len = self.length()?;
        let Some((bytes, rest)) = self.rest.split_at_checked(len) else {
            return Err(self.short(len as u64));
        };
        self.rest = rest;
        Ok(bytes)
    }

    /// A number of values and the values, as [`put_list`](crate::put_list) appends them.
    ///
    /// The memory reserved ahead is that of the bytes left; a list whose values are larger in
    /// memory than in bytes grows to that size only as its values are read.
    pub fn list<T: Layout>(&mut self) -> Result<Vec<T>> {
        let len = self.length()?;
        let fit = self.remaining() / size_of::<T>().max(1);
        let mut list = Vec::with_capacity(len.min(fit));
        for _ in 0..len {
            let before = self.remaining();
            list.push(self.field()?);
            if self.remaining() == before {
                return Err(corrupt("a list has an item that takes no bytes"));
            }
        }
        Ok(list)
    }

    /// Ends the record: bytes left over are an error.
    #[inline]
    pub fn end(self) -> Result<()> {
        match self.remaining() {
            0 => Ok(()),
            left => Err(corrupt(format!("{left} bytes are left over behind a record"))),
        }
    }

    #[inline]
    fn length(&mut self) -> Result<usize> {
        let len = self.varint()?;
        usize::try_from(len).map_err(|_| corrupt("a length is longer than the address space"))
    }

    #[cold]
    fn short(&self, needed: u64) -> wal_core::Error {
        let left = self.remaining();
        corrupt(format!("a field needs {needed} bytes and the record has {left} left"))
    }
}

impl fmt::Debug for Input<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input").field("remaining", &self.remaining()).finish()
    }
}
