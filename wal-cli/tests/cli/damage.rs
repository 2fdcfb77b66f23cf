//! Logs that are not as they were written, and the exit codes that say so.

use std::fs;

use serde_json::json;

use crate::fixture::{Log, flip, killed, numbered};

/// The place of a frame: file, offset and length.
fn place(log: &Log, frame: usize) -> (std::path::PathBuf, u64, u64) {
    let frame = &log.frames()[frame];
    let number = |key: &str| frame[key].as_u64().unwrap();
    let segment = usize::try_from(number("segment")).unwrap();
    (log.segments()[segment - 1].clone(), number("offset"), number("bytes"))
}

#[test]
fn the_last_write_cut_short_is_a_torn_tail() {
    let log = killed(&["one", "two", "three"]);
    log.run("verify", &[]).exits(0);
    let (path, offset, bytes) = place(&log, 2);
    // The file keeps its length: a shorter one was cut from outside, and is damage.
    let mut torn = fs::read(&path).unwrap();
    let cut = usize::try_from(offset + bytes - 8).unwrap();
    torn[cut..].fill(0);
    fs::write(&path, torn).unwrap();
    let before = log.contents();

    let told = log.run("verify", &["--json"]).exits(3).json();
    assert_eq!(told[0]["verdict"], "torn");
    assert_eq!(told[0]["last_lsn"], 2);
    let finding = &told[0]["findings"][0];
    assert_eq!(finding["verdict"], "torn");
    assert_eq!(finding["segment"], 1);
    assert_eq!(finding["offset"], json!(offset));
    assert_eq!(finding["lsn"], 3);
    let text = log.run("verify", &[]).exits(3).text();
    assert!(text.contains(&format!("segment=1 offset={offset} lsn=3")), "{text}");

    let read = log.run("replay", &[]).exits(0);
    assert_eq!(read.stdout, b"one\ntwo\n");
    assert!(read.stderr.contains(&format!("offset={offset}")), "{}", read.stderr);
    // What lies behind the bound is not what was asked for.
    assert_eq!(log.run("replay", &["--to", "1"]).exits(0).stderr, "");
    let told = log.run("stat", &["--json"]).exits(0).json();
    assert_eq!(told[0]["last_lsn"], 2);
    assert!(told[0]["torn_bytes"].as_u64().unwrap() > 0);
    log.run("dump", &[]).exits(0);
    assert_eq!(log.contents(), before, "a look changed something");

    // The next writer cuts it, says so, and goes on with its LSN.
    let ran = log.append(&["--ack"], b"three again\n").exits(0);
    assert_eq!(ran.lines(), ["3"]);
    assert!(ran.stderr.contains("cut a torn tail"), "{}", ran.stderr);
    assert_eq!(log.run("replay", &[]).exits(0).stdout, b"one\ntwo\nthree again\n");
    log.run("verify", &[]).exits(0);
}

#[test]
fn a_byte_flipped_in_the_middle_is_corruption() {
    let log = killed(&["one", "two", "three", "four"]);
    let (path, offset, _) = place(&log, 1);
    flip(&path, offset + 50);
    let before = log.contents();

    let told = log.run("verify", &["--json"]).exits(4).json();
    assert_eq!(told[0]["verdict"], "corrupt");
    let finding = &told[0]["findings"][0];
    assert_eq!(finding["segment"], 1);
    assert_eq!(finding["offset"], json!(offset));
    assert_eq!(finding["lsn"], 2);

    let read = log.run("replay", &[]).exits(4);
    assert_eq!(read.stdout, b"one\n");
    let place = format!("segment=1 offset={offset} lsn=2");
    assert!(read.stderr.contains(&place), "{}", read.stderr);
    let text = log.run("verify", &[]).exits(4).text();
    assert!(text.contains(&place), "{text}");

    // Frames behind the damage are shown, too, and the verdict comes last.
    let dumped = log.run("dump", &[]).exits(4).text();
    assert_eq!(dumped.matches("  ok\n").count(), 3, "{dumped}");
    assert_eq!(dumped.matches("  BAD\n").count(), 1, "{dumped}");
    assert!(dumped.lines().last().unwrap().contains(&place), "{dumped}");

    // A writer refuses, and leaves the evidence alone.
    let ran = log.append(&[], b"five\n").exits(4);
    assert!(ran.stderr.contains("wal verify"), "{}", ran.stderr);
    let segments = |files: Vec<_>| files.into_iter().filter(is_segment).collect::<Vec<_>>();
    assert_eq!(segments(log.contents()), segments(before));
}

