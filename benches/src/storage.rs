//! Where segments live: each way to take their space and to write them, against the raw file that is
//! written in the same way.

use std::time::Instant;

use anyhow::Result;
use wal::parts::core::{SegmentId, SegmentStore, SegmentWriter};
use wal::parts::segment::{Access, Ahead, FileStore};
use wal::{Config, Preparation, Recycling, Strategy, Wal, Writing};

use crate::{Aligned, Budget, Effort, Fill, RawFile, Row, Samples, Scratch, float, interleaved};

/// Bytes of a segment, and of the raw file beside it.
const SEGMENT_SIZE: u64 = 64 << 20;

/// Bytes of a durable record, and of one that is not waited for.
const SMALL: usize = 100;

/// Bytes of one write of the floor of a stream.
const WRITE: usize = 1 << 20;

/// Bytes appended before the sync of a stream.
const STREAM: u64 = 48 << 20;

/// A way to keep segments, and the raw file of the same kind.
struct Way {
    name: &'static str,
    preparation: Preparation,
    recycling: Recycling,
    writing: Writing,
    raw: (Fill, Access),
}

const fn way(
    name: &'static str,
    preparation: Preparation,
    writing: Writing,
    raw: (Fill, Access),
) -> Way {
    Way { name, preparation, recycling: Recycling::Off, writing, raw }
}

const WAYS: [Way; 7] = [
    way("appended", Preparation::None, Writing::Buffered, (Fill::Nothing, Access::Write)),
    way("fallocate", Preparation::Whole, Writing::Buffered, (Fill::Allocated, Access::Write)),
    way("zeros", Preparation::ZeroFill, Writing::Buffered, (Fill::Zeros, Access::Write)),
    way(
        "zeros ahead",
        Preparation::ZerosAhead(16 << 20),
        Writing::Buffered,
        (Fill::Zeros, Access::Write),
    ),
    Way {
        name: "used again",
        preparation: Preparation::ZerosAhead(16 << 20),
        recycling: Recycling::Keep(4),
        writing: Writing::Buffered,
        raw: (Fill::Zeros, Access::Write),
    },
    way(
        "zeros, O_DSYNC",
        Preparation::ZeroFill,
        Writing::Synced,
        (Fill::Zeros, Access::WriteSynced),
    ),
    way(
        "zeros, O_DIRECT",
        Preparation::ZeroFill,
        Writing::Direct,
        (Fill::Zeros, Access::WriteDirect),
    ),
];

impl Way {
    fn config(&self, segment_size: u64) -> Config {
        let mut config = Config::default();
        config.segment_size = segment_size;
        config.preparation = Some(self.preparation);
        config.recycling = Some(self.recycling);
        config.writing = Some(self.writing);
        config
    }

    /// A log that is written in this way, with files to be used again where that is the way.
    fn log(&self, scratch: &Scratch, strategy: Strategy) -> Result<Wal> {
        let mut config = self.config(SEGMENT_SIZE);
        config.strategy = strategy;
        let (wal, _) = Wal::builder(scratch.path()).config(config).open()?;
        if self.recycling != Recycling::Off {
            let record = vec![7; 1 << 20];
            for _ in 0..SEGMENT_SIZE * 5 / (1 << 20) {
                wal.append(&record)?;
            }
            wal.sync()?;
            wal.prune_before(wal.durable_lsn())?;
        }
        commit(&wal)?;
        Ok(wal)
    }

    fn raw(&self, scratch: &Scratch) -> Result<RawFile> {
        let (fill, access) = self.raw;
        RawFile::with_access(scratch.path(), fill, SEGMENT_SIZE, access)
    }

    /// Whether the system takes such writes in this directory.
    fn works(&self, scratch: &Scratch) -> bool {
        self.raw(scratch).and_then(|mut raw| raw.commit(Aligned::new(4096).bytes())).is_ok()
    }
}

