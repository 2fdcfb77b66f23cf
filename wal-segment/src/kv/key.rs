//! [`KeyShape`] and the keys of a log.

use std::io;
use std::ops::Range;

use wal_core::SegmentId;

/// How numbers are written in keys. Both shapes sort as the numbers do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyShape {
    /// Text, 20 decimal digits a number, for people who look into the store:
    /// `orders:segment:00000000000000000007` and
    /// `orders:bytes:00000000000000000007:00000000000000004096`.
    Digits20,
    /// 8 bytes a number, big-endian: the name, `:`, the byte 1 and the segment; the name, `:`, the
    /// byte 2, the segment and the offset. Shorter and quicker to make.
    BigEndian,
}

const DIGITS: usize = 20;
const SEGMENT_TAG: u8 = 1;
const BYTES_TAG: u8 = 2;
const ANCHOR_TAG: u8 = 3;
/// The separator, and the byte behind it in the order.
const COLON: u8 = b':';
const BEHIND_COLON: u8 = b';';

/// The keys of one log. No key of a log is a key of one with another name.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    name: String,
    shape: KeyShape,
}

impl Keys {
    /// Fails with [`io::ErrorKind::InvalidInput`] where the name is none.
    pub(super) fn new(name: &str, shape: KeyShape) -> io::Result<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
        if name.is_empty() || !name.bytes().all(plain) {
            let what = format!("no name for a log in a key-value store: {name:?}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        Ok(Self { name: name.to_owned(), shape })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The key of the marker that says how long a segment is.
    pub(super) fn segment(&self, id: SegmentId) -> Vec<u8> {
        match self.shape {
            KeyShape::Digits20 => format!("{}:segment:{:020}", self.name, id.get()).into_bytes(),
            KeyShape::BigEndian => self.binary(SEGMENT_TAG, &[id.get()]),
        }
    }

    /// The key of the anchor.
    pub(super) fn anchor(&self) -> Vec<u8> {
        match self.shape {
            KeyShape::Digits20 => format!("{}:anchor", self.name).into_bytes(),
            KeyShape::BigEndian => self.binary(ANCHOR_TAG, &[]),
        }
    }

    /// The key of the piece of a segment that begins at this offset.
    pub(super) fn piece(&self, id: SegmentId, offset: u64) -> Vec<u8> {
        match self.shape {
            KeyShape::Digits20 => {
                format!("{}:bytes:{:020}:{offset:020}", self.name, id.get()).into_bytes()
            }
            KeyShape::BigEndian => self.binary(BYTES_TAG, &[id.get(), offset]),
        }
    }

    /// The segment whose marker has this key; `None` for a key of another kind.
    pub(super) fn segment_of(&self, key: &[u8]) -> Option<SegmentId> {
        let id = SegmentId::new(self.last_number(key)?);
        (self.segment(id) == key).then_some(id)
    }

    /// The offset of the piece of this segment that has this key; `None` for a key of another kind.
    pub(super) fn offset_of(&self, id: SegmentId, key: &[u8]) -> Option<u64> {
        let offset = self.last_number(key)?;
        (self.piece(id, offset) == key).then_some(offset)
    }

    /// The markers of all segments.
    pub(super) fn segments(&self) -> Range<Vec<u8>> {
        self.segment(SegmentId::new(0))..behind(self.segment(SegmentId::new(u64::MAX)))
    }

    /// The pieces of a segment that begin at these offsets, the last one included.
    pub(super) fn pieces(&self, id: SegmentId, first: u64, last: u64) -> Range<Vec<u8>> {
        self.piece(id, first)..behind(self.piece(id, last))
    }

    /// All keys of this log, of either shape.
    pub(super) fn all(&self) -> Range<Vec<u8>> {
        let with = |last| [self.name.as_bytes(), &[last]].concat();
        with(COLON)..with(BEHIND_COLON)
    }

    /// Whether a key of this log has this shape.
    pub(super) fn is_ours(&self, key: &[u8]) -> bool {
        let tag = key.get(self.name.len() + 1);
        let binary = matches!(tag, Some(&(SEGMENT_TAG | BYTES_TAG | ANCHOR_TAG)));
        binary == (self.shape == KeyShape::BigEndian)
    }

    fn binary(&self, tag: u8, numbers: &[u64]) -> Vec<u8> {
        let mut key = Vec::with_capacity(self.name.len() + 2 + 8 * numbers.len());
        key.extend_from_slice(self.name.as_bytes());
        key.extend([COLON, tag]);
        key.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
        key
    }

    #[expect(clippy::big_endian_bytes, reason = "so that keys sort as the numbers do")]
    fn last_number(&self, key: &[u8]) -> Option<u64> {
        match self.shape {
            KeyShape::Digits20 => {
                let digits = key.last_chunk::<DIGITS>()?;
                std::str::from_utf8(digits).ok()?.parse().ok()
            }
            KeyShape::BigEndian => key.last_chunk().map(|bytes| u64::from_be_bytes(*bytes)),
        }
    }
}

/// The first key behind this one.
fn behind(mut key: Vec<u8>) -> Vec<u8> {
    key.push(0);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPES: [KeyShape; 2] = [KeyShape::Digits20, KeyShape::BigEndian];
    const NUMBERS: [u64; 8] = [0, 1, 9, 10, 255, 256, 1 << 40, u64::MAX];

    #[test]
    fn a_key_gives_its_numbers_back_and_sorts_as_they_do() {
        for shape in SHAPES {
            let keys = Keys::new("orders", shape).unwrap();
            let segments = NUMBERS.map(|number| keys.segment(SegmentId::new(number)));
            assert!(segments.is_sorted(), "{shape:?}");
            for (key, number) in segments.iter().zip(NUMBERS) {
                assert_eq!(keys.segment_of(key), Some(SegmentId::new(number)), "{shape:?}");
                assert!(keys.segments().contains(key) && keys.is_ours(key), "{shape:?}");
            }
            let id = SegmentId::new(7);
            let pieces = NUMBERS.map(|number| keys.piece(id, number));
            assert!(pieces.is_sorted(), "{shape:?}");
            for (key, number) in pieces.iter().zip(NUMBERS) {
                assert_eq!(keys.offset_of(id, key), Some(number), "{shape:?}");
                assert_eq!(keys.offset_of(id.next(), key), None, "{shape:?}");
                assert_eq!(keys.segment_of(key), None, "{shape:?}");
                assert!(keys.pieces(id, 0, u64::MAX).contains(key), "{shape:?}");
                assert!(!keys.segments().contains(key) && keys.is_ours(key), "{shape:?}");
            }
        }
    }

    #[test]
    fn keys_are_what_the_documentation_says() {
        let keys = Keys::new("orders", KeyShape::Digits20).unwrap();
        let id = SegmentId::new(7);
        assert_eq!(keys.segment(id), b"orders:segment:00000000000000000007");
        let piece = b"orders:bytes:00000000000000000007:00000000000000004096";
        assert_eq!(keys.piece(id, 4096), piece);
        let keys = Keys::new("orders", KeyShape::BigEndian).unwrap();
        assert_eq!(keys.segment(id), b"orders:\x01\0\0\0\0\0\0\0\x07");
        assert_eq!(keys.piece(id, 4096), b"orders:\x02\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\x10\0");
    }

    #[test]
    fn shapes_are_told_apart() {
        let text = Keys::new("a", KeyShape::Digits20).unwrap();
        let binary = Keys::new("a", KeyShape::BigEndian).unwrap();
        for number in NUMBERS.map(SegmentId::new) {
            assert!(!text.is_ours(&binary.segment(number)));
            assert!(!text.is_ours(&binary.piece(number, 3)));
            assert!(!binary.is_ours(&text.segment(number)));
            assert!(!binary.is_ours(&text.piece(number, 3)));
        }
    }

    /// Also of a name that another one begins, or that reads like a key.
    #[test]
    fn no_key_of_one_log_lies_among_those_of_another() {
        let names = ["a", "ab", "a.b", "a-", "segment", "a/segment", "A"];
        for (one, other) in names.iter().flat_map(|one| names.map(|other| (*one, other))) {
            for (shape, foreign) in SHAPES.iter().flat_map(|one| SHAPES.map(|other| (*one, other)))
            {
                let keys = Keys::new(one, shape).unwrap();
                let others = Keys::new(other, foreign).unwrap();
                let found = keys.all().contains(&others.piece(SegmentId::FIRST, 1));
                assert_eq!(found, one == other, "{one:?} and {other:?}");
            }
        }
    }

    #[test]
    fn what_would_break_the_keys_is_no_name() {
        for name in ["", ":", "a:", "a b", "ä", "a\0", "a;"] {
            let error = Keys::new(name, KeyShape::Digits20).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{name:?}");
        }
    }
}
