//! Records that are durable when the writer goes on: one writer, one writer's batches, 64 writers.

use std::time::Duration;

use benches::crowd::WRITERS;
use benches::durable::Committer;
use benches::{Effort, Fill, RawFile, Scratch, Table, crowd, durable, load, must};
use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use wal::Strategy;

fn main() -> anyhow::Result<()> {
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"))?;
    println!("{scratch}; {}", load());
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(20)
        .configure_from_args();
    one_writer(&scratch, &mut criterion)?;
    writers(&scratch, &mut criterion)?;
    criterion.final_summary();
    let effort = Effort::of_this_run();
    let mut rows = durable::rows(&scratch, effort)?;
    rows.extend(crowd::rows(&scratch, effort)?);
    print!("{}", Table { rows });
    Ok(())
}

fn one_writer(scratch: &Scratch, criterion: &mut Criterion) -> anyhow::Result<()> {
    for (fill, name) in [(Fill::Allocated, ""), (Fill::Zeros, "_zero_filled")] {
        let log = Committer::new(scratch, Strategy::GroupCommit, fill)?;
        let size = 64 << 20;
        let bytes = vec![7; log.growth(|| log.commit())?];
        let mut raw = RawFile::new(scratch.path(), fill, size)?;
        criterion.bench_function(&format!("floor_append_sync{name}"), |bencher| {
            bencher.iter(|| must(raw.commit(&bytes)));
        });
        criterion.bench_function(&format!("bench_wal_append_sync{name}"), |bencher| {
            bencher.iter(|| must(log.commit()));
        });
    }
    let log = Committer::new(scratch, Strategy::GroupCommit, Fill::Allocated)?;
    criterion.bench_function("bench_wal_batch_100", |bencher| {
        bencher.iter(|| must(log.commit_batch(100)));
    });
    Ok(())
}

fn writers(scratch: &Scratch, criterion: &mut Criterion) -> anyhow::Result<()> {
    let mut group = criterion.benchmark_group("writers");
    group.sampling_mode(SamplingMode::Flat).sample_size(10);
    for (strategy, name, each) in
        [(Strategy::GroupCommit, "group_commit", 100), (Strategy::Sync, "sync", 10)]
    {
        let log = Committer::new(scratch, strategy, Fill::Allocated)?;
        group.throughput(Throughput::Elements(WRITERS as u64 * each));
        group.bench_function(BenchmarkId::new(name, WRITERS), |bencher| {
            bencher
                .iter_custom(|runs| (0..runs).map(|_| must(log.crowd(WRITERS, each)).took).sum());
        });
    }
    group.finish();
    Ok(())
}
