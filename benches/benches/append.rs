//! Appending records of 100, 1024 and 10240 bytes without waiting; the log is open before, and what
//! is staged is written and synced outside the time.

use std::time::Duration;

use benches::append::{Appending, Extending, RECORD_LENS};
use benches::{Effort, Scratch, Table, append, load, must};
use criterion::{BenchmarkId, Criterion, Throughput};

fn main() -> anyhow::Result<()> {
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"))?;
    println!("{scratch}; {}", load());
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("append");
    // Short, since every burst ends on the disk.
    group.sample_size(20).warm_up_time(Duration::from_millis(300));
    group.measurement_time(Duration::from_secs(2));
    for record_len in RECORD_LENS {
        let (log, buffer) = (Appending::new(&scratch, record_len)?, Extending::new(record_len)?);
        group.throughput(Throughput::Bytes(record_len as u64));
        group.bench_function(BenchmarkId::from_parameter(record_len), |bencher| {
            bencher.iter_custom(|records| must(log.append(records)));
        });
        group.bench_function(BenchmarkId::new("floor_extend", record_len), |bencher| {
            bencher.iter_custom(|records| must(buffer.append(records)));
        });
    }
    group.finish();
    criterion.final_summary();
    print!("{}", Table { rows: append::rows(&scratch, Effort::of_this_run())? });
    Ok(())
}
