//! [`Image`]: the files of a log, in as few bytes as a fuzzer can do with.

use std::collections::BTreeMap;
use std::sync::Arc;

use wal::SegmentId;
use wal::parts::core::SegmentStore;
use wal::parts::core::format::{FRAME_HEADER_LEN, HEADER_LEN};
use wal::parts::segment::MemoryStore;

use crate::input::Input;
use crate::mend::{self, Padding};

/// A log's segments, byte for byte.
pub(crate) type Image = BTreeMap<u64, Vec<u8>>;

/// What a log sees of a store: all of it, except where a test plants a defect.
pub(crate) type SeenAs<'a> = &'a dyn Fn(Arc<dyn SegmentStore>) -> Arc<dyn SegmentStore>;

/// Bytes of a segment header that hold fields; the rest is zero.
pub const FIELDS: usize = 160;
/// The most segments of an unpacked image.
const SEGMENTS: usize = 6;

/// What an unpacked segment is given, besides its bytes.
const SOUND_HEADER: u8 = 1;
const SOUND_FRAMES: u8 = 2;
const OWN_NUMBER: u8 = 4;
const SAME_LOG: u8 = 8;
const FOLLOWS: u8 = 16;
const IN_ORDER: u8 = 32;
const WHOLE_BLOCKS: u8 = 64;

/// The most that a store of [`store`] holds: more than any input needs, and a bound for what an
/// input can claim.
const ROOM: u64 = 64 << 20;

/// The segments that these bytes describe: of each its number, what to put right in it, the fields
/// of its header, and its frames.
pub(crate) fn unpack(input: &mut Input<'_>) -> Image {
    let mut image = Image::new();
    let mut before: Option<Before> = None;
    for _ in 0..SEGMENTS {
        if input.is_empty() {
            break;
        }
        let (id, gifts) = (u64::from(input.byte()), input.byte());
        let mut bytes = input.take(FIELDS).to_vec();
        bytes.resize(HEADER_LEN, 0);
        let len = usize::from(input.u16());
        bytes.extend(input.take(len));
        if gifts & WHOLE_BLOCKS != 0 {
            bytes.resize(bytes.len().next_multiple_of(4096), 0);
        }
        before = Some(put_right(&mut bytes, id, gifts, before.as_ref()));
        image.insert(id, bytes);
    }
    image
}

/// The bytes that [`unpack`] makes this image of, with everything put right that is right already.
pub(crate) fn pack(image: &Image) -> Vec<u8> {
    let mut packed = Vec::new();
    for (&id, bytes) in image.iter().take(SEGMENTS) {
        packed.push(u8::try_from(id).unwrap_or(u8::MAX));
        packed.push(SOUND_HEADER | SOUND_FRAMES | WHOLE_BLOCKS);
        packed.extend(&bytes[..FIELDS]);
        let end = bytes.iter().rposition(|&byte| byte != 0).map_or(HEADER_LEN, |last| last + 1);
        let frames = &bytes[HEADER_LEN.min(end)..end];
        packed.extend(u16::try_from(frames.len()).unwrap_or(u16::MAX).to_le_bytes());
        packed.extend(&frames[..frames.len().min(usize::from(u16::MAX))]);
    }
    packed
}

/// A store with these segments in it.
pub(crate) fn store(image: &Image) -> MemoryStore {
    let store = MemoryStore::with_capacity_limit(ROOM);
    for (&id, bytes) in image {
        let mut writer = store.create(SegmentId::new(id), 0).expect("a new store has room");
        writer.append(bytes).expect("a new store has room");
    }
    store
}

/// The segments of a store as they lie there.
pub(crate) fn image(store: &dyn SegmentStore) -> Image {
    let mut image = Image::new();
    for id in store.list().expect("a store that lists") {
        let reader = store.open(id).expect("what is listed opens");
        let size = reader.size().expect("what opens has a size");
        let mut bytes = vec![0; usize::try_from(size).expect("a fuzzer's segment is small")];
        let read = reader.read_at(0, &mut bytes).expect("what opens reads");
        assert_eq!(read, bytes.len());
        image.insert(id.get(), bytes);
    }
    image
}

/// What a segment says of itself to the one that follows it.
struct Before {
    log: [u8; 16],
    id: u64,
    length: u64,
    last_lsn: u64,
    identity: u32,
    /// Where the run of numbers begins that ends with it.
    since: u64,
}

fn put_right(bytes: &mut [u8], id: u64, gifts: u8, before: Option<&Before>) -> Before {
    let has = |gift| gifts & gift != 0;
    if has(OWN_NUMBER) {
        bytes[40..48].copy_from_slice(&id.to_le_bytes());
    }
    if let (true, Some(before)) = (has(SAME_LOG), before) {
        bytes[24..40].copy_from_slice(&before.log);
    }
    if let (true, Some(before)) = (has(FOLLOWS), before) {
        bytes[56..64].copy_from_slice(&before.last_lsn.wrapping_add(1).to_le_bytes());
        bytes[92..96].copy_from_slice(&before.identity.to_le_bytes());
        bytes[96..104].copy_from_slice(&before.id.to_le_bytes());
        bytes[104..112].copy_from_slice(&before.length.to_le_bytes());
        bytes[112..120].copy_from_slice(&before.last_lsn.to_le_bytes());
        bytes[152..160].copy_from_slice(&before.since.to_le_bytes());
    }
    if has(SOUND_HEADER) {
        mend::header(&mut bytes[..HEADER_LEN]);
    }
    let identity = mend::identity(&bytes[..HEADER_LEN]);
    let mut next = u64_at(bytes, 56);
    let mut at = HEADER_LEN;
    // A kind of zero is where nothing was written.
    while has(SOUND_FRAMES) && bytes.len() - at >= FRAME_HEADER_LEN && bytes[at + 4] != 0 {
        if has(IN_ORDER) {
            bytes[at + 16..at + 24].copy_from_slice(&next.to_le_bytes());
        }
        next = u64_at(bytes, at + 16).wrapping_add(u64::from(u32_at(bytes, at + 8)));
        at += mend::frame(&mut bytes[at..], identity, at as u64, Padding::Zeroed);
    }
    let mut log = [0; 16];
    log.copy_from_slice(&bytes[24..40]);
    let in_run = u64_at(bytes, 96).checked_add(1) == Some(id);
    let since = if in_run { u64_at(bytes, 152) } else { id };
    let last_lsn = next.wrapping_sub(1);
    Before { log, id, length: at as u64, last_lsn, identity: identity.get(), since }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
