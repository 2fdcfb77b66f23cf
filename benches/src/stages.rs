//! What each step of a durable commit costs, as a share of the whole.
//!
//! In these rows the whole commit stands where the floor stands in others, and a ratio is a share.
//! Each step is timed by itself, with what it needs at hand, so its cost within a commit, where
//! nothing is warm after the sync before, is more rather than less: the rest is what the whole
//! costs beyond the steps, and that is in it, as are the frame header, the clock, the locks of a
//! flush and telling who waits.
//! It is a difference, and where the disk is uneven it may come out below zero.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::Result;
use wal::Strategy;
use wal::parts::codec::{Binary, Operation};
use wal::parts::core::Codec;

use crate::append::Appending;
use crate::durable::{Committer, SEGMENT_SIZE};
use crate::{Budget, Effort, Fill, RawFile, Row, Samples, Scratch, float, interleaved};

/// Bytes of a record.
pub const RECORD_LEN: usize = 100;

/// Records of a commit: one alone, and a group.
pub const GROUPS: [usize; 2] = [1, 32];

/// Commits of a round, for the steps that go to the disk.
const COMMITS: u64 = 100;

/// Commits of a round, for the steps that do not.
const IN_MEMORY: u64 = 10_000;

/// A row put, of [`RECORD_LEN`] bytes once encoded.
fn operation() -> Operation {
    Operation::put("accounts", 4711_u64.to_le_bytes(), [7; 71]).at(1_700_000_000).within(9)
}

/// Encodes, stages and waits: the whole of a commit of this many records.
fn commit(
    log: &Committer,
    operation: &Operation,
    records: usize,
    bytes: &mut Vec<u8>,
) -> Result<()> {
    let mut last = log.wal.last_lsn();
    for _ in 0..records {
        bytes.clear();
        Binary.encode(black_box(operation), bytes)?;
        last = log.wal.append(&*bytes)?;
    }
    Ok(log.wal.wait_for_lsn(last).wait()?)
}

/// Nanoseconds of each step, for a commit of one record and of a group.
pub fn rows(scratch: &Scratch, effort: Effort) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for records in GROUPS {
        rows.extend(steps(scratch, effort, records)?);
    }
    Ok(rows)
}

fn steps(scratch: &Scratch, effort: Effort, records: usize) -> Result<Vec<Row>> {
    let operation = operation();
    let log = Committer::new(scratch, Strategy::GroupCommit, Fill::Allocated)?;
    let staging = Appending::new(scratch, RECORD_LEN)?;
    let mut raw = RawFile::new(scratch.path(), Fill::Allocated, SEGMENT_SIZE)?;
    let mut raw_too = RawFile::new(scratch.path(), Fill::Allocated, SEGMENT_SIZE)?;
    let mut encoded = Vec::new();
    let frame_len = log.growth(|| commit(&log, &operation, records, &mut Vec::new()))?;
    let frame = black_box(vec![7; frame_len]);
    let record = black_box(vec![7; RECORD_LEN]);
    let mut room = Vec::with_capacity(frame_len);
    let mut bytes = Vec::with_capacity(RECORD_LEN);
    let (on_disk, in_memory) = (effort.size(COMMITS), effort.size(IN_MEMORY) / records as u64 + 1);

    let [whole, encode, stage, copy, checksum, write, sync] = interleaved(
        effort.rounds(31),
        &mut [
            &mut || each(on_disk, || timed(|| commit(&log, &operation, records, &mut bytes))),
            &mut || {
                all(in_memory, || {
                    for _ in 0..records {
                        encoded.clear();
                        Binary.encode(black_box(&operation), &mut encoded)?;
                    }
                    Ok(())
                })
            },
            &mut || {
                let took = staging.append(in_memory * records as u64)?;
                Ok(nanoseconds(took) / float(in_memory))
            },
            &mut || {
                all(in_memory, || {
                    room.clear();
                    (0..records).for_each(|_| room.extend_from_slice(black_box(&record)));
                    black_box(&room);
                    Ok(())
                })
            },
            &mut || {
                all(in_memory, || {
                    black_box(crc32c::crc32c(black_box(&frame)));
                    Ok(())
                })
            },
            &mut || {
                each(on_disk, || {
                    let took = timed(|| raw.write(&frame))?;
                    raw.sync().map(|()| took)
                })
            },
            &mut || {
                each(on_disk, || {
                    raw_too.write(&frame)?;
                    timed(|| raw_too.sync())
                })
            },
        ],
    )?;
    let rest = whole.less(&[&encode, &stage, &checksum, &write, &sync]);
    let row = |step: &str, cost: &Samples| {
        let what = format!("commit of {records} x {RECORD_LEN} B: {step}");
        Row::new(what, "ns", ("the whole commit", &whole), cost, Budget::Open)
    };
    Ok(vec![
        row("encode (Binary)", &encode),
        row("LSN and staging", &stage),
        row("of that, the copy", &copy),
        row("checksum (CRC32C)", &checksum),
        row("write (pwrite)", &write),
        row("sync (fdatasync)", &sync),
        row("the rest", &rest),
        row("whole", &whole),
    ])
}

/// Nanoseconds a call, of what the call itself says it took.
fn each(calls: u64, mut call: impl FnMut() -> Result<Duration>) -> Result<f64> {
    let mut took = Duration::ZERO;
    for _ in 0..calls {
        took += call()?;
    }
    Ok(nanoseconds(took) / float(calls))
}

/// Nanoseconds a call, for calls so short that reading the clock would be seen.
fn all(calls: u64, mut call: impl FnMut() -> Result<()>) -> Result<f64> {
    let took = timed(|| (0..calls).try_for_each(|_| call()))?;
    Ok(nanoseconds(took) / float(calls))
}

fn timed(call: impl FnOnce() -> Result<()>) -> Result<Duration> {
    let began = Instant::now();
    call()?;
    Ok(began.elapsed())
}

fn nanoseconds(took: Duration) -> f64 {
    took.as_secs_f64() * 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every step handles as many bytes as the commit it is compared with.
    #[test]
    fn the_operation_is_as_long_as_the_record_that_is_staged_and_copied() {
        let mut bytes = Vec::new();
        Binary.encode(&operation(), &mut bytes).unwrap();
        assert_eq!(bytes.len(), RECORD_LEN);
    }

    #[test]
    fn a_group_is_one_frame_and_one_sync() {
        let base = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(base.path()).unwrap();
        let log = Committer::new(&scratch, Strategy::GroupCommit, Fill::Allocated).unwrap();
        let grown = log.growth(|| commit(&log, &operation(), 32, &mut Vec::new())).unwrap();
        assert_eq!(grown, 48 + 32 * (1 + RECORD_LEN));
    }
}
