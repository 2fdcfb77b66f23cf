//! What is written out is read back as it was.

use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::Strategy as Generator;
use wal::{
    Caching, Config, ConfigFile, Grouping, Preparation, Reading, Recycling, Strategy, Tuning,
    WhenDiskFull, WhenFull, Writing,
};

use crate::strategies;

fn any_strategy() -> impl Generator<Value = Strategy> {
    let named = strategies().into_iter().map(|(_, strategy)| strategy);
    prop_oneof![
        proptest::sample::select(named.collect::<Vec<_>>()),
        any_time().prop_map(Strategy::Interval),
    ]
}

/// In whole milliseconds and in nanoseconds.
fn any_time() -> impl Generator<Value = Duration> {
    prop_oneof![
        (1..=60_000_u64).prop_map(Duration::from_millis),
        (1..=60_000_000_000_u64).prop_map(Duration::from_nanos),
    ]
}

prop_compose! {
    fn any_grouping()(
        interval in any_time(),
        most in 1..=1_000_000_u64,
        least in any::<u64>(),
        adaptive in any::<bool>(),
    ) -> Grouping {
        let mut grouping = Grouping::new(interval, most);
        grouping.min_batch_size = least % (most + 1);
        grouping.tuning = if adaptive { Tuning::Adaptive } else { Tuning::Fixed };
        grouping
    }
}

/// The ways of reading that this build has.
fn known_ways() -> Vec<Reading> {
    let ways = [Reading::Buffered, Reading::Mapped, Reading::Direct];
    ways.into_iter().filter(|way| way.is_known()).collect()
}

prop_compose! {
    fn any_config()(
        strategy in any_strategy(),
        group_commit in proptest::option::of(any_grouping()),
        segment_size in 16_384..=2_u64 << 40,
        preparation in proptest::option::of(prop_oneof![
            Just(Preparation::None),
            Just(Preparation::Whole),
            Just(Preparation::ZeroFill),
            (1..=16_u64 << 40).prop_map(Preparation::Chunks),
            (1..=16_u64 << 40).prop_map(Preparation::ZerosAhead),
        ]),
        recycling in proptest::option::of(prop_oneof![
            Just(Recycling::Off),
            (0..100_usize).prop_map(Recycling::Keep),
        ]),
        writing in proptest::option::of(prop_oneof![
            Just(Writing::Buffered),
            Just(Writing::Synced),
            Just(Writing::Direct),
        ]),
        caching in prop_oneof![Just(Caching::Keep), Just(Caching::Drop)],
        reading in proptest::sample::select(known_ways()),
        record_limit in 1..=1_usize << 24,
        batch_limit in 1_usize << 24..=512 << 20,
        frame_size in 1..=256_usize << 20,
        buffer_size in 1..=1_usize << 30,
        max_size in proptest::option::of(32_u64 << 40..=u64::MAX >> 1),
        when_disk_full in prop_oneof![Just(WhenDiskFull::Refuse), Just(WhenDiskFull::Wait)],
        when_full in prop_oneof![Just(WhenFull::Block), Just(WhenFull::Refuse)],
        alignment in 3..=12_u32,
    ) -> Config {
        let mut config = Config::default();
        config.strategy = strategy;
        config.group_commit = group_commit;
        config.segment_size = segment_size;
        config.preparation = preparation;
        config.recycling = recycling;
        config.writing = writing;
        config.caching = caching;
        config.reading = reading;
        config.record_limit = record_limit;
        config.batch_limit = batch_limit;
        config.frame_size = frame_size;
        config.buffer_size = buffer_size;
        config.max_size = max_size;
        config.when_disk_full = when_disk_full;
        config.when_full = when_full;
        config.alignment = 1 << alignment;
        config
    }
}

proptest! {
    #[test]
    fn settings_survive_toml_and_json(wal in any_config()) {
        wal.validate().unwrap();
        let mut file = ConfigFile::default();
        file.wal = wal;
        let written = toml::to_string(&file).unwrap();
        prop_assert_eq!(&toml::from_str::<ConfigFile>(&written).unwrap(), &file, "{}", written);
        let pretty = toml::to_string_pretty(&file).unwrap();
        prop_assert_eq!(&toml::from_str::<ConfigFile>(&pretty).unwrap(), &file, "{}", pretty);
        let json = serde_json::to_string(&file).unwrap();
        prop_assert_eq!(&serde_json::from_str::<ConfigFile>(&json).unwrap(), &file, "{}", json);
    }
}

/// Strategies without a time stay plain strings, and whole milliseconds whole.
#[test]
fn it_is_written_as_one_would() {
    let mut config = Config::oltp();
    config.preparation = Some(Preparation::Chunks(4096));
    let written = toml::to_string(&config).unwrap();
    for line in ["strategy = \"group_commit\"", "max_flush_interval_ms = 5", "chunks = 4096"] {
        assert!(written.lines().any(|written| written == line), "{line}: {written}");
    }
    config.strategy = Strategy::Interval(Duration::from_micros(1500));
    let written = toml::to_string(&config).unwrap();
    assert!(written.lines().any(|line| line == "interval_ms = 1.5"), "{written}");
}
