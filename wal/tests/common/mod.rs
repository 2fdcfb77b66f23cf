//! Logs as plain bytes, to be damaged.
#![allow(dead_code, reason = "each test file uses its part of this")]

pub(crate) mod prepared_ahead;

use std::collections::BTreeMap;
use std::sync::Arc;

use wal::parts::core::format::{HEADER_LEN, SegmentHeader};
use wal::parts::core::{Env, SegmentId, SegmentStore};
use wal::parts::replay::{
    Cursor, RecoverOptions, Recovery, Transforms, Until, Verification, recover, survey, verify,
};
use wal::parts::segment::MemoryStore;
use wal::{Lsn, Result};

/// A log's segments, byte for byte.
pub(crate) type Image = BTreeMap<u64, Vec<u8>>;

/// Time and chance that are the same in every run.
#[derive(Debug, Default)]
pub(crate) struct StillEnv(std::sync::atomic::AtomicU64);

impl StillEnv {
    /// Chance of its own for this one of several logs.
    pub(crate) fn of_log(number: u64) -> Self {
        Self((number << 20).into())
    }
}

impl Env for StillEnv {
    fn now(&self) -> u64 {
        1_700_000_000_000_000_000
    }

    fn random(&self) -> u64 {
        let turn = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        (turn + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn process(&self) -> u32 {
        0
    }
}

/// The segments of a store as they lie there now, as a kill of the process would leave them.
pub(crate) fn image(store: &dyn SegmentStore) -> Image {
    let mut image = Image::new();
    for id in store.list().unwrap() {
        let reader = store.open(id).unwrap();
        let mut bytes = vec![0; usize::try_from(reader.size().unwrap()).unwrap()];
        assert_eq!(reader.read_at(0, &mut bytes).unwrap(), bytes.len());
        image.insert(id.get(), bytes);
    }
    image
}

/// The same segments, their headers promising no space: of a store that prepares none.
pub(crate) fn unpromised(mut image: Image) -> Image {
    for bytes in image.values_mut() {
        let mut header = SegmentHeader::decode(bytes).unwrap();
        header.space = 0;
        bytes[..HEADER_LEN].copy_from_slice(&header.encode());
    }
    image
}

/// A store with these segments in it.
pub(crate) fn store(image: &Image) -> Arc<MemoryStore> {
    let store = MemoryStore::new();
    for (&id, bytes) in image {
        let mut writer = store.create(SegmentId::new(id), 0).unwrap();
        writer.append(bytes).unwrap();
    }
    Arc::new(store)
}

/// What a recovery makes of a log, and what is read after it.
pub(crate) struct Recovered {
    pub(crate) recovery: Recovery,
    pub(crate) entries: Entries,
    /// The error that ended the reading, if one did.
    pub(crate) stopped: Option<wal::Error>,
}

/// Recovers the log in the store, as an open would, and reads all of it.
pub(crate) fn recovered(store: &Arc<MemoryStore>) -> Result<Recovered> {
    let mut options = RecoverOptions::default();
    options.segment_size = 16 * 1024;
    let (_resume, recovery) = recover(&**store, &StillEnv::default(), &options)?;
    let (entries, stopped) = entries(store, recovery.first_lsn)?;
    Ok(Recovered { recovery, entries, stopped })
}

/// Records by their LSN.
pub(crate) type Entries = Vec<(Lsn, Vec<u8>)>;

/// The entries of the log in the store, and the error that ended them.
pub(crate) fn entries(
    store: &Arc<MemoryStore>,
    from: Lsn,
) -> Result<(Entries, Option<wal::Error>)> {
    let Some(survey) = survey(&**store)? else { return Ok((Vec::new(), None)) };
    let cursor = Cursor::new(
        Arc::clone(store) as Arc<dyn SegmentStore>,
        Transforms::default(),
        &survey.chain,
        from,
        Until::End,
    )?;
    let mut entries = Vec::new();
    for entry in cursor {
        match entry {
            Ok(entry) => entries.push((entry.lsn, entry.payload.to_vec())),
            Err(error) => return Ok((entries, Some(error))),
        }
    }
    Ok((entries, None))
}

pub(crate) fn verified(store: &Arc<MemoryStore>) -> Result<Verification> {
    verify(&**store, &mut |_| ())
}
