//! Every kind of damage to the bytes of a log: what it does to `verify`, to recovery, and to what
//! was acknowledged.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::sync::Arc;

use common::{Image, StillEnv, image, recovered, store, unpromised, verified};
use wal::parts::core::format::SegmentHeader;
use wal::parts::core::{SegmentId, SegmentStore};
use wal::parts::segment::MemoryStore;
use wal::{ErrorKind, Lsn, Verdict, Wal};

/// What was written, and how much of it was vouched for when the image was taken.
struct Written {
    image: Image,
    records: Vec<(Lsn, Vec<u8>)>,
    vouched: Lsn,
}

#[derive(PartialEq)]
enum End {
    /// Closed as it should be.
    Closed,
    /// Killed: the newest segment has no seal.
    Killed,
}

/// A log of several segments with several frames each, one flush every third record.
fn written(end: &End, records: u64) -> Written {
    let store = Arc::new(MemoryStore::new());
    let (wal, _) = Wal::with_store(Arc::clone(&store) as Arc<dyn SegmentStore>)
        .segment_size(16 * 1024)
        .env(Arc::new(StillEnv::default()))
        .open()
        .unwrap();
    let mut all = Vec::new();
    let mut vouched = Lsn::ZERO;
    for n in 1..=records {
        let record = vec![u8::try_from(n % 256).unwrap(); usize::try_from(n * 37 % 900).unwrap()];
        let lsn = wal.append(&record).unwrap();
        all.push((lsn, record));
        if n % 3 == 0 {
            // What the flush before had made durable is what this flush's frames vouch for.
            vouched = wal.durable_lsn();
            wal.sync().unwrap();
        }
    }
    wal.sync().unwrap();
    if *end == End::Closed {
        wal.close().unwrap();
        vouched = Lsn::new(records);
    }
    // Segments of any length, to be cut anywhere; the promise has tests of its own.
    let image = unpromised(image(&*store));
    std::mem::forget(wal);
    Written { image, records: all, vouched }
}

/// Whatever was done to the log, a recovery returns a prefix of it or refuses.
fn assert_prefix(case: &str, written: &Written, damaged: &Image) -> Option<u64> {
    match recovered(&store(damaged)) {
        Ok(got) => {
            let is_prefix = written.records.starts_with(&got.entries);
            assert!(is_prefix, "{case}: recovery returned what was not written there");
            if got.stopped.is_none() {
                let lost = got.entries.len() < usize::try_from(written.vouched.get()).unwrap();
                assert!(!lost, "{case}: {} records and not a word", got.entries.len());
            }
            Some(got.entries.len() as u64)
        }
        Err(error) => {
            let kinds = [ErrorKind::Corrupt, ErrorKind::Unsupported];
            assert!(kinds.contains(&error.kind()), "{case}: {error:?}");
            None
        }
    }
}

/// One bit of each byte, which one by the byte's place; no flip may pass `verify` as clean, bring
/// back anything that was not written, or silently lose what the log vouches for. A closed log
/// loses nothing silently at all.
#[test]
fn no_flipped_byte_goes_unnoticed() {
    for end in [End::Closed, End::Killed] {
        let written = written(&end, 60);
        assert!(written.image.len() >= 2);
        let clean = verified(&store(&written.image)).unwrap();
        assert_eq!(clean.verdict, Verdict::Clean, "{:?}", clean.findings);
        for (&id, bytes) in &written.image {
            for at in 0..bytes.len() {
                let mut damaged = written.image.clone();
                damaged.get_mut(&id).unwrap()[at] ^= 1 << ((at * 7 + at / 8) % 8);
                let case = format!("segment {id}, byte {at}");
                match verified(&store(&damaged)) {
                    Ok(found) => assert_ne!(found.verdict, Verdict::Clean, "{case}"),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::Unsupported, "{case}"),
                }
                assert_prefix(&case, &written, &damaged);
            }
        }
    }
}

/// A crash can end the newest file anywhere; the log always opens, with a prefix.
#[test]
fn every_truncation_length_of_the_newest_segment_opens() {
    let written = written(&End::Killed, 40);
    let (&newest, bytes) = written.image.last_key_value().unwrap();
    let before: Image = written.image.clone().into_iter().filter(|&(id, _)| id < newest).collect();
    let base = recovered(&store(&before)).unwrap().entries.len();
    let mut last = base;
    for len in 0..=bytes.len() {
        let mut damaged = written.image.clone();
        damaged.insert(newest, bytes[..len].to_vec());
        let got = recovered(&store(&damaged)).unwrap_or_else(|error| panic!("{len}: {error:?}"));
        assert!(got.stopped.is_none(), "{len}: {:?}", got.stopped);
        assert!(written.records.starts_with(&got.entries), "{len}");
        assert!(got.entries.len() >= last, "{len}: a longer file holds fewer records");
        last = got.entries.len();
    }
    assert_eq!(last, written.records.len());
}

