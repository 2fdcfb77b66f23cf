//! [`FrameHeader`]: the 48 bytes before every frame's body.

use crc32c::crc32c_append;

use super::{Identity, is_blank, put, round_up, u32_at, u64_at};
use crate::{Lsn, TransformId};

/// Bytes of a frame header.
pub const FRAME_HEADER_LEN: usize = 48;

/// Frames start on a multiple of this many bytes, so that no header straddles a sector.
pub const FRAME_ALIGN: usize = 8;

/// The most bytes a frame's body may have: 1 GiB.
pub const MAX_BODY_LEN: usize = 1 << 30;

/// Kinds from here on may be skipped by a reader that does not know them; any other unknown kind
/// is [`FrameFault::Kind`]. The rule is `RocksDB`'s `kRecordTypeSafeIgnoreMask`.
const SKIPPABLE: u8 = 0x80;

/// What a frame holds. Zero is not a kind: it is space never written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FrameKind {
    /// User records, one after the other.
    Records,
    /// Nothing. Fills a block for direct I/O; without a body it only repeats the watermark.
    Padding,
    /// The segment's end and its index; written on rotation and on a clean close.
    Seal,
    /// The log's new [`Start`](super::Start), recorded before anything is pruned.
    Start,
    /// Of a later version, and marked as safe to skip.
    Skippable(u8),
}

impl FrameKind {
    fn encode(self) -> u8 {
        match self {
            Self::Records => 1,
            Self::Padding => 2,
            Self::Seal => 3,
            Self::Start => 4,
            Self::Skippable(kind) => kind,
        }
    }

    fn decode(kind: u8) -> Result<Self, FrameFault> {
        match kind {
            1 => Ok(Self::Records),
            2 => Ok(Self::Padding),
            3 => Ok(Self::Seal),
            4 => Ok(Self::Start),
            SKIPPABLE.. => Ok(Self::Skippable(kind)),
            _ => Err(FrameFault::Kind(kind)),
        }
    }
}

/// What a frame says of itself and of the log before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FrameHeader {
    /// What the body is.
    pub kind: FrameKind,
    /// What the body went through.
    pub transform: TransformId,
    /// Bytes of the body as stored, without the padding to eight bytes.
    pub body_len: u32,
    /// Records in the frame; zero for every kind but [`FrameKind::Records`].
    pub count: u32,
    /// How many bytes directly before this frame were not known to be durable when it was written;
    /// `u32::MAX` claims nothing. Damage further back than this is corruption, not a torn tail.
    pub unsynced: u32,
    /// The LSN of the frame's first record, or of the next record for a frame without any.
    pub first_lsn: Lsn,
    /// The last record that was durable when the frame was written.
    pub watermark: Lsn,
    /// When the frame was written, in nanoseconds since the Unix epoch. Informative.
    pub timestamp: u64,
    /// CRC32C of the body with its padding.
    pub body_crc: u32,
}

/// Why 48 bytes are no frame header of this segment at this offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameFault {
    /// All zero: never written.
    Blank,
    /// The checksum does not match: torn, damaged, or of another place or life.
    Damaged,
    /// Sound, but of a kind that we must and do not understand.
    Kind(u8),
    /// Sound, but with flags that we must and do not understand.
    Flags(u16),
    /// The checksum matches and a field makes no sense: no writer of ours made this.
    Nonsense,
}

/// What a frame with a right checksum says of the log before it, whatever its kind is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Witness {
    /// Whether this build knows what the frame is, and may leave it away.
    pub known: bool,
    /// Bytes that the whole frame takes up on disk.
    pub frame_len: u64,
    unsynced: u32,
    watermark: Lsn,
}

impl Witness {
    /// As [`FrameHeader::vouches_for`]. Of a frame with flags that this build does not know nothing is
    /// believed.
    pub fn vouches_for(&self, offset: u64, lsn: Lsn, byte: u64) -> bool {
        self.watermark >= lsn || durable_offset(self.unsynced, offset) > byte
    }
}

fn durable_offset(unsynced: u32, offset: u64) -> u64 {
    if unsynced == u32::MAX { 0 } else { offset.saturating_sub(u64::from(unsynced)) }
}

impl FrameHeader {
    /// A frame of this kind before the records from `first_lsn` on, with nothing in it.
    pub fn new(kind: FrameKind, first_lsn: Lsn) -> Self {
        Self {
            kind,
            transform: TransformId::NONE,
            body_len: 0,
            count: 0,
            unsynced: u32::MAX,
            first_lsn,
            watermark: Lsn::ZERO,
            timestamp: 0,
            body_crc: 0,
        }
    }

    /// Bytes that the body takes up on disk.
    pub fn padded_body_len(&self) -> u64 {
        round_up(u64::from(self.body_len), FRAME_ALIGN as u64)
    }

    /// Bytes that the whole frame takes up on disk.
    pub fn frame_len(&self) -> u64 {
        FRAME_HEADER_LEN as u64 + self.padded_body_len()
    }

    /// The last record in or before the frame.
    pub fn last_lsn(&self) -> Lsn {
        self.first_lsn.plus(u64::from(self.count)).previous()
    }

