//! `segments`, `prune`, `backup` and `compact`.

use std::path::Path;
use std::process::Stdio;

use serde_json::json;

use crate::fixture::{Log, Ran, Writer, flip, killed, numbered, wal};

/// `wal VERB DIR ARGS`, of a log that has no fixture.
fn run(verb: &str, dir: &Path, args: &[&str]) -> Ran {
    let mut command = wal([verb]);
    Ran::of(command.arg(dir).args(args).stdin(Stdio::null()).output().unwrap())
}

/// `wal VERB LOG TARGET ARGS`.
fn into(verb: &str, log: &Log, target: &Path, args: &[&str]) -> Ran {
    let mut command = wal([verb]);
    command.arg(&log.dir).arg(target).args(args).stdin(Stdio::null());
    Ran::of(command.output().unwrap())
}

#[test]
fn segments_tells_each_with_its_range() {
    let log = Log::of(&numbered(1000));
    let told = log.run("segments", &["--json"]).exits(0).json();
    assert_eq!(told.len(), log.segments().len());
    let mut next = 1;
    for (line, path) in told.iter().zip(log.segments()) {
        assert_eq!(line["first_lsn"], json!(next));
        assert_eq!(line["bytes"], json!(path.metadata().unwrap().len()));
        assert_eq!(line["state"], "sealed");
        assert!(line["ended_ns"].as_u64() >= line["created_ns"].as_u64());
        next = line["last_lsn"].as_u64().unwrap() + 1;
    }
    assert_eq!(next, 1001);
    let text = log.run("segments", &[]).exits(0).lines();
    assert_eq!(text.len(), told.len());
    assert!(text[0].starts_with("segment 1  LSN 1 to "), "{}", text[0]);
    assert!(text[0].ends_with("  sealed"), "{}", text[0]);
    // At night one wants a date.
    let made = text[0].split("  made ").nth(1).and_then(|rest| rest.split("  ").next()).unwrap();
    let shape: String = made.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "0000-00-00T00:00:00Z", "{}", text[0]);

    let open = killed(&["one", "two"]).run("segments", &["--json"]).exits(0).json();
    assert_eq!((&open[0]["state"], &open[0]["ended_ns"]), (&json!("open"), &json!(null)));
    assert_eq!(Log::of(b"").run("segments", &[]).exits(0).stdout, b"");
}

#[test]
fn prune_deletes_as_far_as_a_limit_asks() {
    for args in [
        ["--before", "700"].as_slice(),
        &["--keep-segments", "2"],
        &["--keep-bytes", "33k"],
        &["--older-than", "0s"],
        &["--keep-segments", "1", "--keep-records", "500"],
        &["--before", "2", "--keep-segments", "2", "--keep-bytes", "1g", "--older-than", "9d"],
    ] {
        let log = Log::of(&numbered(1000));
        let told = log.run("segments", &["--json"]).exits(0).json();
        let args: Vec<_> = args.iter().copied().chain(["--json"]).collect();
        let pruned = log.run("prune", &args).exits(0).json();
        let went = usize::try_from(pruned[0]["segments"].as_u64().unwrap()).unwrap();
        assert!(went > 0 && went < told.len(), "{args:?}: {went}");
        let bytes: u64 = told[..went].iter().map(|line| line["bytes"].as_u64().unwrap()).sum();
        assert_eq!(pruned[0]["bytes"], json!(bytes), "{args:?}");
        let first = told[went]["first_lsn"].as_u64().unwrap();
        assert_eq!(pruned[0]["first_lsn"], json!(first), "{args:?}");
        assert!(!args.contains(&"500") || first <= 501, "{first}");
        let expected: Vec<_> =
            (first..=1000).map(|n| format!("record number {n} of many")).collect();
        assert_eq!(log.run("replay", &[]).exits(0).lines(), expected, "{args:?}");
        log.run("verify", &[]).exits(0);
        assert_eq!(log.append(&["--ack"], b"next\n").exits(0).text(), "1001\n");
    }
}

