//! Laws about reading.

use std::io::ErrorKind;

use wal_core::{SegmentId, SegmentStore};

use super::{ONE, Outcome, StoreCase, TWO, begins, bytes, holds, listed, refused, there, unit};
use crate::law::saw;
use crate::{Call, Fault, FaultRule, Harm};

pub(super) fn a_missing_segment_is_not_found(case: &mut StoreCase<'_>) -> Outcome {
    let store = case.hold()?;
    refused("opening a segment of a fresh store", store.open(ONE), ErrorKind::NotFound)?;
    there(&store, ONE, 0)?;
    refused("opening the segment behind the last", store.open(TWO), ErrorKind::NotFound)?;
    store.remove(&[ONE])?;
    refused("opening a removed segment", store.open(ONE), ErrorKind::NotFound)?;
    saw("segments, as no attempt to open one makes it", listed(&store)?, Vec::<u64>::new())
}

pub(super) fn reads_stop_only_at_the_end(case: &mut StoreCase<'_>) -> Outcome {
    let store = case.hold()?;
    let appended = bytes(unit(&store) * 40, 1);
    there(&store, ONE, 0)?.append(&appended)?;
    let reader = store.open(ONE)?;
    let size = reader.size()?;
    saw("the size covers what was appended", size >= appended.len() as u64, true)?;
    for (offset, length) in [(0, 1), (3, 200), (appended.len() - 7, 7), (1, appended.len() - 1)] {
        let mut buffer = vec![0xaa; length];
        saw("bytes read", reader.read_at(offset as u64, &mut buffer)?, length)?;
        begins(&buffer, ONE, &appended[offset..offset + length])?;
    }
    let mut buffer = [0xaa; 64];
    saw("bytes read across the end", reader.read_at(size - 5, &mut buffer)?, 5)?;
    saw("bytes behind what was read", &buffer[5..], &[0xaa; 59][..])?;
    saw("bytes read at the end", reader.read_at(size, &mut buffer)?, 0)?;
    saw("bytes read behind the end", reader.read_at(size + 9, &mut buffer)?, 0)?;
    saw("bytes read into nothing", reader.read_at(0, &mut [])?, 0)
}

pub(super) fn readers_see_appends_at_once(case: &mut StoreCase<'_>) -> Outcome {
    let (store, other) = (case.hold()?, case.open()?);
    let mut writer = there(&store, ONE, 0)?;
    let readers = [store.open(ONE)?, other.open(ONE)?];
    let mut appended = Vec::new();
    for tag in 1..20 {
        let bytes = bytes(unit(&store) * usize::from(tag), tag);
        writer.append(&bytes)?;
        appended.extend(bytes);
        for reader in &readers {
            let mut buffer = vec![0xaa; appended.len()];
            saw("bytes read", reader.read_at(0, &mut buffer)?, appended.len())?;
            begins(&buffer, ONE, &appended)?;
        }
    }
    Ok(())
}

pub(super) fn short_reads_are_finished(case: &mut StoreCase<'_>) -> Outcome {
    let store = case.hold()?;
    let appended = bytes(unit(&store) * 40, 1);
    there(&store, ONE, 0)?.append(&appended)?;
    let reader = store.open(ONE)?;
    for fault in [Fault::Short(1), Fault::Interrupted, Fault::Short(100)] {
        case.inflict(Harm::Fault(FaultRule::next(Call::Read, fault).times(2)))?;
        let mut buffer = vec![0xaa; appended.len()];
        saw("bytes read", reader.read_at(0, &mut buffer)?, appended.len())?;
        begins(&buffer, ONE, &appended)?;
    }
    Ok(())
}

/// A log that takes what it cannot read for its end cuts off what is there.
pub(super) fn a_failed_read_is_reported(case: &mut StoreCase<'_>) -> Outcome {
    let store = case.hold()?;
    let appended = bytes(unit(&store) * 40, 1);
    there(&store, ONE, 0)?.append(&appended)?;
    let reader = store.open(ONE)?;
    for fault in [Fault::Io, Fault::AfterEffect] {
        case.inflict(Harm::Fault(FaultRule::next(Call::Read, fault)))?;
        let mut buffer = vec![0xaa; appended.len()];
        saw("a read that fails is done", reader.read_at(0, &mut buffer).is_ok(), false)?;
        saw("bytes read after that", reader.read_at(0, &mut buffer)?, appended.len())?;
        begins(&buffer, ONE, &appended)?;
    }
    Ok(())
}

pub(super) fn reopening_finds_everything(case: &mut StoreCase<'_>) -> Outcome {
    let store = case.hold()?;
    let unit = unit(&store);
    for (tag, size) in [(1, 0), (2, unit * 10), (3, unit)] {
        let mut writer = store.create(SegmentId::new(u64::from(tag)), size as u64)?;
        writer.append(&bytes(unit * 5, tag))?;
        writer.syncer().sync()?;
    }
    drop(store);
    for _ in 0..2 {
        let store = case.hold()?;
        saw("segments", listed(&store)?, vec![1, 2, 3])?;
        for tag in 1..=3 {
            holds(&store, SegmentId::new(u64::from(tag)), &bytes(unit * 5, tag))?;
        }
    }
    Ok(())
}
