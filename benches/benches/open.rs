//! Opening a log of 1, 16 and 256 sealed segments; closing it again is outside the time.

use std::time::{Duration, Instant};

use benches::open::{SEGMENTS, Sealed};
use benches::{Effort, Scratch, Table, load, must, open};
use criterion::{BenchmarkId, Criterion};

fn main() -> anyhow::Result<()> {
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"))?;
    println!("{scratch}; {}", load());
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(1))
        .sample_size(20)
        .configure_from_args();
    let mut group = criterion.benchmark_group("open");
    for segments in SEGMENTS {
        let log = Sealed::new(&scratch, segments)?;
        group.bench_function(BenchmarkId::new("sealed", segments), |bencher| {
            bencher.iter_custom(|opens| (0..opens).map(|_| time(&log)).sum());
        });
        group.bench_function(BenchmarkId::new("floor_look", segments), |bencher| {
            bencher.iter(|| must(log.look()));
        });
    }
    group.finish();
    criterion.final_summary();
    print!("{}", Table { rows: open::rows(&scratch, Effort::of_this_run())? });
    Ok(())
}

fn time(log: &Sealed) -> Duration {
    let began = Instant::now();
    let wal = must(log.open());
    let took = began.elapsed();
    must(wal.close());
    took
}