fn is_segment((path, _): &(std::path::PathBuf, Vec<u8>)) -> bool {
    path.extension().is_some()
}

#[test]
fn a_damaged_frame_header_does_not_hide_the_frames_behind_it() {
    let log = killed(&["one", "two", "three"]);
    let (path, offset, bytes) = place(&log, 1);
    flip(&path, offset + 16);
    let told = log.run("dump", &["--json"]).exits(4).json();
    let damage = json!({"type": "damage", "segment": 1, "offset": offset, "bytes": bytes});
    assert!(told.contains(&damage), "{told:?}");
    let sound: Vec<_> = told.iter().filter(|line| line["crc"] == "ok").collect();
    assert_eq!(sound.len(), 2, "{sound:?}");
    assert_eq!(told.last().unwrap()["verdict"], "corrupt");
}

#[test]
fn a_missing_segment_is_corruption_and_what_is_before_it_can_be_read() {
    let log = Log::of(&numbered(2000));
    let segments = log.segments();
    assert!(segments.len() > 3);
    let dumped = log.run("dump", &["--json"]).json();
    let first = |number: u64| {
        let is = |line: &&serde_json::Value| line["type"] == "segment" && line["segment"] == number;
        dumped.iter().find(is).unwrap()["first_lsn"].as_u64().unwrap()
    };
    fs::remove_file(&segments[1]).unwrap();

    let told = log.run("verify", &["--json"]).exits(4).json();
    let finding = &told[0]["findings"][0];
    assert_eq!((finding["verdict"].as_str(), &finding["segment"]), (Some("corrupt"), &json!(2)));
    let text = log.run("verify", &[]).exits(4).text();
    assert!(
        text.contains("segment is missing, and its records through this one: segment=2"),
        "{text}"
    );
    let read = log.run("replay", &[]).exits(4);
    assert_eq!(read.lines().len() as u64, first(2) - 1);
    assert!(read.stderr.contains("segment=2"), "{}", read.stderr);
    assert!(log.run("stat", &[]).exits(4).stderr.contains("segment=2"));
    assert!(
        log.run("dump", &[])
            .exits(4)
            .text()
            .contains("segment is missing, and its records through this one: segment=2")
    );
}

/// A cursor looks at the header of the next segment before it reads this one, so damage there must
/// not take this one's records along.
#[test]
fn a_damaged_segment_header_leaves_everything_before_it_readable() {
    let log = Log::of(&numbered(3000));
    let segments = log.segments();
    assert!(segments.len() > 4);
    for (damaged, path) in segments.iter().enumerate() {
        let whole = fs::read(path).unwrap();
        flip(path, 30);
        let number = damaged as u64 + 1;
        let read = log.run("replay", &[]).exits(4);
        let place = format!("segment={number} offset=0");
        assert!(read.stderr.contains(&place), "{number}: {}", read.stderr);
        let text = log.run("verify", &[]).exits(4).text();
        assert!(text.contains(&place), "{number}: {text}");
        fs::write(path, whole).unwrap();

        let dumped = log.run("dump", &["--json"]).exits(0).json();
        let header =
            dumped.iter().find(|line| line["type"] == "segment" && line["segment"] == number);
        let before = header.unwrap()["first_lsn"].as_u64().unwrap() - 1;
        assert_eq!(read.lines().len() as u64, before, "{number}");
    }
}

/// Of a log whose first segment is damaged nothing can be left out before the damage: a note said that it
/// was, and told how to read what is not there.
#[test]
fn replay_tells_of_what_it_leaves_out_and_of_nothing_else() {
    let left_out = "is printed of what is before the damage";
    let log = Log::of(&numbered(1000));
    flip(&log.segments()[0], 10);
    let ran = log.run("replay", &[]).exits(4);
    assert!(ran.stdout.is_empty() && !ran.stderr.contains(left_out), "{}", ran.stderr);
}

