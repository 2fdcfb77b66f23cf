//! What is refused, and under which name.

use std::time::Duration;

use wal::{Config, ErrorKind, Grouping, Preparation, Strategy, Wal};

use crate::refused;

/// A change for the worse, and the field and the reason that the error gives.
type Row = (fn(&mut Config), &'static str, &'static str);

fn grouping(config: &mut Config) -> &mut Grouping {
    config.group_commit.get_or_insert_default()
}

const MINUTE: Duration = Duration::from_secs(60);
const TOO_LONG: Duration = Duration::from_nanos(60_000_000_001);

const BAD: &[Row] = &[
    (
        |config| config.strategy = Strategy::Interval(Duration::ZERO),
        "strategy.interval_ms",
        "is zero",
    ),
    (
        |config| config.strategy = Strategy::Interval(TOO_LONG),
        "strategy.interval_ms",
        "is above 60000, a minute; the unit is the millisecond",
    ),
    (
        |config| grouping(config).max_flush_interval = Duration::ZERO,
        "group_commit.max_flush_interval_ms",
        "is zero",
    ),
    (
        |config| grouping(config).max_flush_interval = TOO_LONG,
        "group_commit.max_flush_interval_ms",
        "is above 60000, a minute; the unit is the millisecond",
    ),
    (
        |config| {
            grouping(config).min_batch_size = 0;
            grouping(config).max_batch_size = 0;
        },
        "group_commit.max_batch_size",
        "is zero",
    ),
    (
        |config| grouping(config).max_batch_size = 1_000_001,
        "group_commit.max_batch_size",
        "is above 1000000, more than one flush should gather",
    ),
    (
        |config| grouping(config).min_batch_size = 101,
        "group_commit.min_batch_size",
        "is above max_batch_size",
    ),
    (|config| config.preparation = Some(Preparation::Chunks(0)), "preparation.chunks", "is zero"),
    (
        |config| config.preparation = Some(Preparation::ZerosAhead(0)),
        "preparation.zeros_ahead",
        "is zero",
    ),
    (
        |config| config.max_size = Some(2 * config.segment_size - 1),
        "max_size",
        "is below twice segment_size",
    ),
    (
        |config| config.preparation = Some(Preparation::Chunks((16 << 40) + 1)),
        "preparation.chunks",
        "is above 16 TiB, the largest file of ext4",
    ),
    (|config| config.segment_size = 16_383, "segment_size", "is below 16384 bytes"),
    (
        |config| config.segment_size = (2 << 40) + 1,
        "segment_size",
        "is above 2 TiB, the most that a seal can index",
    ),
    (|config| config.frame_size = 0, "frame_size", "is zero or above 256 MiB"),
    (|config| config.frame_size = (256 << 20) + 1, "frame_size", "is zero or above 256 MiB"),
    (|config| config.record_limit = 0, "record_limit", "is zero or above batch_limit"),
    (
        |config| config.record_limit = config.batch_limit + 1,
        "record_limit",
        "is zero or above batch_limit",
    ),
    (|config| config.batch_limit = (512 << 20) + 1, "batch_limit", "is above 512 MiB"),
    (|config| config.buffer_size = 0, "buffer_size", "is zero or above 1 GiB"),
    (|config| config.buffer_size = (1 << 30) + 1, "buffer_size", "is zero or above 1 GiB"),
    (|config| config.alignment = 0, "alignment", "is not a power of two from 8 to 4096 bytes"),
    (|config| config.alignment = 4, "alignment", "is not a power of two from 8 to 4096 bytes"),
    (|config| config.alignment = 100, "alignment", "is not a power of two from 8 to 4096 bytes"),
    (|config| config.alignment = 8192, "alignment", "is not a power of two from 8 to 4096 bytes"),
];

/// Each under its full name, by `validate` and by opening, which changes nothing then.
#[test]
fn every_bad_value_is_refused_by_name() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("log");
    for (spoil, field, why) in BAD {
        let mut config = Config::default();
        spoil(&mut config);
        let error = config.validate().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{field}");
        assert_eq!(error.to_string(), format!("wal.{field} {why}"));
        let opened = Wal::builder(&dir).config(config).open().unwrap_err();
        assert_eq!(opened.to_string(), error.to_string());
        assert!(!dir.exists(), "{field}");
    }
}

