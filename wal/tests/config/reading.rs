//! What a file says.

use std::time::Duration;

use wal::{
    Caching, Config, Grouping, Preparation, Reading, Recycling, Strategy, Tuning, WhenDiskFull,
    Writing,
};

use crate::{read, strategies};

/// The three blocks of the group-commit design, as they stand there.
#[test]
fn the_documented_blocks_mean_what_they_say() {
    let oltp = r#"
        # OLTP (Low Latency)
        [wal.group_commit]
        max_flush_interval_ms = 5
        max_batch_size = 50
        durability_mode = "group_commit"
    "#;
    let analytics = r#"
        # Analytics (High Throughput)
        [wal.group_commit]
        max_flush_interval_ms = 20
        max_batch_size = 500
        durability_mode = "group_commit"
    "#;
    let mixed = r#"
        # Mixed (Balanced)
        [wal.group_commit]
        max_flush_interval_ms = 10
        max_batch_size = 100
        durability_mode = "group_commit"
    "#;
    for (block, preset, millis, records) in [
        (oltp, Config::oltp(), 5, 50),
        (analytics, Config::analytics(), 20, 500),
        (mixed, Config::mixed(), 10, 100),
    ] {
        let config = read(block);
        let grouping = config.group_commit.unwrap();
        assert_eq!(config.strategy, Strategy::GroupCommit);
        assert_eq!(grouping.max_flush_interval, Duration::from_millis(millis));
        assert_eq!((grouping.max_batch_size, grouping.min_batch_size), (records, 1));
        assert_eq!(grouping.tuning, Tuning::Fixed);
        assert_eq!(config, preset);
        config.validate().unwrap();
    }
}

#[test]
fn all_five_keys_of_the_table_are_known() {
    let config = read(
        r#"
        [wal.group_commit]
        max_flush_interval_ms = 7
        max_batch_size = 70
        min_batch_size = 3
        durability_mode = "flush_thread"
        adaptive_tuning = true
        "#,
    );
    let mut grouping = Grouping::new(Duration::from_millis(7), 70);
    grouping.min_batch_size = 3;
    grouping.tuning = Tuning::Adaptive;
    assert_eq!((config.strategy, config.group_commit), (Strategy::FlushThread, Some(grouping)));
}

#[test]
fn keys_that_are_missing_have_the_values_of_the_default() {
    let table = |line| read(&format!("[wal.group_commit]\n{line}")).group_commit;
    let default = Grouping::default();
    assert_eq!(default, Grouping::new(Duration::from_millis(10), 100));
    assert_eq!((default.min_batch_size, default.tuning), (1, Tuning::Fixed));

    let mut changed = default;
    changed.max_batch_size = 9;
    assert_eq!(table("max_batch_size = 9"), Some(changed));
    changed = default;
    changed.min_batch_size = 9;
    assert_eq!(table("min_batch_size = 9"), Some(changed));
    changed = default;
    changed.max_flush_interval = Duration::from_micros(200);
    assert_eq!(table("max_flush_interval_ms = 0.2"), Some(changed));
    assert_eq!(table("adaptive_tuning = false"), Some(default));
}

/// Greedy group commit is the default; a window is there for who asks for one.
#[test]
fn naming_a_strategy_asks_for_no_window() {
    for file in ["", "[wal]", "[wal.group_commit]", "[wal.group_commit]\ndurability_mode = 'sync'"]
    {
        assert_eq!(read(file).group_commit, None, "{file}");
    }
    assert_eq!(read(""), Config::default());
    assert_eq!(Config::default().strategy, Strategy::GroupCommit);
    assert_eq!(read("[wal.group_commit]\ndurability_mode = 'group_commit'"), Config::default());
}

/// Every name and alias, under both keys and for a program that parses one.
#[test]
fn strategies_have_their_names_and_aliases() {
    let interval = Strategy::Interval(Duration::from_millis(10));
    let mut names = strategies();
    names.extend([
        ("synchronous", Strategy::Sync),
        ("always", Strategy::Sync),
        ("group-commit", Strategy::GroupCommit),
        ("flush-thread", Strategy::FlushThread),
        ("batch", interval),
        ("async", Strategy::Os),
        ("volatile", Strategy::Os),
    ]);
    for (name, strategy) in names {
        assert_eq!(name.parse::<Strategy>().unwrap(), strategy, "{name}");
        let file = format!("[wal]\nstrategy = '{name}'");
        assert_eq!(read(&file).strategy, strategy, "{name}");
        let file = format!("[wal.group_commit]\ndurability_mode = '{name}'");
        assert_eq!(read(&file).strategy, strategy, "{name}");
        let json = format!("{{\"strategy\": \"{name}\"}}");
        assert_eq!(serde_json::from_str::<Config>(&json).unwrap().strategy, strategy, "{name}");
    }
    for (name, strategy) in strategies() {
        assert_eq!(strategy.name(), name);
    }
}