#[test]
fn where_there_is_no_log_every_tool_says_so_with_1() {
    let log = Log::new();
    for verb in ["replay", "dump", "stat", "verify"] {
        let ran = log.run(verb, &[]).exits(1);
        assert!(ran.stderr.contains(log.dir.to_str().unwrap()), "{}", ran.stderr);
        assert_eq!(ran.stdout, b"");
    }
    assert!(!log.dir.exists(), "a look made the directory");
    fs::create_dir(&log.dir).unwrap();
    for verb in ["replay", "dump", "stat", "verify"] {
        let ran = log.run(verb, &[]).exits(1);
        assert!(ran.stderr.contains("there is no log in"), "{}", ran.stderr);
    }
    assert_eq!(fs::read_dir(&log.dir).unwrap().count(), 0, "a look left something behind");
}

/// The same verdicts, on a file system that knows direct reads; elsewhere an error that says so.
#[test]
fn verify_reads_past_the_cache_where_it_is_asked_to() {
    let log = Log::of(&numbered(1000));
    let ran = log.run("verify", &["--direct"]);
    if ran.code == 1 {
        assert!(ran.stderr.contains("cannot open"), "{}", ran.stderr);
        return;
    }
    assert_eq!(ran.exits(0).text(), log.run("verify", &[]).exits(0).text());
    let path = &log.segments()[0];
    let mut bytes = fs::read(path).unwrap();
    bytes[8000] ^= 1;
    fs::write(path, bytes).unwrap();
    let found = log.run("verify", &["--direct", "--json"]).exits(4).json();
    assert_eq!(found, log.run("verify", &["--json"]).exits(4).json());
}

#[test]
fn a_newer_format_is_an_error_and_no_damage() {
    let log = Log::of(b"one\n");
    let path = &log.segments()[0];
    let mut bytes = fs::read(path).unwrap();
    // The version, behind the magic, and the checksum at the header's end.
    bytes[8] = 2;
    let checksum = crc32c::crc32c(&bytes[..4092]);
    bytes[4092..4096].copy_from_slice(&checksum.to_le_bytes());
    fs::write(path, bytes).unwrap();
    for verb in ["replay", "dump", "stat", "verify"] {
        let ran = log.run(verb, &[]).exits(1);
        assert!(ran.stderr.contains("format version 2 is newer"), "{verb}: {}", ran.stderr);
    }
    let ran = log.append(&[], b"two\n").exits(1);
    assert!(ran.stderr.contains("format version 2 is newer"), "{}", ran.stderr);
}

/// The header of a pruned log's newest segment is damaged, and with it the word on where the log begins:
/// replay printed nothing, where four sealed segments before it are sound.
#[test]
fn prefix() {
    for offset in [100, 4092] {
        let log = Log::new();
        let lines: Vec<String> = (0..300).map(|n| format!("{n:0150}")).collect();
        log.append(&["--segment-size", "16k"], (lines.join("\n") + "\n").as_bytes()).exits(0);
        log.run("prune", &["--keep-segments", "4"]).exits(0);
        log.run("verify", &[]).exits(0);
        let segments = log.run("segments", &["--json"]).exits(0).json();
        let number = |at: usize, key: &str| segments[at][key].as_u64().unwrap();
        let (first, last) = (number(0, "first_lsn"), number(segments.len() - 1, "first_lsn") - 1);
        flip(log.segments().last().unwrap(), offset);
        let ran = log.run("replay", &[]).exits(4);
        let range = usize::try_from(first - 1).unwrap()..usize::try_from(last).unwrap();
        assert_eq!(ran.lines(), &lines[range], "{offset}");
        // Nothing at all can be read of it.
        fs::File::options()
            .write(true)
            .open(log.segments().last().unwrap())
            .unwrap()
            .set_len(0)
            .unwrap();
        assert_eq!(log.run("replay", &[]).exits(4).lines(), ran.lines(), "{offset}");
    }
}

/// A bit of the last frame's header, in the settings that suit ext4 and XFS: it was "clean", since every
/// segment said that its space was used before, also one in a file that never was.
#[test]
fn bit() {
    let log = killed(&["record 0", "record 1", "record 2", "record 3", "record 4"]);
    flip(&log.segments()[0], 4096 + 4 * 64 + 20);
    let told = log.run("verify", &["--json"]).exits(3).json();
    assert_eq!((&told[0]["last_lsn"], &told[0]["unjudged_bytes"]), (&json!(4), &json!(0)));
}