#[test]
fn prune_says_what_went() {
    let log = Log::of(&numbered(1000));
    let text = log.run("prune", &["--keep-segments", "100"]).exits(0).text();
    assert_eq!(text, "went: segments 0, bytes 0; the log begins with LSN 1\n");
    let text = log.run("prune", &["--keep-segments", "1"]).exits(0).text();
    assert!(text.starts_with("went: segments ") && !text.contains("segments 0"), "{text}");
}

#[test]
fn prune_wants_a_limit_and_a_log_of_its_own() {
    let log = Log::of(&numbered(10));
    log.run("prune", &["--keep-records", "5"]).exits(2);
    assert!(log.run("prune", &[]).exits(2).stderr.contains("--keep-segments"));
    assert!(log.run("prune", &["--older-than", "7"]).exits(2).stderr.contains("7d"));
    let refused = log.run("prune", &["--before", "12"]).exits(1);
    assert!(refused.stderr.contains("never issued"), "{}", refused.stderr);
    let nowhere = log.dir.join("nowhere");
    run("prune", &nowhere, &["--keep-segments", "1"]).exits(1);
    assert!(!nowhere.exists());

    let log = Log::new();
    let mut writer = Writer::start(&log, &[]);
    writer.commit("one");
    let refused = log.run("prune", &["--keep-segments", "1"]).exits(1);
    assert!(refused.stderr.contains("open for writing"), "{}", refused.stderr);
}

#[test]
fn backup_copies_a_log_beside_its_writer() {
    let log = Log::of(&numbered(1000));
    log.run("prune", &["--before", "500"]).exits(0);
    let first = log.run("stat", &["--json"]).exits(0).json()[0]["first_lsn"].as_u64().unwrap();
    assert!(first > 1);
    let mut writer = Writer::start(&log, &[]);
    assert_eq!(writer.commit("more"), 1001);
    let root = tempfile::tempdir().unwrap();
    let target = root.path().join("copies/monday");
    let told = into("backup", &log, &target, &["--json"]).exits(0).json();
    assert_eq!(told[0]["first_lsn"], json!(first));
    assert_eq!(told[0]["last_lsn"], json!(1001));
    let copied = run("replay", &target, &["--json"]).exits(0).stdout;
    assert_eq!(copied, log.run("replay", &["--json"]).exits(0).stdout);
    run("verify", &target, &[]).exits(0);
    let [copy, source] = [run("stat", &target, &["--json"]), log.run("stat", &["--json"])]
        .map(|ran| ran.exits(0).json()[0]["newest"]["log"].clone());
    assert_eq!(copy, told[0]["log"]);
    assert_ne!(copy, source);

    assert_eq!(writer.commit("still"), 1002);
    let again = into("backup", &log, &target, &[]).exits(1);
    // It named no path.
    for part in ["not empty", target.to_str().unwrap()] {
        assert!(again.stderr.contains(part), "{part}: {}", again.stderr);
    }
}

#[test]
fn a_backup_that_meets_damage_is_no_log() {
    let log = Log::of(&numbered(1000));
    flip(&log.segments()[1], 8000);
    let root = tempfile::tempdir().unwrap();
    let target = root.path().join("copy");
    into("backup", &log, &target, &[]).exits(4);
    for verb in ["replay", "stat", "verify", "segments"] {
        run(verb, &target, &[]).exits(4);
    }
}

