//! [`Anchor`]: what is known of a log besides its segments.

use super::{HEADER_LEN, Start, is_blank, put, u32_at, u64_at};
use crate::{LogId, Lsn, SegmentId};

/// Bytes of an encoded [`Anchor`].
pub const ANCHOR_LEN: usize = 88;

const MAGIC: [u8; 8] = *b"\x89WALANC\n";
const VERSION: u32 = 1;
const CRC_AT: usize = ANCHOR_LEN - 4;

/// Which log this is, and a lower bound of where it ends.
///
/// Kept beside the segments and renewed when one is made, so that a log whose newest segment
/// vanished, or all of them, is not taken for a shorter one, or for a new one. It never knows more
/// than the segments do, and often less: what was appended since it was renewed is not in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Anchor {
    /// The log.
    pub log: LogId,
    /// A segment that was in force: this one or a later one is there.
    pub newest: SegmentId,
    /// A record that was durable: the log ends with it or behind it.
    pub last_lsn: Lsn,
    /// Where the log begins, or began once.
    pub start: Start,
    /// What was durable of [`newest`](Self::newest): everything before this byte, its seal included
    /// where the log was closed. 0 where nothing is known.
    pub durable_end: u64,
    /// The first record that [`newest`](Self::newest) may hold, by its header: none of them is a word on the
    /// segments before it. [`Lsn::ZERO`] where it is not known.
    pub first_lsn: Lsn,
}

/// Why bytes are no anchor that we can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnchorFault {
    /// The wrong length, or the checksum does not match, or a field makes no sense.
    Damaged,
    /// Sound, but of a version that we do not know.
    Version(u32),
}

impl Anchor {
    /// The anchor of this log.
    pub const fn new(log: LogId, newest: SegmentId, last_lsn: Lsn, start: Start) -> Self {
        Self { log, newest, last_lsn, start, durable_end: 0, first_lsn: Lsn::ZERO }
    }

    /// The newest segment begins with this record, and everything before this byte of it is durable.
    pub const fn of_newest(mut self, first_lsn: Lsn, durable_end: u64) -> Self {
        (self.first_lsn, self.durable_end) = (first_lsn, durable_end);
        self
    }

    /// What this anchor says of `newest`, if it is the one that it names: the first record and the durable
    /// end, or that neither is known.
    pub fn knows_of(&self, newest: SegmentId) -> (Lsn, u64) {
        if newest == self.newest { (self.first_lsn, self.durable_end) } else { (Lsn::ZERO, 0) }
    }

    /// The anchor's bytes.
    pub fn encode(&self) -> [u8; ANCHOR_LEN] {
        let mut bytes = [0; ANCHOR_LEN];
        put(&mut bytes, 0, &MAGIC);
        put(&mut bytes, 8, &VERSION.to_le_bytes());
        put(&mut bytes, 16, &self.log.0);
        put(&mut bytes, 32, &self.newest.get().to_le_bytes());
        put(&mut bytes, 40, &self.last_lsn.get().to_le_bytes());
        put(&mut bytes, 48, &self.start.encode());
        put(&mut bytes, 64, &self.durable_end.to_le_bytes());
        put(&mut bytes, 72, &self.first_lsn.get().to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..CRC_AT]);
        put(&mut bytes, CRC_AT, &crc.to_le_bytes());
        bytes
    }

    /// Reads an anchor. Magic, version and the checksum's place stay the same in every version.
    pub fn decode(bytes: &[u8]) -> Result<Self, AnchorFault> {
        let whole = bytes.len() == ANCHOR_LEN && bytes[..8] == MAGIC;
        if !whole || u32_at(bytes, CRC_AT) != crc32c::crc32c(&bytes[..CRC_AT]) {
            return Err(AnchorFault::Damaged);
        }
        match u32_at(bytes, 8) {
            VERSION => {}
            version => return Err(AnchorFault::Version(version)),
        }
        let mut log = [0; 16];
        log.copy_from_slice(&bytes[16..32]);
        let anchor = Self {
            log: LogId(log),
            newest: SegmentId::new(u64_at(bytes, 32)),
            last_lsn: Lsn::new(u64_at(bytes, 40)),
            start: Start::decode(&bytes[48..64]).ok_or(AnchorFault::Damaged)?,
            durable_end: u64_at(bytes, 64),
            first_lsn: Lsn::new(u64_at(bytes, 72)),
        };
        let sensible = anchor.start.segment <= anchor.newest
            && anchor.start.lsn.previous() <= anchor.last_lsn
            && is_blank(&bytes[12..16])
            && (anchor.durable_end == 0 || anchor.durable_end >= HEADER_LEN as u64)
            && is_blank(&bytes[80..CRC_AT]);
        if sensible { Ok(anchor) } else { Err(AnchorFault::Damaged) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anchor() -> Anchor {
        let start = Start { segment: SegmentId::new(3), lsn: Lsn::new(40) };
        Anchor::new(LogId([7; 16]), SegmentId::new(9), Lsn::new(120), start)
            .of_newest(Lsn::new(90), 1 << 40)
    }

    #[test]
    fn an_anchor_is_read_back() {
        assert_eq!(Anchor::decode(&anchor().encode()), Ok(anchor()));
    }

    #[test]
    fn every_wrong_bit_is_found() {
        let bytes = anchor().encode();
        for bit in 0..ANCHOR_LEN * 8 {
            let mut bytes = bytes;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Anchor::decode(&bytes), Err(AnchorFault::Damaged), "bit {bit}");
        }
        for len in 0..ANCHOR_LEN {
            assert_eq!(Anchor::decode(&bytes[..len]), Err(AnchorFault::Damaged), "{len} bytes");
        }
    }
}