/// What a segment left that had the space before was called damage by dump; and verify did not say that it
/// has no word on it.
#[test]
fn dump_of_reused_space() {
    let log = Log::new();
    let mut config = wal::Config::default();
    config.segment_size = 64 << 10;
    config.recycling = Some(wal::Recycling::Keep(1));
    let wal = wal::Wal::builder(&log.dir).config(config).open().unwrap().0;
    for _ in 0..400 {
        wal.append_durable([7; 1000]).unwrap();
        wal.retain(&wal::Retention::all().at_most_segments(2)).unwrap();
    }
    // While it is open, as a kill would leave it.
    let dumped = log.run("dump", &["--json"]).exits(0).json();
    assert!(dumped.iter().all(|line| line["type"] != "damage"), "{dumped:?}");
    let used = dumped.iter().find(|line| line["type"] == "used_before").unwrap();
    let verified = log.run("verify", &["--json"]).exits(0).json();
    assert_eq!(verified[0]["unjudged_bytes"], used["bytes"]);
    let text = log.run("verify", &[]).exits(0).text();
    assert!(text.contains("used before, are not judged"), "{text}");
    wal.close().unwrap();
    let text = log.run("verify", &[]).exits(0).text();
    assert!(!text.contains("not judged"), "{text}");
}

/// `prune` deleted damaged segments without a word, and the evidence with them; and a damaged header kept
/// every limit but `--before` from pruning anything.
#[test]
fn prune_names_the_damaged_segments_that_it_deletes() {
    let limits: [&[&str]; 3] =
        [&["--keep-segments", "2"], &["--before", "900"], &["--keep-bytes", "40k"]];
    for (offset, what) in [(10, "segment header is damaged"), (9000, "frame is damaged")] {
        for limit in limits {
            let log = Log::of(&numbered(1000));
            let segments = log.segments();
            assert!(segments.len() > 4, "{segments:?}");
            flip(&segments[1], offset);
            let ran = log.run("prune", &[limit, &["--examine"][..]].concat()).exits(0);
            let context = format!("{offset}, {limit:?}: {ran:?}");
            let warning = "warning: damaged when it was pruned: segment 2: ";
            assert_eq!(ran.stderr.matches(warning).count(), 1, "{context}");
            assert!(ran.stderr.contains(what), "{context}");
            assert!(!ran.text().contains("damaged") && ran.text().contains("went: "), "{context}");
            assert!(segments[..3].iter().all(|path| !path.exists()), "{context}");
            log.run("verify", &[]).exits(0);
        }
    }
    let log = Log::of(&numbered(1000));
    flip(&log.segments()[1], 9000);
    let told = log.run("prune", &["--keep-segments", "2", "--examine", "--json"]).exits(0).json();
    assert_eq!(told[0]["damaged"], json!([2]));
    let told = log.run("prune", &["--keep-segments", "1", "--json"]).exits(0).json();
    assert_eq!(told[0]["damaged"], json!([]));
    // Headers are read in any case, and nothing else unless it is asked for: to prune is not to read.
    for (offset, found) in [(10, json!([2])), (9000, json!([]))] {
        let log = Log::of(&numbered(1000));
        flip(&log.segments()[1], offset);
        let told = log.run("prune", &["--keep-segments", "2", "--json"]).exits(0).json();
        assert_eq!(told[0]["damaged"], found);
    }
}

/// What is not proven to be the log's stays, all of it is named, and the rest goes.
#[test]
fn prune_leaves_every_stranger_and_names_it() {
    let log = Log::of(&numbered(1000));
    let segments = log.segments();
    for at in [0, 2] {
        fs::write(&segments[at], "not the log's").unwrap();
    }
    let ran = log.run("prune", &["--keep-segments", "2"]).exits(4);
    for part in ["move it away", "segment=1", "also segments 3"] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
    assert!(!ran.stderr.contains("nothing in the log was changed"), "{}", ran.stderr);
    for (at, path) in segments.iter().enumerate().take(4) {
        assert_eq!(path.exists(), [0, 2].contains(&at), "{at}: {}", ran.stderr);
    }
}
