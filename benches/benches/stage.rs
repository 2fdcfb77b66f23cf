//! Staging 100 bytes without waiting; what is staged is written and synced outside the time.

use std::time::Duration;

use benches::stage::{BURST, Buffer, PRODUCERS, Staging};
use benches::{Effort, Scratch, Table, load, must, stage};
use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};

fn main() -> anyhow::Result<()> {
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"))?;
    println!("{scratch}; {}", load());
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("stage");
    // One iteration is a whole burst. Short, since every burst ends on the disk.
    group.sampling_mode(SamplingMode::Flat).sample_size(10).throughput(Throughput::Elements(BURST));
    group.warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(400));
    let (staging, buffer) = (Staging::new(&scratch)?, Buffer::new()?);
    for producers in PRODUCERS {
        group.bench_function(BenchmarkId::new("append", producers), |bencher| {
            bencher.iter_custom(|bursts| {
                (0..bursts).map(|_| must(staging.burst(producers, BURST))).sum()
            });
        });
        group.bench_function(BenchmarkId::new("floor_extend", producers), |bencher| {
            bencher.iter_custom(|bursts| {
                (0..bursts).map(|_| must(buffer.burst(producers, BURST))).sum()
            });
        });
    }
    group.finish();
    criterion.final_summary();
    print!("{}", Table { rows: stage::rows(&scratch, Effort::of_this_run())? });
    Ok(())
}
