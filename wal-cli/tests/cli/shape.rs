//! What `replay`, `dump`, `stat` and `verify` print, for people and for scripts.

use serde_json::json;

use crate::fixture::{Log, numbered};

#[test]
fn replay_prints_json_with_base64_where_a_payload_is_no_text() {
    let log = Log::of(b"caf\xc3\xa9 \"x\"\n\xff\x00\n\n");
    let ran = log.run("replay", &["--json"]).exits(0);
    assert_eq!(
        ran.lines(),
        [
            r#"{"lsn":1,"payload":"café \"x\""}"#,
            r#"{"lsn":2,"payload_base64":"/wA="}"#,
            r#"{"lsn":3,"payload":""}"#,
        ]
    );
}

#[test]
fn replay_keeps_to_its_bounds() {
    let log = Log::of(&numbered(1000));
    assert!(log.segments().len() > 1);
    for (args, from, to) in [
        (vec![], 1, 1000),
        (vec!["--from", "1"], 1, 1000),
        (vec!["--from", "700"], 700, 1000),
        (vec!["--to", "3"], 1, 3),
        (vec!["--from", "500", "--to", "500"], 500, 500),
        (vec!["--from", "1000", "--to", "5000"], 1000, 1000),
        (vec!["--from", "1001"], 1, 0),
        (vec!["--from", "18446744073709551615"], 1, 0),
    ] {
        let expected: Vec<_> =
            (from..=to).map(|n: u64| format!("record number {n} of many")).collect();
        assert_eq!(log.run("replay", &args).exits(0).lines(), expected, "{args:?}");
    }
}

#[test]
fn stat_tells_segments_bytes_and_lsns() {
    let log = Log::of(&numbered(1000));
    let segments = log.segments();
    let bytes: u64 = segments.iter().map(|path| path.metadata().unwrap().len()).sum();
    let told = log.run("stat", &["--json"]).exits(0).json();
    assert_eq!(told.len(), 1);
    let told = &told[0];
    for (key, value) in [
        ("segments", json!(segments.len())),
        ("bytes", json!(bytes)),
        ("records", json!(1000)),
        ("first_lsn", json!(1)),
        ("last_lsn", json!(1000)),
        ("durable_lsn", json!(1000)),
        ("torn_bytes", json!(0)),
        ("dead_segments", json!(0)),
    ] {
        assert_eq!(told[key], value, "{key}");
    }
    assert_eq!(told["newest"]["segment"], json!(segments.len()));
    assert_eq!(told["newest"]["ending"], json!("sealed"));
    let text = log.run("stat", &[]).exits(0).text();
    for line in ["records        1000", "first LSN      1", "last LSN       1000"] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
    assert!(text.contains("durable LSN    1000"), "{text}");
}

#[test]
fn stat_of_an_empty_log_says_so() {
    let log = Log::of(b"");
    let told = log.run("stat", &["--json"]).exits(0).json();
    assert_eq!(told[0]["segments"], json!(0));
    assert_eq!(told[0]["last_lsn"], json!(0));
    assert_eq!(told[0]["newest"], json!(null));
}

#[test]
fn dump_tells_every_frame_of_every_segment() {
    let log = Log::of(&numbered(1000));
    let told = log.run("dump", &["--json"]).exits(0).json();
    let of = |kind: &str| -> Vec<_> { told.iter().filter(|line| line["type"] == kind).collect() };
    assert_eq!(of("segment").len(), log.segments().len());
    assert_eq!(told.last().unwrap(), &json!({"type": "verdict", "verdict": "clean"}));
    let mut next = 1;
    let mut watermark = 0;
    for frame in of("frame") {
        assert_eq!(frame["crc"], "ok", "{frame}");
        assert_eq!(frame["first_lsn"].as_u64().unwrap(), next, "{frame}");
        next = frame["last_lsn"].as_u64().unwrap() + 1;
        assert!(frame["watermark"].as_u64().unwrap() >= watermark, "{frame}");
        watermark = frame["watermark"].as_u64().unwrap();
        let kind = frame["kind"].as_str().unwrap();
        assert!(["records", "padding", "seal"].contains(&kind), "{frame}");
        assert!(frame["offset"].as_u64().unwrap() >= 4096, "{frame}");
    }
    assert_eq!((next, watermark), (1001, 1000));

    let text = log.run("dump", &[]).exits(0).text();
    assert_eq!(text.lines().filter(|line| line.ends_with("  ok")).count(), of("frame").len());
    assert!(text.lines().last().unwrap().starts_with("clean: "), "{text}");
}

#[test]
fn verify_tells_a_clean_log() {
    let log = Log::of(&numbered(1000));
    let segments = log.segments().len();
    let text = log.run("verify", &[]).exits(0).text();
    assert_eq!(text, format!("clean: {segments} segments, LSN 1 to 1000\n"));
    let told = log.run("verify", &["--json"]).exits(0).json();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["verdict"], "clean");
    assert_eq!(told[0]["findings"], json!([]));
    assert_eq!(told[0]["segments"].as_array().unwrap().len(), segments);
    assert_eq!(told[0]["segments"][0]["ending"], "sealed");
}

#[test]
fn nothing_that_reads_changes_a_byte() {
    let log = Log::of(&numbered(1000));
    let before = log.contents();
    for verb in ["replay", "dump", "stat", "segments", "verify"] {
        log.run(verb, &[]).exits(0);
        log.run(verb, &["--json"]).exits(0);
    }
    assert_eq!(log.contents(), before);
}
