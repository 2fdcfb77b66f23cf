//! Torn or rotten: a sound log, damaged.

use std::sync::Arc;

use wal::parts::core::SegmentStore;
use wal::parts::core::format::{HEADER_LEN, SegmentHeader};
use wal::{Error, ErrorKind, Reader, Result, Strategy, Verdict, Wal};

use crate::files::{Image, SeenAs, image, store};
use crate::input::Input;
use crate::sound::Sound;
use crate::zero_runs::ZeroRuns;

/// A sound log, made by the first part of the input, and damage to it, by the second.
///
/// *Torn*: the damage hits only bytes behind the last sync. It is never called corruption, and no
/// record that the sync covered is lost.
///
/// *Rotten*: it hits anything, whole files too. The log is refused, or reading it ends with an
/// error, or what is read is a prefix of what was appended that holds every record which the sound
/// parts vouch for.
pub fn torn_or_rot(bytes: &[u8]) {
    torn_or_rot_over(bytes, &|store| store);
}

pub(crate) fn torn_or_rot_over(bytes: &[u8], seen_as: SeenAs<'_>) {
    let mut input = Input::new(bytes);
    let harm = if input.byte().is_multiple_of(2) { Harm::Torn } else { Harm::Rotten };
    let sound = Sound::made(&mut input);
    let mut damaged = sound.image.clone();
    for _ in 0..=input.byte() % 4 {
        match harm {
            Harm::Torn => tear(&mut damaged, sound.unsynced, &mut input),
            Harm::Rotten => rot(&mut damaged, &mut input),
        }
    }
    let store = seen_as(Arc::new(store(&damaged)));
    let reader = Reader::with_store(Arc::clone(&store));
    let verified = reader.verify(|_| ()).expect("damage is a finding, not an error");
    let read = read(&store, &damaged, &sound);
    if verified.verdict != Verdict::Corrupt {
        let last = read.as_ref().expect("what verifies opens, and reads to its end");
        assert_eq!(*last, verified.last_lsn.get(), "{verified:?}");
    }
    match (harm, read) {
        (Harm::Torn, read) => {
            let last = read.expect("a torn tail is cut");
            assert!(last >= sound.durable, "{last} is the last, and {} was synced", sound.durable);
        }
        (Harm::Rotten, Ok(last)) => {
            let vouched = sound.vouched(&damaged);
            assert!(last >= vouched, "{last} is the last, and {vouched} is vouched for");
        }
        (Harm::Rotten, Err(error)) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}"),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Harm {
    Torn,
    Rotten,
}

/// Damages bytes that no sync has covered. A file does not get shorter than its header says that it
/// durably was: no power cut does that.
fn tear(damaged: &mut Image, unsynced: Option<(u64, usize)>, input: &mut Input<'_>) {
    let Some((id, from)) = unsynced else { return };
    let Some(bytes) = damaged.get_mut(&id) else { return };
    let at = from + input.below(bytes.len().saturating_sub(from));
    match input.byte() % 4 {
        0 => {
            let space = SegmentHeader::decode(bytes).expect("a sound log").space;
            bytes.truncate(at.max(usize::try_from(space).unwrap_or(usize::MAX)));
        }
        kind => hurt(bytes, at, kind, input),
    }
}

/// Damages anything.
fn rot(damaged: &mut Image, input: &mut Input<'_>) {
    let ids: Vec<u64> = damaged.keys().copied().collect();
    let Some(&id) = ids.get(input.below(ids.len())) else { return };
    let other = ids[input.below(ids.len())];
    let Some(mut bytes) = damaged.remove(&id) else { return };
    let at = input.below(bytes.len());
    match input.byte() % 10 {
        0 => return,
        1 => bytes.truncate(at),
        2 => {
            if let Some(swapped) = damaged.insert(other, bytes.clone()) {
                bytes = swapped;
            }
        }
        3 => drop(damaged.insert(ids[ids.len() - 1] + 1, bytes.clone())),
        // A block written to the wrong place.
        4 => {
            let from = damaged.get(&other).unwrap_or(&bytes).clone();
            let start = input.below(from.len()) / 8 * 8;
            let block = &from[start..from.len().min(start + 512)];
            let at = at / 8 * 8;
            let end = bytes.len().min(at + block.len());
            bytes[at..end].copy_from_slice(&block[..end - at]);
        }
        // Where something is: most of a segment is zeros, and most of a header.
        5 => {
            let at = HEADER_LEN + at % 512;
            hurt(&mut bytes, at, 1 + input.byte() % 3, input);
        }
        6 => hurt(&mut bytes, at % 256, 1 + input.byte() % 3, input),
        kind => hurt(&mut bytes, at, kind - 6, input),
    }
    damaged.insert(id, bytes);
}

/// Turns bits over, zeroes a range or fills it with garbage.
fn hurt(bytes: &mut [u8], at: usize, kind: u8, input: &mut Input<'_>) {
    let len = usize::from(input.byte()).pow(2) / 8 + 1;
    let end = bytes.len().min(at + len);
    let Some(range) = bytes.get_mut(at..end) else { return };
    match kind {
        1 => range.iter_mut().take(1).for_each(|byte| *byte ^= 1 << (len % 8)),
        2 => range.fill(0),
        _ => {
            let mut garbage = 0x9e37_79b9_u32.wrapping_mul(input.u32() | 1);
            for byte in range {
                garbage = garbage.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *byte = garbage.to_be_bytes()[0];
            }
        }
    }
}

/// Opens the log and reads all of it; its last record. What is read is what was appended.
fn read(store: &Arc<dyn SegmentStore>, damaged: &Image, sound: &Sound) -> Result<u64> {
    let opened = Wal::with_store(Arc::clone(store))
        .segment_size(16 * 1024)
        .also_reads(Arc::new(ZeroRuns))
        .strategy(Strategy::Sync)
        .open();
    let (wal, recovery) = opened.inspect_err(|error: &Error| {
        assert!(image(&**store) == *damaged, "a refused log was changed: {error:?}");
    })?;
    let mut next = recovery.first_lsn.get();
    // With no file of the log left, it is a new one.
    let new = recovery.segments == 0;
    assert!(new || next == sound.first, "begins at {next}, wanted {}", sound.first);
    for entry in wal.read_from(recovery.first_lsn)? {
        let entry = entry?;
        assert_eq!(entry.lsn.get(), next, "a gap");
        assert!(sound.record(next) == Some(&entry.payload[..]), "record {next} is another one");
        next += 1;
    }
    assert_eq!(next - 1, recovery.last_lsn.get(), "the log ends elsewhere than its records");
    Ok(next - 1)
}