#[test]
fn compact_keeps_the_latest_of_each_key() {
    let log = Log::of(b"a1\nb1\n\na2\nc1\nb2\n");
    let root = tempfile::tempdir().unwrap();
    let target = root.path().join("by-bytes");
    let told = into("compact", &log, &target, &["--key-bytes", "1", "--json"]).exits(0).json();
    assert_eq!((&told[0]["kept"], &told[0]["superseded"]), (&json!(4), &json!(2)));
    assert_eq!(told[0]["source_last_lsn"], json!(6));
    assert_eq!(run("replay", &target, &[]).exits(0).lines(), ["", "a2", "c1", "b2"]);
    assert_eq!(run("stat", &target, &["--json"]).exits(0).json()[0]["last_lsn"], json!(4));

    let log =
        Log::of(b"{\"id\":1,\"v\":1}\nno json\n{\"v\":2}\n{\"id\":\"1\"}\n{\"v\":3,\"id\":1}\n");
    let target = root.path().join("by-field");
    let text = into("compact", &log, &target, &["--key-field", "id"]).exits(0).text();
    assert!(text.contains("4 records kept of LSN 1 to 5, renumbered from 1"), "{text}");
    assert_eq!(
        run("replay", &target, &[]).exits(0).lines(),
        ["no json", r#"{"v":2}"#, r#"{"id":"1"}"#, r#"{"v":3,"id":1}"#]
    );
}

/// 117,996 records were copied, "0 superseded", for a typing error in the field.
#[test]
fn a12_a_key_that_no_record_has_is_mentioned() {
    let log = Log::of(b"{\"id\":1}\n{\"id\":1}\n");
    let root = tempfile::tempdir().unwrap();
    let told = into("compact", &log, &root.path().join("a"), &["--key-field", "ident"]).exits(0);
    assert!(told.stderr.contains("no record has such a key"), "{}", told.stderr);
    let told = into("compact", &log, &root.path().join("b"), &["--key-field", "id"]).exits(0);
    assert_eq!(told.stderr, "");
}

/// Nothing was printed, and nothing said.
#[test]
fn a_replay_from_behind_the_end_says_where_the_log_ends() {
    let log = Log::of(b"1\n2\n");
    let told = log.run("replay", &["--from", "999999999"]).exits(0);
    assert_eq!(
        (told.text().as_str(), told.stderr.as_str()),
        ("", "note: the log ends with LSN 2, before 999999999\n")
    );
    assert_eq!(log.run("replay", &["--from", "2"]).exits(0).stderr, "");
}

#[test]
fn compact_wants_one_kind_of_key() {
    let log = Log::of(b"a1\n");
    let root = tempfile::tempdir().unwrap();
    let target = root.path().join("copy");
    into("compact", &log, &target, &[]).exits(2);
    into("compact", &log, &target, &["--key-bytes", "1", "--key-field", "id"]).exits(2);
    // All records have the same key of no bytes: the copy was of the last record alone.
    let none = into("compact", &log, &target, &["--key-bytes", "0"]).exits(2);
    assert!(none.stderr.contains("--key-bytes"), "{}", none.stderr);
    assert!(!target.exists());
}

/// `compact --key-field` read each key as a number, and numbers of more than 64 bits, or of more than 17
/// digits, became the same float: records about other things were dropped from the copy.
#[test]
fn compact_keys() {
    let log = Log::of(
        concat!(
            r#"{"id":100000000000000000001,"v":"first"}"#,
            "\n",
            r#"{"id":100000000000000000002,"v":"second"}"#,
            "\n",
            r#"{"id":0.12345678901234567890,"v":"third"}"#,
            "\n",
            r#"{"id":0.12345678901234567891,"v":"fourth"}"#,
            "\n",
            r#"{"id":100000000000000000001,"v":"fifth"}"#,
            "\n",
            r#"{"id":1,"v":"sixth"}"#,
            "\n",
            r#"{"id":1.0,"v":"seventh"}"#,
            "\n",
        )
        .as_bytes(),
    );
    let target = tempfile::tempdir().unwrap();
    let copy = target.path().join("copy");
    into("compact", &log, &copy, &["--key-field", "id"]).exits(0);
    let kept = run("replay", &copy, &[]).exits(0).lines();
    let values: Vec<_> = kept.iter().map(|line| line.split('"').nth(5).unwrap()).collect();
    assert_eq!(values, ["second", "third", "fourth", "fifth", "sixth", "seventh"]);
    // What counts as one key is said.
    let help = Ran::of(wal(["compact", "--help"]).output().unwrap()).exits(0).text();
    assert!(help.contains("1, 1.0 and 1e0 are three keys"), "{help}");
}