/// After a recovery there is nothing left to do: a second one finds the same log and changes
/// nothing, whatever length the newest file was cut to.
#[test]
fn the_second_recovery_finds_nothing_to_do() {
    let written = written(&End::Killed, 40);
    let (&newest, bytes) = written.image.last_key_value().unwrap();
    for len in (0..=bytes.len()).step_by(61) {
        let mut damaged = written.image.clone();
        damaged.insert(newest, bytes[..len].to_vec());
        let store = store(&damaged);
        let first = recovered(&store).unwrap();
        let after_first = image(&*store);
        let second = recovered(&store).unwrap();
        assert_eq!(first.entries, second.entries, "{len}");
        assert_eq!(second.recovery.bytes_truncated, 0, "{len}");
        assert_eq!(second.recovery.records_carried, 0, "{len}");
        assert_eq!(second.recovery.fresh_segment, None, "{len}");
        assert_eq!(image(&*store), after_first, "{len}: the second recovery changed something");
        assert_eq!(verified(&store).unwrap().verdict, Verdict::Clean, "{len}");
    }
}

/// A torn tail is cut, and reported; nothing vouched for is touched, and the log goes on.
#[test]
fn a_torn_tail_is_cut_and_stays_cut() {
    let written = written(&End::Killed, 40);
    let (&newest, bytes) = written.image.last_key_value().unwrap();
    let end = bytes.iter().rposition(|&byte| byte != 0).unwrap() + 1;
    let mut damaged = written.image.clone();
    let tail = damaged.get_mut(&newest).unwrap();
    tail[end - 40..end - 8].fill(0xee);
    assert_eq!(verified(&store(&damaged)).unwrap().verdict, Verdict::Torn);
    let store = store(&damaged);
    let got = recovered(&store).unwrap();
    assert!(got.recovery.bytes_truncated > 0);
    assert_eq!(got.recovery.torn_at.unwrap().segment, SegmentId::new(newest));
    assert!(got.recovery.fresh_segment.is_some());
    assert!(got.entries.len() >= usize::try_from(written.vouched.get()).unwrap());
    for round in 0..3 {
        let (wal, recovery) = Wal::with_store(Arc::clone(&store) as Arc<dyn SegmentStore>)
            .segment_size(16 * 1024)
            .open()
            .unwrap();
        assert_eq!(recovery.bytes_truncated, 0);
        assert_eq!(recovery.valid_records, got.entries.len() as u64 + round);
        let lsn = wal.append(b"after the tear").unwrap();
        wal.wait_for_lsn(lsn).wait().unwrap();
        wal.close().unwrap();
    }
}

#[test]
fn a_header_of_zeros_is_a_beginning_only_where_nothing_follows_it() {
    let written = written(&End::Closed, 60);
    let ids: Vec<u64> = written.image.keys().copied().collect();
    for &id in &ids {
        let mut damaged = written.image.clone();
        damaged.get_mut(&id).unwrap()[..4096].fill(0);
        let found = verified(&store(&damaged)).unwrap();
        assert_eq!(found.verdict, Verdict::Corrupt, "segment {id}");
        assert!(found.findings.iter().any(|finding| finding.segment == Some(SegmentId::new(id))));
    }
    let newest = ids.last().unwrap() + 1;
    let mut damaged = written.image.clone();
    damaged.insert(newest, vec![0; 20_000]);
    assert_eq!(verified(&store(&damaged)).unwrap().verdict, Verdict::Torn);
    assert_eq!(assert_prefix("blank newest", &written, &damaged), Some(60));
}

/// Any one segment gone is noticed and named, except the newest: a log without its newest segment
/// is what a crash before that segment's making leaves, and FORMAT.md says so.
#[test]
fn a_missing_segment_is_named() {
    let written = written(&End::Closed, 60);
    let ids: Vec<u64> = written.image.keys().copied().collect();
    for &id in &ids[..ids.len() - 1] {
        let mut damaged = written.image.clone();
        damaged.remove(&id);
        let found = verified(&store(&damaged)).unwrap();
        assert_eq!(found.verdict, Verdict::Corrupt, "segment {id}");
        let first = &found.findings[0];
        assert_eq!(first.segment, Some(SegmentId::new(id)), "{first:?}");
        let refused = recovered(&store(&damaged)).err().unwrap();
        assert_eq!(refused.kind(), ErrorKind::Corrupt);
        assert_eq!(refused.at_segment(), Some(SegmentId::new(id)));
        assert_eq!(image(&*store(&damaged)), damaged, "a refused open changes nothing");
    }
}