    /// Where, in the segment, everything before was durable when this frame was written; `offset`
    /// is the frame's own.
    pub fn durable_offset(&self, offset: u64) -> u64 {
        durable_offset(self.unsynced, offset)
    }

    /// Whether a sync of everything up to here stood behind the record `lsn`, or behind the byte at
    /// `byte`, when this frame was written at `offset`. If so, damage there is corruption.
    pub fn vouches_for(&self, offset: u64, lsn: Lsn, byte: u64) -> bool {
        self.watermark >= lsn || self.durable_offset(offset) > byte
    }

    /// Reads the header at the start of `bytes`, which begin at `offset` of the segment.
    pub fn decode(bytes: &[u8], identity: Identity, offset: u64) -> Result<Self, FrameFault> {
        let Some(bytes) = bytes.get(..FRAME_HEADER_LEN) else {
            return Err(if is_blank(bytes) { FrameFault::Blank } else { FrameFault::Damaged });
        };
        // Cheap first: of random bytes, all but one in 2^24 end here. (A kind of zero with a
        // matching checksum does not exist: no writer makes one.)
        if bytes[4] == 0 {
            return Err(if is_blank(bytes) { FrameFault::Blank } else { FrameFault::Damaged });
        }
        if u32_at(bytes, 44) != crc32c_append(identity.at(offset), &bytes[..44]) {
            return Err(FrameFault::Damaged);
        }
        let flags = u16::from(bytes[6]) | u16::from(bytes[7]) << 8;
        if flags != 0 {
            return Err(FrameFault::Flags(flags));
        }
        let header = Self {
            kind: FrameKind::decode(bytes[4])?,
            transform: TransformId(bytes[5]),
            body_len: u32_at(bytes, 0),
            count: u32_at(bytes, 8),
            unsynced: u32_at(bytes, 12),
            first_lsn: Lsn::new(u64_at(bytes, 16)),
            watermark: Lsn::new(u64_at(bytes, 24)),
            timestamp: u64_at(bytes, 32),
            body_crc: u32_at(bytes, 40),
        };
        if header.makes_sense() { Ok(header) } else { Err(FrameFault::Nonsense) }
    }

    /// What these bytes say of the log before them, if they are a header with a right checksum, of a kind
    /// that this build knows or not. A header that makes no sense says nothing.
    pub fn witness(bytes: &[u8], identity: Identity, offset: u64) -> Option<Witness> {
        let known = match Self::decode(bytes, identity, offset) {
            Ok(_) => true,
            Err(FrameFault::Kind(_) | FrameFault::Flags(_)) => false,
            Err(_) => return None,
        };
        let flagged = bytes[6..8] != [0; 2];
        Some(Witness {
            known,
            frame_len: FRAME_HEADER_LEN as u64
                + round_up(u64::from(u32_at(bytes, 0)), FRAME_ALIGN as u64),
            unsynced: if flagged { u32::MAX } else { u32_at(bytes, 12) },
            watermark: if flagged { Lsn::ZERO } else { Lsn::new(u64_at(bytes, 24)) },
        })
    }

    /// Whether the body, with its padding, is the one this header was written for.
    pub fn matches(&self, padded_body: &[u8], identity: Identity, offset: u64) -> bool {
        let end = self.body_len as usize;
        padded_body.len() as u64 == self.padded_body_len()
            && crc32c_append(identity.at(offset), padded_body) == self.body_crc
            && is_blank(&padded_body[end..])
    }

    /// Fills in the header of `frame`, which is a whole frame with its padded body in place and
    /// will lie at `offset`. Computes both checksums.
    pub(super) fn finish(&mut self, frame: &mut [u8], identity: Identity, offset: u64) {
        let (header, body) = frame.split_at_mut(FRAME_HEADER_LEN);
        debug_assert_eq!(body.len() as u64, self.padded_body_len(), "the body is padded");
        let seed = identity.at(offset);
        self.body_crc = crc32c_append(seed, body);
        let Self {
            kind,
            transform,
            body_len,
            count,
            unsynced,
            first_lsn,
            watermark,
            timestamp,
            body_crc,
        } = *self;
        put(header, 0, &body_len.to_le_bytes());
        put(header, 4, &[kind.encode(), transform.0, 0, 0]);
        put(header, 8, &count.to_le_bytes());
        put(header, 12, &unsynced.to_le_bytes());
        put(header, 16, &first_lsn.get().to_le_bytes());
        put(header, 24, &watermark.get().to_le_bytes());
        put(header, 32, &timestamp.to_le_bytes());
        put(header, 40, &body_crc.to_le_bytes());
        let crc = crc32c_append(seed, &header[..44]);
        put(header, 44, &crc.to_le_bytes());
    }

    fn makes_sense(&self) -> bool {
        let counted = match self.kind {
            // A transform may store nothing for a body; records themselves take a byte at the least.
            FrameKind::Records => {
                self.count > 0 && (self.body_len > 0 || self.transform != TransformId::NONE)
            }
            _ => self.count == 0,
        };
        counted
            && self.body_len as usize <= MAX_BODY_LEN
            && self.first_lsn >= Lsn::FIRST
            && self.first_lsn.get().checked_add(u64::from(self.count)).is_some()
    }
}