/// Durable records of one writer, streams, making a segment, and what rotation costs.
pub fn rows(scratch: &Scratch, effort: Effort) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for way in WAYS.iter().filter(|way| way.works(scratch)) {
        rows.push(durable(scratch, effort, way)?);
    }
    for way in WAYS.iter().filter(|way| way.works(scratch)) {
        rows.extend(stream(scratch, effort, way, (1024, "1 KiB"))?);
        if way.recycling != Recycling::Off {
            rows.extend(stream(scratch, effort, way, (100, "100 B"))?);
            rows.extend(stream(scratch, effort, way, (10_240, "10 KiB"))?);
        }
    }
    for way in WAYS.iter().filter(|way| way.works(scratch)) {
        rows.push(making(scratch, effort, way)?);
    }
    for (segment_size, name) in [(1 << 20, "1 MiB"), (64 << 10, "64 KiB")] {
        rows.push(rotation(scratch, effort, segment_size, name)?);
    }
    Ok(rows)
}

fn commit(wal: &Wal) -> Result<()> {
    let lsn = wal.append([7; SMALL])?;
    Ok(wal.wait_for_lsn(lsn).wait()?)
}

fn durable(scratch: &Scratch, effort: Effort, way: &Way) -> Result<Row> {
    let wal = way.log(scratch, Strategy::GroupCommit)?;
    let mut raw = way.raw(scratch)?;
    // A frame with a record of 100 bytes, or a block where writes come in blocks.
    let bytes = Aligned::new(if way.writing == Writing::Direct { 4096 } else { 152 });
    let commits = effort.size(150);
    let [floor, ours] = interleaved(
        effort.rounds(21),
        &mut [&mut || each(commits, || raw.commit(bytes.bytes())), &mut || {
            each(commits, || commit(&wal))
        }],
    )?;
    Ok(Row::new(
        format!("one writer, each 100 B durable, {}", way.name),
        "us",
        ("as many bytes into such a file", &floor),
        &ours,
        Budget::RatioAtMost(1.15),
    ))
}

/// A stream of records of so many bytes, against large writes that are synced one by one; and against
/// the same with one sync at the end.
fn stream(
    scratch: &Scratch,
    effort: Effort,
    way: &Way,
    (record_len, name): (usize, &str),
) -> Result<Vec<Row>> {
    let wal = way.log(scratch, Strategy::Pipelined)?;
    let (mut raw, mut raw_once) = (way.raw(scratch)?, way.raw(scratch)?);
    let block = Aligned::new(WRITE);
    let record = vec![7; record_len];
    let bytes = effort.size(STREAM);
    let writes = bytes.div_ceil(WRITE as u64);
    let begin = |raw: &mut RawFile| {
        if way.recycling == Recycling::Off {
            return raw.renew();
        }
        raw.rewind();
        Ok(())
    };
    let [floor, once, ours] = interleaved(
        effort.rounds(9),
        &mut [
            &mut || {
                begin(&mut raw)?;
                megabytes_a_second(writes * WRITE as u64, || {
                    (0..writes).try_for_each(|_| raw.commit(block.bytes()))
                })
            },
            &mut || {
                begin(&mut raw_once)?;
                megabytes_a_second(writes * WRITE as u64, || {
                    (0..writes).try_for_each(|_| raw_once.write(block.bytes()))?;
                    raw_once.sync()
                })
            },
            &mut || {
                let records = bytes / record_len as u64;
                let rate = megabytes_a_second(records * record_len as u64, || {
                    for _ in 0..records {
                        wal.append(&record)?;
                    }
                    Ok(wal.sync()?)
                })?;
                wal.prune_before(wal.durable_lsn())?;
                Ok(rate)
            },
        ],
    )?;
    let budget = match way.raw.0 {
        // What is written twice cannot keep up with what is written once.
        Fill::Zeros if way.recycling == Recycling::Off => Budget::Open,
        _ if record_len < 1024 => Budget::RatioAtLeast(0.6),
        _ => Budget::RatioAtLeast(0.8),
    };
    let row = |against: &'static str, floor: &Samples, budget: Budget| {
        let what = format!("{name} without waiting, {}", way.name);
        Row::new(what, "MB/s", (against, floor), &ours, budget)
    };
    let harder = if way.recycling == Recycling::Off { Budget::Open } else { budget };
    Ok(vec![
        row("1 MiB each durable into such a file", &floor, budget),
        row("1 MiB each, one sync at the end", &once, harder),
    ])
}

