//! The parts a [`Layout`] is encoded with.

use wal_core::{Error, ErrorKind, Result};

use crate::Layout;
use crate::fault::too_long;

/// Appends `number` in LEB128: seven bits a byte, low bits first, the top bit set on all bytes but
/// the last. One byte below 128, ten at most, never a byte more than needed.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "cut to the seven bits that are meant")]
pub fn put_varint(out: &mut Vec<u8>, number: u64) {
    let mut rest = number;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Appends the length of `bytes` in LEB128, then the bytes. 4 GiB and more are refused with
/// [`ErrorKind::Invalid`]: no record is that long.
#[inline]
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) -> Result<()> {
    put_varint(out, u64::from(length(bytes.len())?));
    out.extend_from_slice(bytes);
    Ok(())
}

/// Appends the number of `items` in LEB128, then each of them.
///
/// An item without bytes is refused with [`ErrorKind::Invalid`]: a list of those could claim any
/// length, and [`Input::list`](crate::Input::list) takes no claim that its input cannot hold.
pub fn put_list<T: Layout>(out: &mut Vec<u8>, items: &[T]) -> Result<()> {
    put_varint(out, u64::from(length(items.len())?));
    for item in items {
        let before = out.len();
        item.encode(out)?;
        if out.len() == before {
            return Err(Error::new(ErrorKind::Invalid, "a list of items that take no bytes"));
        }
    }
    Ok(())
}

#[inline]
fn length(len: usize) -> Result<u32> {
    u32::try_from(len).map_err(|_| too_long("a field", len, u64::from(u32::MAX)))
}

#[cfg(test)]
mod tests {
    use wal_core::ErrorKind;

    use super::length;

    /// A length is the one thing that could be cut down on the way into its prefix. Asked by
    /// number, since a test that allocates 4 GiB would be run by nobody.
    #[test]
    #[cfg(target_pointer_width = "64")]
    fn a_length_that_does_not_fit_is_refused() {
        assert_eq!(length(0xffff_ffff).unwrap(), u32::MAX);
        for len in [0x1_0000_0000, 0x1_0000_0001, usize::MAX] {
            assert_eq!(length(len).unwrap_err().kind(), ErrorKind::Invalid, "{len}");
        }
    }
}
