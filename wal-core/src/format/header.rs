//! [`SegmentHeader`]: the first 4096 bytes of every segment.

use super::{Identity, Start, is_blank, put, u32_at, u64_at};
use crate::{CodecId, Epoch, LogId, Lsn, SegmentId, Unwritten};

/// Bytes of a segment header; frames start behind it. One block of any disk we know.
pub const HEADER_LEN: usize = 4096;

/// The first eight bytes of every segment. The high bit, the line ends and the control-Z catch a
/// transfer that changed them, as in PNG.
pub const MAGIC: [u8; 8] = *b"\x89WAL\r\n\x1a\n";

/// The version of the format that this code writes.
pub const FORMAT_VERSION: u32 = 1;

/// As [`SegmentHeader::in_flight`]: any number of bytes may have been unsynced at once.
pub const UNBOUNDED: u64 = u64::MAX;

/// The feature, to be understood by every reader, that [`Unwritten::Anything`] is.
const REUSED_SPACE: u32 = 1;

/// Features that a reader must understand.
const KNOWN_FEATURES: u32 = REUSED_SPACE;

const CRC_AT: usize = HEADER_LEN - 4;
const FIELDS_END: usize = 168;

/// What the first block of a segment says. Durable before the first frame is written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SegmentHeader {
    /// Features that a reader may ignore; kept as found.
    pub optional_features: u32,
    /// The log that the segment belongs to.
    pub log: LogId,
    /// The segment's number; equal to the one in its name.
    pub id: SegmentId,
    /// The writer's epoch.
    pub epoch: Epoch,
    /// The LSN of the first record that the segment holds or will hold.
    pub first_lsn: Lsn,
    /// 64 random bits that make the segment's [`Identity`] its own.
    pub salt: u64,
    /// When it was made, in nanoseconds since the Unix epoch. Informative.
    pub created: u64,
    /// The codec of the log's records.
    pub codec: CodecId,
    /// Every flush ends on a multiple of this, in bytes: a power of two, 8 where flushes are not
    /// padded.
    pub alignment: u32,
    /// The most bytes of this segment that can ever be unsynced at once, or [`UNBOUNDED`]. Damage
    /// wider than this was no power cut.
    pub in_flight: u64,
    /// What bytes behind its last frame may be that were never written.
    pub unwritten: Unwritten,
    /// The segment before, and how much of it counts; `None` where the log begins here.
    pub predecessor: Option<Predecessor>,
    /// Where the log began when the segment was made.
    pub start: Start,
    /// The segment is in force only once it holds every record through this one; [`Lsn::ZERO`]
    /// where it is in force from its header on.
    ///
    /// Recovery writes it: the records it carries over from the predecessor must appear together
    /// with the header that cuts them off there, or not at all.
    pub carried: Lsn,
    /// Bytes that the segment had, for certain, from the moment on that it was there: while it is
    /// the newest and not sealed, a shorter one was cut from outside. 0 where its store promises
    /// nothing ([`SegmentSpace::durable_len`](crate::SegmentSpace::durable_len)).
    pub space: u64,
}

/// A segment's word on the one before it: what lies behind `length` there is cut, for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Predecessor {
    /// Its number.
    pub id: SegmentId,
    /// The end of its last frame that counts, in bytes; a seal may follow.
    pub length: u64,
    /// Bytes of the seal behind it, or 0: nothing is known of what lies there then.
    pub seal_len: u64,
    /// The last record in that length.
    pub last_lsn: Lsn,
    /// Its identity, so that no other file of that number takes its place.
    pub identity: Identity,
    /// Where the run of numbers begins that ends with it: from here on each segment is the
    /// predecessor of the next number. So the whole run is known without reading it.
    pub since: SegmentId,
}

/// Why 4096 bytes are no segment header that we can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderFault {
    /// All zero: never written.
    Blank,
    /// Too short, or the checksum does not match.
    Damaged,
    /// Sound, but of a format version we do not know.
    Version(u32),
    /// Sound, but with features that we must and do not understand; the unknown bits.
    Features(u32),
    /// The checksum matches and a field makes no sense: no writer of ours made this.
    Nonsense,
}

impl SegmentHeader {
    /// A header with the fields that every segment must choose, and the rest as plain as they can
    /// be.
    pub fn new(log: LogId, id: SegmentId, epoch: Epoch, first_lsn: Lsn, salt: u64) -> Self {
        Self {
            optional_features: 0,
            log,
            id,
            epoch,
            first_lsn,
            salt,
            created: 0,
            codec: CodecId::RAW,
            alignment: 8,
            in_flight: UNBOUNDED,
            unwritten: Unwritten::Zeros,
            predecessor: None,
            start: Start { segment: id, lsn: first_lsn },
            carried: Lsn::ZERO,
            space: 0,
        }
    }