/// A segment of 64 MiB, from nothing to its first durable block, against the same without any space.
fn making(scratch: &Scratch, effort: Effort, way: &Way) -> Result<Row> {
    let bare = FileStore::open(scratch.path().join("bare"))?.preparation(Preparation::None);
    let store = FileStore::open(scratch.path().join("ours"))?
        .preparation(way.preparation)
        .recycling(way.recycling)
        .ahead(Ahead::Caller)
        .writing(way.writing);
    let _locks = (bare.lock()?, store.lock()?);
    let (mut bare_id, mut id) = (SegmentId::FIRST, SegmentId::FIRST);
    let [floor, ours] = interleaved(
        effort.rounds(9),
        &mut [&mut || make(&bare, &mut bare_id), &mut || make(&store, &mut id)],
    )?;
    Ok(Row::new(
        format!("making a segment of 64 MiB now, {}", way.name),
        "ms",
        ("a segment without space", &floor),
        &ours,
        Budget::Open,
    ))
}

fn make(store: &FileStore, id: &mut SegmentId) -> Result<f64> {
    let block = [7; 4096];
    let began = Instant::now();
    let mut writer: Box<dyn SegmentWriter> = store.create(*id, SEGMENT_SIZE)?;
    writer.append(&block)?;
    writer.syncer().sync()?;
    let took = began.elapsed();
    drop(writer);
    store.remove(&[*id])?;
    *id = id.next();
    Ok(took.as_secs_f64() * 1e3)
}

/// The slowest of a thousand durable appends where segments are so small that many of them rotate,
/// against a log that never does.
fn rotation(
    scratch: &Scratch,
    effort: Effort,
    segment_size: u64,
    name: &'static str,
) -> Result<Row> {
    let open = |segment_size| -> Result<Wal> {
        let mut config = Config::default();
        config.segment_size = segment_size;
        let (wal, _) = Wal::builder(scratch.path()).config(config).open()?;
        commit(&wal)?;
        Ok(wal)
    };
    let (still, turning) = (open(1 << 30)?, open(segment_size)?);
    let appends = effort.size(4000);
    let [floor, ours] = interleaved(
        effort.rounds(7),
        &mut [&mut || slowest(appends, &still), &mut || {
            let slowest = slowest(appends, &turning)?;
            turning.prune_before(turning.durable_lsn())?;
            Ok(slowest)
        }],
    )?;
    Ok(Row::new(
        format!("p99.9 of one writer, each 100 B durable, segments of {name}"),
        "us",
        ("without rotation", &floor),
        &ours,
        Budget::RatioAtMost(2.0),
    ))
}

/// The 99.9th percentile of so many durable appends, in microseconds.
fn slowest(appends: u64, wal: &Wal) -> Result<f64> {
    let mut took = Vec::new();
    for _ in 0..appends {
        let began = Instant::now();
        commit(wal)?;
        took.push(began.elapsed().as_secs_f64() * 1e6);
    }
    Ok(Samples::from(took).percentile(0.999))
}

/// Microseconds a call.
fn each(calls: u64, mut call: impl FnMut() -> Result<()>) -> Result<f64> {
    let began = Instant::now();
    for _ in 0..calls {
        call()?;
    }
    Ok(began.elapsed().as_secs_f64() * 1e6 / float(calls))
}

fn megabytes_a_second(bytes: u64, work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let began = Instant::now();
    work()?;
    Ok(float(bytes) / began.elapsed().as_secs_f64() / 1e6)
}
