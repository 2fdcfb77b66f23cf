//! The log as it lies on a disk: read without recovering it, and why it may be at a dead end.

use std::sync::Arc;

use wal::parts::core::format::HEADER_LEN;
use wal::parts::replay::{Chain, Ending, Survey, Transforms, inspect};
use wal::parts::segment::FileStore;
use wal::{Lsn, Reader, Result};
use wal_core::{SegmentId, SegmentStore};
use wal_testkit::model::OnFull;
use wal_testkit::{SimDisk, SimFiles, SimStore};

use crate::transforms;

/// Bytes of what is written in one piece.
const BLOCK: u64 = HEADER_LEN as u64;

const NO_ANCHOR: &str = "the log has no anchor, which would have to be made";

/// The store that is on this disk.
fn stored(disk: &SimDisk) -> Arc<dyn SegmentStore> {
    let names = disk.list().unwrap_or_default();
    if names.iter().any(|name| name.strip_suffix(".seg").is_some()) {
        Arc::new(SimStore::new(disk.clone()))
    } else {
        Arc::new(FileStore::over(Arc::new(SimFiles::new(disk.clone()))))
    }
}

/// As another process has it.
pub(crate) fn reader(disk: &SimDisk) -> Reader {
    Reader::with_store(stored(disk)).transforms(Transforms::new(transforms::all()))
}

/// Reads what is before the damage, as `wal replay` does.
pub(crate) fn read_before_damage(disk: &SimDisk) -> Result<Vec<(Lsn, Vec<u8>)>> {
    let reader = reader(disk);
    let Some(chain) = reader.prefix()? else { return Ok(Vec::new()) };
    read_chain(&reader, &chain)
}

/// Reads this, to its end or the damage.
pub(crate) fn read_chain(reader: &Reader, chain: &Chain) -> Result<Vec<(Lsn, Vec<u8>)>> {
    let entries = reader.read_chain(chain, chain.start.lsn)?;
    // The error that ends them is the damage.
    let entries = entries.map_while(Result::ok);
    Ok(entries.map(|entry| (entry.lsn, entry.payload.to_vec())).collect())
}

/// Reads the whole log, as another process does.
pub(crate) fn read(disk: &SimDisk) -> Result<Vec<(Lsn, Vec<u8>)>> {
    let reader = reader(disk);
    let Some(survey) = reader.survey()? else { return Ok(Vec::new()) };
    let entries = reader.read_from(survey.chain.start.lsn)?;
    entries.map(|entry| entry.map(|entry| (entry.lsn, entry.payload.to_vec()))).collect()
}

/// Why a log cannot be opened on this disk, which is full to the last byte, though all but the newest
/// may go; or, once it is open, be pruned. These are all the reasons there are.
pub(crate) fn dead_end(disk: &SimDisk, tried: OnFull) -> Option<String> {
    let store = stored(disk);
    if tried == OnFull::Prune {
        let none = store.read_anchor().ok()?.is_none();
        return none.then(|| NO_ANCHOR.to_owned());
    }
    let survey = inspect(&*store).ok()??;
    if !repaired(&survey) {
        return None;
    }
    if store.read_anchor().ok()?.is_none() {
        return Some(NO_ANCHOR.to_owned());
    }
    // Or what the newest carries over has its durable copy in the one before.
    let settled = proven(&survey) && survey.tail.doubt_lsn >= survey.newest.carried;
    let stays = if settled { 1 } else { 2 };
    let segments = &survey.chain.segments;
    let goes = &segments[..segments.len().saturating_sub(stays)];
    if goes.is_empty() {
        return Some("the log is its newest segment, of which nothing can go".to_owned());
    }
    let size = |id: &SegmentId| store.open(*id).and_then(|file| file.size()).unwrap_or(0);
    let frees: u64 = goes.iter().map(size).sum();
    let carries = survey.tail.end.saturating_sub(survey.tail.doubt);
    // The header, what is carried, the mark behind it, and room for a seal: these two begin in blocks of their
    // own, and may reach into the next.
    let takes = BLOCK + carries.next_multiple_of(BLOCK) + 4 * BLOCK;
    (frees < takes).then(|| format!("what can go is {frees} bytes, and the repair takes {takes}"))
}

/// Whether an opening has anything to do that it cannot put off.
fn repaired(survey: &Survey) -> bool {
    let doubt = survey.tail.last_lsn > survey.tail.doubt_lsn;
    let cuts = !proven(survey) && survey.newest.predecessor.is_some();
    doubt || cuts || !survey.dead.is_empty()
}

/// The newest segment was durable before this process came.
fn proven(survey: &Survey) -> bool {
    survey.tail.frames > 0 || survey.tail.ending == Ending::Sealed
}
