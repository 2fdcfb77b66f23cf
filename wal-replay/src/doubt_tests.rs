use wal_core::format::{FrameHeader, FrameKind, OpenSegment, SegmentHeader};
use wal_core::{Epoch, LogId, Lsn, SegmentId};

use super::{Doubt, MOST, Place};

fn beginning() -> OpenSegment {
    OpenSegment::new(SegmentHeader::new(
        LogId([7; 16]),
        SegmentId::FIRST,
        Epoch::new(1),
        Lsn::FIRST,
        1,
    ))
}

/// Meets so many frames of one record, of which each vouches for what lies `behind` records before it,
/// or for nothing; gives back how many places were looked at, and the most that were kept.
fn looked_at(frames: u64, behind: Option<u64>) -> (u64, usize) {
    let open = beginning();
    let (mut doubt, mut at) = (Doubt::new(&open), Place::beginning(&open));
    let mut most = 0;
    for lsn in 1..=frames {
        let mut header = FrameHeader::new(FrameKind::Records, Lsn::new(lsn));
        (header.count, header.body_len) = (1, 8);
        header.watermark = behind.map_or(Lsn::ZERO, |behind| Lsn::new(lsn.saturating_sub(behind)));
        doubt.hear(&header, at.offset);
        doubt.pass(&mut at, &header, open.start());
        most = most.max(doubt.places.len());
    }
    (doubt.looked, most)
}

/// Each new frame walked all that were in doubt: 20,000 of them took 0.4 s, 160,000 took 50 s, and a
/// log under `os` did not come back after a kill. No number here is a time.
#[test]
fn the_work_is_linear_in_the_frames_in_doubt() {
    for frames in [10_000, 20_000, 40_000, 1_000_000] {
        for behind in [None, Some(1), Some(100), Some(5_000), Some(frames / 2)] {
            let (looked, most) = looked_at(frames, behind);
            assert!(looked <= 3 * frames, "{looked} looked at for {frames}, {behind:?} behind");
            assert!(most <= MOST, "{most} are kept for {frames}, {behind:?} behind");
        }
    }
}
