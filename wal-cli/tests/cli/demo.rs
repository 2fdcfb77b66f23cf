//! `wal demo`.

use std::fs;

use crate::fixture::{Ran, wal};

#[test]
fn the_demo_passes_and_cleans_up() {
    let root = tempfile::tempdir().unwrap();
    let place = root.path().join("new").join("place");
    let mut command = wal(["demo", "--seconds", "1", "--dir"]);
    let ran = Ran::of(command.arg(&place).output().unwrap()).exits(0);
    let text = ran.text();
    let seed = text.lines().next().and_then(|line| line.split("seed ").nth(1)).unwrap();
    assert!(seed.parse::<u64>().is_ok(), "{text}");
    assert_eq!(ran.stderr, "");
    assert!(text.contains(place.to_str().unwrap()), "{text}");
    for part in ["kill 3 of 3", "sync, 64 writers", "group_commit, 64 writers", "p99"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(text.matches("all there").count(), 3, "{text}");
    assert!(text.lines().last().unwrap().starts_with("PASS: all "), "{text}");
    assert_eq!(fs::read_dir(&place).unwrap().count(), 0, "the demo left something behind");
}
