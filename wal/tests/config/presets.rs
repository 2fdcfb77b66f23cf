//! The presets, and what overrides them.

use std::time::Duration;

use wal::{Config, Grouping, Preparation, Strategy};

use crate::read;

type Row = (&'static str, fn() -> Config);

const PRESETS: [Row; 6] = [
    ("oltp", Config::oltp),
    ("analytics", Config::analytics),
    ("mixed", Config::mixed),
    ("low_latency", Config::low_latency),
    ("high_throughput", Config::high_throughput),
    ("durability_critical", Config::durability_critical),
];

#[test]
fn a_preset_is_there_by_its_name() {
    for (name, preset) in PRESETS {
        preset().validate().unwrap();
        assert_eq!(read(&format!("[wal]\npreset = '{name}'")), preset(), "{name}");
        let dashed = name.replace('_', "-");
        assert_eq!(read(&format!("[wal]\npreset = '{dashed}'")), preset(), "{dashed}");
    }
    assert_eq!(read("[wal]\npreset = 'balanced'"), Config::mixed());
}

fn grouped(millis: u64, records: u64) -> Config {
    let mut config = Config::default();
    config.group_commit = Some(Grouping::new(Duration::from_millis(millis), records));
    config
}

/// Interval and batch of each, and the buffer and the chunks of those that have them.
#[test]
fn the_presets_have_the_documented_values() {
    assert_eq!(Config::oltp(), grouped(5, 50));
    assert_eq!(Config::analytics(), grouped(20, 500));
    assert_eq!(Config::mixed(), grouped(10, 100));

    let mut low_latency = grouped(1, 10);
    low_latency.buffer_size = 16 * 1024;
    low_latency.preparation = Some(Preparation::Chunks(4 * 1024 * 1024));
    assert_eq!(Config::low_latency(), low_latency);

    let mut high_throughput = grouped(100, 1000);
    high_throughput.strategy = Strategy::FlushThread;
    high_throughput.buffer_size = 256 * 1024;
    high_throughput.preparation = Some(Preparation::Chunks(64 * 1024 * 1024));
    assert_eq!(Config::high_throughput(), high_throughput);

    let mut critical = Config::default();
    critical.strategy = Strategy::Sync;
    critical.segment_size = 16 * 1024 * 1024;
    critical.preparation = Some(Preparation::ZeroFill);
    critical.alignment = 4096;
    assert_eq!(Config::durability_critical(), critical);
}

#[test]
fn explicit_keys_win_wherever_they_stand() {
    let config = read(
        r#"
        [wal]
        strategy = "pipelined"
        alignment = 512
        preset = "low_latency"
        [wal.group_commit]
        max_batch_size = 20
        "#,
    );
    let mut same = Config::low_latency();
    same.strategy = Strategy::Pipelined;
    same.alignment = 512;
    same.group_commit = Some(Grouping::new(Duration::from_millis(1), 20));
    assert_eq!(config, same);

    let mode = "[wal]\npreset = 'oltp'\n[wal.group_commit]\ndurability_mode = 'flush_thread'";
    let mut same = Config::oltp();
    same.strategy = Strategy::FlushThread;
    assert_eq!(read(mode), same);
}