#[test]
fn swapped_and_copied_segments_are_noticed() {
    let written = written(&End::Closed, 60);
    let ids: Vec<u64> = written.image.keys().copied().collect();
    for pair in ids.windows(2) {
        let mut swapped = written.image.clone();
        let (a, b) = (swapped[&pair[0]].clone(), swapped[&pair[1]].clone());
        swapped.insert(pair[0], b.clone());
        swapped.insert(pair[1], a);
        assert_eq!(verified(&store(&swapped)).unwrap().verdict, Verdict::Corrupt);
        let mut copied = written.image.clone();
        copied.insert(pair[0], b);
        assert_eq!(verified(&store(&copied)).unwrap().verdict, Verdict::Corrupt);
    }
    // The same number, of another log.
    let mut foreign = written.image.clone();
    let other = self::written(&End::Closed, 61);
    foreign.insert(ids[0], other.image[&ids[0]].clone());
    let mut same_chance = written.image.clone();
    same_chance.insert(ids[0], relabelled(&written.image[&ids[0]]));
    assert_eq!(verified(&store(&same_chance)).unwrap().verdict, Verdict::Corrupt);
}

/// The same segment as if another log had written it.
fn relabelled(bytes: &[u8]) -> Vec<u8> {
    let mut header = SegmentHeader::decode(bytes).unwrap();
    header.log.0[0] ^= 1;
    let mut bytes = bytes.to_vec();
    bytes[..4096].copy_from_slice(&header.encode());
    bytes
}

#[test]
fn a_newer_version_is_unsupported_and_never_corrupt() {
    let written = written(&End::Closed, 30);
    let (&newest, _) = written.image.last_key_value().unwrap();
    let mut newer = written.image.clone();
    let bytes = newer.get_mut(&newest).unwrap();
    bytes[8] = 2;
    let crc = crc32c(&bytes[..4092]);
    bytes[4092..4096].copy_from_slice(&crc.to_le_bytes());
    let refused = recovered(&store(&newer)).err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
    assert_eq!(verified(&store(&newer)).unwrap_err().kind(), ErrorKind::Unsupported);
}

/// CRC32C, bit by bit: the reference that owes nothing to the code under test.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
        }
    }
    !crc
}

/// A block in the middle of synced frames that reads as zeros is rot, not a tear: what lies behind
/// it says that it was synced. (etcd's rule takes it for a tear.)
#[test]
fn an_all_zero_block_in_the_middle_is_not_a_tear() {
    let written = written(&End::Killed, 40);
    let (&newest, bytes) = written.image.last_key_value().unwrap();
    let end = bytes.iter().rposition(|&byte| byte != 0).unwrap();
    for block in (4096..end.saturating_sub(2048)).step_by(512) {
        let mut damaged = written.image.clone();
        damaged.get_mut(&newest).unwrap()[block..block + 512].fill(0);
        if damaged == written.image {
            continue;
        }
        let refused = recovered(&store(&damaged)).err();
        let kind = refused.map(|error| error.kind());
        assert_eq!(kind, Some(ErrorKind::Corrupt), "block at {block} of {end}");
    }
}

/// A crash interrupted a recovery, and then the segment that it had been repairing was lost. The
/// beginning of the fresh segment was passed over, nothing else was there, and the log opened as a
/// new one, with a thousand records gone without a word.
#[test]
fn what_an_interrupted_recovery_relied_on_is_missed() {
    let written = written(&End::Killed, 40);
    let recovering = store(&written.image);
    let got = recovered(&recovering).unwrap();
    let fresh = got.recovery.fresh_segment.unwrap();
    let mut begun = unpromised(image(&*recovering));
    // The header alone: a crash before anything was carried over.
    begun.get_mut(&fresh.get()).unwrap().truncate(4096);
    let whole: Image = written
        .image
        .iter()
        .map(|(&id, bytes)| (id, bytes.clone()))
        .chain([(fresh.get(), begun[&fresh.get()].clone())])
        .collect();
    assert_eq!(recovered(&store(&whole)).unwrap().entries, written.records);
    let alone: Image = [(fresh.get(), begun[&fresh.get()].clone())].into();
    assert_eq!(recovered(&store(&alone)).err().unwrap().kind(), ErrorKind::Corrupt);
    assert_eq!(verified(&store(&alone)).unwrap().verdict, Verdict::Corrupt);
    // Or another segment in the middle.
    for &id in written.image.keys() {
        let mut less = whole.clone();
        less.remove(&id);
        assert_eq!(recovered(&store(&less)).err().unwrap().kind(), ErrorKind::Corrupt, "{id}");
    }
}
