//! Reading a log from end to end out of the page cache, every frame verified.

use std::time::Duration;

use benches::scan::Recorded;
use benches::{Effort, Scratch, Table, load, must, scan};
use criterion::{Criterion, SamplingMode, Throughput};

fn main() -> anyhow::Result<()> {
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"))?;
    println!("{scratch}; {}", load());
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    for (name, records, record_len) in [("100", 1_000_000, 100), ("1024", 100_000, 1024)] {
        let log = Recorded::new(&scratch, records, record_len)?;
        let mut group = criterion.benchmark_group(format!("scan/{name}"));
        group.sampling_mode(SamplingMode::Flat).sample_size(10);
        group.throughput(Throughput::Elements(records));
        group.bench_function("cursor", |bencher| bencher.iter(|| must(log.scan())));
        group.bench_function("floor_checksum", |bencher| bencher.iter(|| log.checksum()));
        group.bench_function("floor_read_and_checksum", |bencher| {
            bencher.iter(|| must(log.read_and_checksum()));
        });
        group.finish();
    }
    let log = Recorded::new(&scratch, 10_000, 100)?;
    criterion.bench_function("bench_wal_replay_10k", |bencher| bencher.iter(|| must(log.scan())));
    criterion.final_summary();
    print!("{}", Table { rows: scan::rows(&scratch, Effort::of_this_run())? });
    Ok(())
}