    /// The header's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let Self {
            optional_features,
            log,
            id,
            epoch,
            first_lsn,
            salt,
            created,
            codec,
            alignment,
            in_flight,
            unwritten,
            predecessor,
            start,
            carried,
            space,
        } = self;
        let features = match unwritten {
            Unwritten::Zeros => 0,
            Unwritten::Anything => REUSED_SPACE,
        };
        let mut bytes = vec![0; HEADER_LEN];
        put(&mut bytes, 0, &MAGIC);
        put(&mut bytes, 8, &FORMAT_VERSION.to_le_bytes());
        put(&mut bytes, 12, &features.to_le_bytes());
        put(&mut bytes, 16, &optional_features.to_le_bytes());
        put(&mut bytes, 20, &codec.0.to_le_bytes());
        put(&mut bytes, 24, &log.0);
        put(&mut bytes, 40, &id.get().to_le_bytes());
        put(&mut bytes, 48, &epoch.get().to_le_bytes());
        put(&mut bytes, 56, &first_lsn.get().to_le_bytes());
        put(&mut bytes, 64, &salt.to_le_bytes());
        put(&mut bytes, 72, &created.to_le_bytes());
        put(&mut bytes, 80, &in_flight.to_le_bytes());
        put(&mut bytes, 88, &alignment.to_le_bytes());
        if let Some(before) = predecessor {
            let Predecessor { id, length, seal_len, last_lsn, identity, since } = before;
            put(&mut bytes, 92, &identity.get().to_le_bytes());
            put(&mut bytes, 96, &id.get().to_le_bytes());
            put(&mut bytes, 104, &length.to_le_bytes());
            put(&mut bytes, 112, &last_lsn.get().to_le_bytes());
            put(&mut bytes, 144, &seal_len.to_le_bytes());
            put(&mut bytes, 152, &since.get().to_le_bytes());
        }
        put(&mut bytes, 120, &start.encode());
        put(&mut bytes, 136, &carried.get().to_le_bytes());
        put(&mut bytes, 160, &space.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..CRC_AT]);
        put(&mut bytes, CRC_AT, &crc.to_le_bytes());
        bytes
    }

    /// Reads a header from the first [`HEADER_LEN`] bytes of a segment.
    ///
    /// Magic, version, feature words and the checksum's place are the same in every version to
    /// come, so that a newer version is told from damage.
    pub fn decode(bytes: &[u8]) -> Result<Self, HeaderFault> {
        let Some(bytes) = bytes.get(..HEADER_LEN) else {
            return Err(if is_blank(bytes) { HeaderFault::Blank } else { HeaderFault::Damaged });
        };
        if u32_at(bytes, CRC_AT) != crc32c::crc32c(&bytes[..CRC_AT]) {
            return Err(if is_blank(bytes) { HeaderFault::Blank } else { HeaderFault::Damaged });
        }
        if bytes[..8] != MAGIC {
            return Err(HeaderFault::Damaged);
        }
        let version = u32_at(bytes, 8);
        if version != FORMAT_VERSION {
            return Err(HeaderFault::Version(version));
        }
        let features = u32_at(bytes, 12);
        let unknown = features & !KNOWN_FEATURES;
        if unknown != 0 {
            return Err(HeaderFault::Features(unknown));
        }
        let mut log = [0; 16];
        log.copy_from_slice(&bytes[24..40]);
        let chained = !is_blank(&bytes[92..120]) || !is_blank(&bytes[144..160]);
        let predecessor = Predecessor {
            id: SegmentId::new(u64_at(bytes, 96)),
            length: u64_at(bytes, 104),
            seal_len: u64_at(bytes, 144),
            last_lsn: Lsn::new(u64_at(bytes, 112)),
            identity: Identity::new(u32_at(bytes, 92)),
            since: SegmentId::new(u64_at(bytes, 152)),
        };
        let header = Self {
            optional_features: u32_at(bytes, 16),
            log: LogId(log),
            id: SegmentId::new(u64_at(bytes, 40)),
            epoch: Epoch::new(u64_at(bytes, 48)),
            first_lsn: Lsn::new(u64_at(bytes, 56)),
            salt: u64_at(bytes, 64),
            created: u64_at(bytes, 72),
            codec: CodecId(u32_at(bytes, 20)),
            alignment: u32_at(bytes, 88),
            in_flight: u64_at(bytes, 80),
            unwritten: match features & REUSED_SPACE {
                0 => Unwritten::Zeros,
                _ => Unwritten::Anything,
            },
            predecessor: chained.then_some(predecessor),
            start: Start::decode(&bytes[120..136]).ok_or(HeaderFault::Nonsense)?,
            carried: Lsn::new(u64_at(bytes, 136)),
            space: u64_at(bytes, 160),
        };
        if header.makes_sense() && is_blank(&bytes[FIELDS_END..CRC_AT]) {
            Ok(header)
        } else {
            Err(HeaderFault::Nonsense)
        }
    }

    /// Where the run of numbers begins that ends with this segment, as a successor's header says it
    /// ([`Predecessor::since`]).
    pub fn since(&self) -> SegmentId {
        match self.predecessor {
            Some(before) if before.id.next() == self.id => before.since,
            _ => self.id,
        }
    }

    fn makes_sense(&self) -> bool {
        let chained = self.predecessor.is_none_or(|predecessor| {
            predecessor.since.get() != 0
                && predecessor.since <= predecessor.id
                && predecessor.id < self.id
                && predecessor.length >= HEADER_LEN as u64
                && predecessor.last_lsn.next() == self.first_lsn
                && predecessor.length.checked_add(predecessor.seal_len).is_some()
        });
        chained
            && self.id.get() != 0
            && self.first_lsn >= Lsn::FIRST
            && self.alignment >= 8
            && self.alignment.is_power_of_two()
            && self.start.segment <= self.id
            && (self.carried == Lsn::ZERO || self.carried >= self.first_lsn)
            && self.leaves_numbers()
    }

    /// Whether records, segments and epochs behind this one have numbers: they have in every log that
    /// came here by counting.
    fn leaves_numbers(&self) -> bool {
        self.id < SegmentId::LAST
            && self.epoch < Epoch::LAST
            && self.first_lsn < Lsn::LAST
            && self.carried < Lsn::LAST
            && self.start.lsn < Lsn::LAST
    }
}
