//! The ways of reading a segment: a log from end to end, and a few bytes here and there, with the
//! bytes in the page cache and without.

use std::fs::File;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use wal::parts::core::{SegmentReader, SegmentStore};
use wal::parts::segment::{Access, FileStore, Files, OpenFile, OsFiles};
use wal::{Reading, SegmentId};

use crate::scan::Recorded;
use crate::{Budget, Effort, Row, Scratch, float, interleaved};

/// The ways, as their rows are called.
const WAYS: [(&str, Reading); 3] =
    [("buffered", Reading::Buffered), ("mapped", Reading::Mapped), ("direct", Reading::Direct)];

/// Bytes of a read here and there: a frame's header and a small record.
const FEW: usize = 128;

/// Whether the page cache has the bytes when they are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cache {
    /// It has.
    Warm,
    /// It was asked to let go of them. What lies below, such as the host of a virtual machine, may
    /// have them still.
    Cold,
}

impl Cache {
    fn prepare(self, files: &[PathBuf]) -> Result<()> {
        for path in files {
            match self {
                Self::Warm => {
                    std::io::copy(&mut File::open(path)?, &mut std::io::sink())?;
                }
                Self::Cold => {
                    let file = opened(path)?;
                    // Only what is written out can go.
                    file.sync_data()?;
                    file.forget(0, file.size()?);
                }
            }
        }
        Ok(())
    }
}

/// Reads few bytes at places all over the log's first segment, `reads` times, and says how many
/// bytes that gave.
pub fn here_and_there(
    size: u64,
    reads: u64,
    mut read_at: impl FnMut(u64, &mut [u8]) -> std::io::Result<usize>,
) -> Result<u64> {
    let (mut place, mut bytes) = (1_u64, 0);
    let mut buffer = [0; FEW];
    for _ in 0..reads {
        place = place.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        let offset = (place >> 16) % (size - FEW as u64);
        bytes += read_at(offset, &mut buffer)? as u64;
        black_box(&buffer);
    }
    ensure!(bytes == reads * FEW as u64, "{bytes} bytes came back of {reads} reads");
    Ok(bytes)
}

/// A log from end to end through a cursor, in MB of files a second, beside `pread` and a checksum;
/// and small reads, in nanoseconds each, beside `pread`.
pub fn rows(scratch: &Scratch, effort: Effort) -> Result<Vec<Row>> {
    let log = Recorded::new(scratch, effort.size(100_000), 1024)?;
    let mut rows = scans(&log, effort)?;
    rows.extend(small(&log, effort)?);
    Ok(rows)
}

fn scans(log: &Recorded, effort: Effort) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let megabytes = float(log.bytes()) / 1e6;
    for (name, cache) in [("warm", Cache::Warm), ("cold", Cache::Cold)] {
        let timed = |scan: &dyn Fn() -> Result<()>| {
            cache.prepare(log.files())?;
            let began = Instant::now();
            scan()?;
            Ok(megabytes / began.elapsed().as_secs_f64())
        };
        let scan = |way| timed(&|| log.scan_by(way).map(drop));
        let [floor, buffered, mapped, direct] = interleaved(
            effort.rounds(9),
            &mut [
                &mut || timed(&|| log.read_and_checksum().map(black_box).map(|_| ())),
                &mut || scan(Reading::Buffered),
                &mut || scan(Reading::Mapped),
                &mut || scan(Reading::Direct),
            ],
        )?;
        for ((way, _), ours) in WAYS.iter().zip([buffered, mapped, direct]) {
            let what = format!("scan 1 KiB, {way}, {name}");
            let floor = ("pread of 1 MiB each + CRC32C", &floor);
            rows.push(Row::new(what, "MB/s", floor, &ours, Budget::Open));
        }
    }
    Ok(rows)
}

/// A file as the store opens it: the bare call, and the path where it fails.
fn opened(path: &Path) -> Result<Arc<dyn OpenFile>> {
    let dir = path.parent().context("a file lies in a directory")?;
    let name = path.file_name().and_then(|name| name.to_str()).context("a file has a name")?;
    Ok(OsFiles::open(dir)?.open(name, Access::Read)?)
}

fn small(log: &Recorded, effort: Effort) -> Result<Vec<Row>> {
    let reads = effort.size(20_000);
    let file = opened(&log.files()[0])?;
    let size = file.size()?;
    let readers = WAYS
        .map(|(_, way)| FileStore::open_read_only(log.dir())?.reading(way).open(SegmentId::FIRST));
    let [buffered, mapped, direct] = readers;
    let (buffered, mapped, direct) = (buffered?, mapped?, direct?);
    Cache::Warm.prepare(&log.files()[..1])?;
    let timed = |read: &dyn Fn(u64, &mut [u8]) -> std::io::Result<usize>| {
        let began = Instant::now();
        here_and_there(size, reads, read)?;
        Ok(began.elapsed().as_secs_f64() * 1e9 / float(reads))
    };
    let by = |reader: &dyn SegmentReader| timed(&|offset, buffer| reader.read_at(offset, buffer));
    let [floor, buffered, mapped, direct] = interleaved(
        effort.rounds(9),
        &mut [
            &mut || timed(&|offset, buffer| file.read_at(offset, buffer)),
            &mut || by(&*buffered),
            &mut || by(&*mapped),
            &mut || by(&*direct),
        ],
    )?;
    let rows = WAYS.iter().zip([buffered, mapped, direct]).map(|((way, _), ours)| {
        let what = format!("128 B here and there, {way}, warm");
        Row::new(what, "ns", ("pread", &floor), &ours, Budget::Open)
    });
    Ok(rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_reads_the_same() {
        let base = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let scratch = Scratch::new(base.path()).unwrap();
        let log = Recorded::new(&scratch, 1000, 100).unwrap();
        for (name, way) in WAYS {
            for cache in [Cache::Warm, Cache::Cold] {
                cache.prepare(log.files()).unwrap();
                assert_eq!(log.scan_by(way).unwrap(), 100_000, "{name} {cache:?}");
            }
        }
    }

    #[test]
    fn a_read_that_gives_too_little_is_no_measurement() {
        assert!(here_and_there(1000, 10, |_, _| Ok(FEW - 1)).is_err());
        assert_eq!(here_and_there(1000, 10, |_, _| Ok(FEW)).unwrap(), 1280);
    }
}