/// A time of its own, else the table's, else 10 ms.
#[test]
fn an_interval_has_its_time_from_where_it_is_said() {
    let window = "[wal.group_commit]\nmax_flush_interval_ms = 20";
    for (file, micros) in [
        ("[wal]\nstrategy = { interval_ms = 5 }".to_owned(), 5_000),
        ("[wal]\nstrategy = { batch_ms = 5 }".to_owned(), 5_000),
        ("[wal]\nstrategy = { interval_ms = 0.5 }".to_owned(), 500),
        ("[wal.strategy]\ninterval_ms = 5".to_owned(), 5_000),
        ("[wal]\nstrategy = 'interval'".to_owned(), 10_000),
        (format!("[wal]\nstrategy = 'batch'\n{window}"), 20_000),
        (format!("{window}\ndurability_mode = 'batch'"), 20_000),
        (format!("[wal]\nstrategy = {{ interval_ms = 5 }}\n{window}"), 5_000),
        ("[wal]\nstrategy = 'interval'\npreset = 'oltp'".to_owned(), 5_000),
    ] {
        let within = Duration::from_micros(micros);
        assert_eq!(read(&file).strategy, Strategy::Interval(within), "{file}");
    }
}

#[test]
fn both_keys_may_name_the_same_strategy() {
    for (strategy, mode, expected) in [
        ("'sync'", "always", Strategy::Sync),
        ("'group-commit'", "group_commit", Strategy::GroupCommit),
        ("'async'", "os", Strategy::Os),
        ("'batch'", "interval", Strategy::Interval(Duration::from_millis(10))),
        ("{ interval_ms = 5 }", "batch", Strategy::Interval(Duration::from_millis(5))),
    ] {
        let file =
            format!("[wal]\nstrategy = {strategy}\n[wal.group_commit]\ndurability_mode = '{mode}'");
        assert_eq!(read(&file).strategy, expected, "{file}");
    }
}

#[test]
fn every_other_key_is_that_of_its_field() {
    let config = read(
        r#"
        [wal]
        strategy = "pipelined"
        segment_size = 1048576
        preparation = { chunks = 65536 }
        recycling = { keep = 3 }
        writing = "synced"
        caching = "drop"
        max_size = 2097152
        when_disk_full = "wait"
        reading = "direct"
        record_limit = 1000
        batch_limit = 2000
        frame_size = 3000
        buffer_size = 4000
        alignment = 512
        "#,
    );
    let mut same = Config::default();
    same.strategy = Strategy::Pipelined;
    same.segment_size = 1 << 20;
    same.preparation = Some(Preparation::Chunks(65536));
    same.recycling = Some(Recycling::Keep(3));
    (same.writing, same.caching) = (Some(Writing::Synced), Caching::Drop);
    (same.max_size, same.when_disk_full) = (Some(2 << 20), WhenDiskFull::Wait);
    same.reading = Reading::Direct;
    (same.record_limit, same.batch_limit) = (1000, 2000);
    (same.frame_size, same.buffer_size) = (3000, 4000);
    same.alignment = 512;
    assert_eq!(config, same);
}

#[test]
fn the_table_stands_alone_too() {
    let config: Config =
        toml::from_str("strategy = 'os'\n[group_commit]\nmax_batch_size = 5").unwrap();
    assert_eq!(config.strategy, Strategy::Os);
    assert_eq!(config.group_commit.unwrap().max_batch_size, 5);
}

/// The block in the README.
#[test]
fn the_readme_shows_a_file_that_works() {
    let readme = include_str!("../../../README.md");
    let (_, block) = readme.split_once("```toml\n[wal]").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let config = read(&format!("[wal]{block}"));
    config.validate().unwrap();
    let mut same = Config::low_latency();
    same.strategy = Strategy::FlushThread;
    same.segment_size = 64 << 20;
    same.group_commit = Some(Grouping::new(Duration::from_millis(5), 50));
    same.recycling = Some(Recycling::Keep(2));
    same.writing = Some(Writing::Buffered);
    (same.max_size, same.when_disk_full) = (Some(8 << 30), WhenDiskFull::Wait);
    assert_eq!(config, same);
}