#[test]
fn the_bounds_themselves_are_good() {
    let good: &[fn(&mut Config)] = &[
        |config| config.strategy = Strategy::Interval(Duration::from_nanos(1)),
        |config| config.strategy = Strategy::Interval(MINUTE),
        |config| grouping(config).max_flush_interval = MINUTE,
        |config| grouping(config).max_batch_size = 1,
        |config| grouping(config).max_batch_size = 1_000_000,
        |config| grouping(config).min_batch_size = 0,
        |config| grouping(config).min_batch_size = 100,
        |config| config.preparation = Some(Preparation::Chunks(1)),
        |config| config.preparation = Some(Preparation::Chunks(16 << 40)),
        |config| config.segment_size = 16_384,
        |config| config.segment_size = 2 << 40,
        |config| config.frame_size = 1,
        |config| config.frame_size = 256 << 20,
        |config| config.record_limit = 1,
        |config| config.record_limit = config.batch_limit,
        |config| config.batch_limit = 512 << 20,
        |config| config.buffer_size = 1,
        |config| config.buffer_size = 1 << 30,
        |config| config.alignment = 8,
        |config| config.alignment = 4096,
    ];
    for (row, change) in good.iter().enumerate() {
        let mut config = Config::default();
        change(&mut config);
        config.validate().unwrap_or_else(|error| panic!("row {row}: {error}"));
    }
}

#[test]
fn an_unknown_key_is_refused_by_its_name() {
    for (file, key) in [
        ("[wall]", "wall"),
        ("[wal]\nsegmentsize = 1048576", "segmentsize"),
        ("[wal]\ninterval_ms = 10", "interval_ms"),
        ("[wal]\nstrategy = { every_ms = 10 }", "every_ms"),
        ("[wal.group_commit]\nmax_batch = 10", "max_batch"),
    ] {
        let error = refused(file);
        assert!(error.contains(&format!("unknown field `{key}`")), "{error}");
    }
}

#[test]
fn a_value_that_is_none_is_refused_with_its_line() {
    for (file, why) in [
        ("[wal]\nstrategy = 'fsync'", "no strategy \"fsync\"; there are sync, group_commit,"),
        ("[wal]\nstrategy = 10", "the name of a strategy, or an interval as { interval_ms = 10 }"),
        ("[wal]\nstrategy = { interval_ms = -1 }", "a number of milliseconds"),
        ("[wal]\nstrategy = { interval_ms = nan }", "a number of milliseconds"),
        ("[wal]\nstrategy = { interval_ms = '5ms' }", "a number of milliseconds"),
        ("[wal]\nstrategy = {}", "interval_ms"),
        ("[wal]\npreset = 'fast'", "`low_latency`"),
        ("[wal]\npreparation = { chunks = -1 }", "chunks"),
        ("[wal.group_commit]\nmax_flush_interval_ms = -5", "a number of milliseconds"),
        ("[wal.group_commit]\nadaptive_tuning = 'yes'", "a boolean"),
        ("[wal.group_commit]\ndurability_mode = 'buffered'", "no strategy \"buffered\""),
    ] {
        let error = refused(file);
        assert!(error.contains(why) && error.contains("line 2"), "{error}");
    }
}

#[test]
fn keys_that_disagree_are_refused_by_name() {
    let file =
        |strategy, table| format!("[wal]\nstrategy = {strategy}\n[wal.group_commit]\n{table}");
    for (file, why) in [
        (
            file("'sync'", "durability_mode = 'group_commit'"),
            "wal.group_commit.durability_mode is group_commit, and wal.strategy is sync",
        ),
        (
            file("'os'", "durability_mode = 'batch'"),
            "wal.group_commit.durability_mode is interval, and wal.strategy is os",
        ),
        (
            file("{ interval_ms = 5 }", "durability_mode = 'batch'\nmax_flush_interval_ms = 20"),
            "wal.group_commit.durability_mode is interval of 20ms, and wal.strategy is interval of 5ms",
        ),
    ] {
        let error = refused(&file);
        assert!(error.contains(why), "{error}");
    }
}

#[cfg(not(feature = "tokio"))]
#[test]
fn a_strategy_behind_a_feature_names_the_feature() {
    let error = refused("[wal]\nstrategy = 'tokio'");
    assert!(error.contains("the feature tokio of the crate wal"), "{error}");
    assert_eq!("tokio".parse::<Strategy>().unwrap_err().kind(), ErrorKind::Unsupported);
}

#[cfg(not(feature = "mmap"))]
#[test]
fn a_way_of_reading_behind_a_feature_names_the_feature() {
    let mut config = Config::default();
    config.reading = wal::Reading::Mapped;
    let error = config.validate().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("the feature mmap of the crate wal"), "{error}");
}

/// It would have panicked, or worse: started to recover first.
#[cfg(feature = "tokio")]
#[test]
fn a_runtime_that_is_not_there_is_named_and_nothing_is_changed() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("log");
    let error = Wal::builder(&dir).strategy(Strategy::Tokio).open().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let what = "wal.strategy is tokio, and the log is opened outside a Tokio runtime";
    assert_eq!(error.to_string(), what);
    assert!(!dir.exists());
}
