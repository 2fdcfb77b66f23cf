//! [`Records`]: the body of a records frame, one length-prefixed record after the other.

use std::ops::Range;

/// The most bytes of a record's length prefix.
pub const MAX_PREFIX_LEN: usize = 5;

/// Bytes of the length prefix of a record of `len` bytes: LEB128, the shortest form only.
pub const fn prefix_len(len: usize) -> usize {
    match len {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        0x20_0000..0x1000_0000 => 4,
        _ => 5,
    }
}

/// Appends `record` to the body of a records frame. The record is shorter than 4 GiB.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "cut to the seven bits that are meant")]
pub fn push_record(body: &mut Vec<u8>, record: &[u8]) {
    let mut rest = record.len();
    debug_assert!(u32::try_from(rest).is_ok(), "a record is shorter than 4 GiB");
    while rest >= 0x80 {
        body.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    body.push(rest as u8);
    body.extend_from_slice(record);
}

/// Where each record of a body lies in it.
///
/// Yields `None` in place of a range, once and as the last item, where the body is not exactly as
/// many records as its header counts: with a checksum that matched, a defect of the writer.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    body: &'a [u8],
    walk: RecordWalk,
}

impl<'a> Records<'a> {
    /// The `count` records of `body`.
    pub fn new(body: &'a [u8], count: u32) -> Self {
        Self { body, walk: RecordWalk::new(count) }
    }
}

impl Iterator for Records<'_> {
    type Item = Option<Range<usize>>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.walk.next(self.body)
    }
}

/// [`Records`] for who owns the body elsewhere.
#[derive(Clone, Debug)]
pub struct RecordWalk {
    at: usize,
    left: u32,
    broken: bool,
}

impl RecordWalk {
    /// A walk over `count` records.
    pub fn new(count: u32) -> Self {
        Self { at: 0, left: count, broken: false }
    }

    /// The next record of `body`, which is the same at every call; as [`Records`] yields it.
    #[inline]
    pub fn next(&mut self, body: &[u8]) -> Option<Option<Range<usize>>> {
        if self.broken {
            return None;
        }
        if self.left == 0 {
            if self.at == body.len() {
                return None;
            }
            self.broken = true;
            return Some(None);
        }
        self.left -= 1;
        let record = self.record(body);
        self.broken = record.is_none();
        Some(record)
    }

    #[inline]
    fn record(&mut self, body: &[u8]) -> Option<Range<usize>> {
        let len = self.prefix(body)?;
        let start = self.at;
        let end = start.checked_add(len)?;
        if end > body.len() {
            return None;
        }
        self.at = end;
        Some(start..end)
    }

    #[inline]
    fn prefix(&mut self, body: &[u8]) -> Option<usize> {
        let first = *body.get(self.at)?;
        self.at += 1;
        if first < 0x80 {
            return Some(usize::from(first));
        }
        let mut len = u64::from(first & 0x7f);
        for shift in [7, 14, 21, 28] {
            let byte = *body.get(self.at)?;
            self.at += 1;
            len |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                // The last byte of the shortest form is not zero, and a length has 32 bits.
                let shortest = byte != 0;
                return u32::try_from(len).ok().filter(|_| shortest).map(|len| len as usize);
            }
        }
        None
    }
}
