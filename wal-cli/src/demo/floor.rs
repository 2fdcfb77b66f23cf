//! The raw cost of a durable write, with nothing of a log around it.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use hdrhistogram::Histogram;
use wal::parts::segment::{Files, OsFiles};

use super::table::{Measured, histogram};

/// Bytes of the file that are taken from the file system up front, as a segment's are.
const PREPARED: u64 = 128 << 20;

/// One thread that writes `size` bytes behind the last and syncs them, again and again: `pwrite` and
/// `fdatasync` in a file prepared as a segment is.
pub(super) fn measure(dir: &Path, size: usize, time: Duration) -> anyhow::Result<Measured> {
    let files = OsFiles::create(dir).context("making a directory failed")?;
    let file = files.create_new("floor").context("making a file failed")?;
    // Where the file system cannot, the writes take the space.
    file.allocate(0, PREPARED).ok();
    file.sync_all().and_then(|()| files.sync_dir()).context("syncing a file failed")?;
    let bytes = vec![0xa5; size];
    let mut latency: Histogram<u64> = histogram()?;
    let began = Instant::now();
    let mut writes = 0;
    while began.elapsed() < time {
        let one = Instant::now();
        let offset = writes * size as u64 % (PREPARED - size as u64);
        file.write_at(offset, &bytes).context("writing to a file failed")?;
        file.sync_data().context("syncing a file failed")?;
        latency.saturating_record(micros(one.elapsed()));
        writes += 1;
    }
    files.remove("floor").context("removing a file failed")?;
    Ok(Measured { commits: writes, syncs: writes, time: began.elapsed(), latency })
}

pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
