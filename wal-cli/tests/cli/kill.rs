//! The writer killed in the middle, again and again: 20 times a strategy, or as often as `WAL_KILLS`
//! says, by the seed in `WAL_SEED`.

use std::io::{BufRead, Read, Write};
use std::thread;

use crate::fixture::{Log, Writer};

/// Kills per strategy, on one log.
fn kills() -> u64 {
    std::env::var("WAL_KILLS").map_or(20, |kills| kills.parse().unwrap())
}

/// `wal append --ack` is fed without a pause and killed with SIGKILL after a random number of
/// acknowledgements, sometimes before the first. Each time, `wal replay` must show every record
/// acknowledged so far, under its LSN and with its bytes; nothing that was not sent; and everything
/// that it had shown after the kill before. Then the log goes on.
fn acknowledged_records_survive(strategy: &str, most_acks: u64) {
    let seed = seed();
    let log = Log::of(b"");
    // What must be there: the record of LSN n at n - 1.
    let mut shown: Vec<String> = Vec::new();
    let mut acknowledged = 0;
    for kill in 0..kills() {
        let context = format!("strategy {strategy}, kill {kill}, WAL_SEED={seed}");
        let wanted = match mix(seed ^ kill) % 8 {
            0 => 0,
            _ => mix(seed ^ kill ^ 1 << 32) % most_acks,
        };
        let before = shown.len() as u64;
        let acks = run_and_kill(&log, strategy, before, wanted, seed);
        if let Some(&last) = acks.last() {
            let expected: Vec<_> = (before + 1..=last).collect();
            assert_eq!(acks, expected, "{context}: acknowledgements out of order");
            acknowledged = last;
        }
        let read = log.run("replay", &[]);
        assert_eq!(read.code, 0, "{context}: {}", read.stderr);
        let lines = read.lines();
        assert!(
            lines.len() as u64 >= acknowledged,
            "{context}: {acknowledged} acknowledged, {} there",
            lines.len()
        );
        assert!(lines.starts_with(&shown), "{context}: what was shown once has changed");
        for (at, line) in lines.iter().enumerate().skip(shown.len()) {
            let lsn = at as u64 + 1;
            assert_eq!(*line, record(seed, lsn), "{context}: LSN {lsn}");
        }
        shown = lines;
        let verified = log.run("verify", &[]);
        assert!([0, 3].contains(&verified.code), "{context}: {}", verified.text());
    }
    assert!(acknowledged > 0, "WAL_SEED={seed}: nothing was ever acknowledged");
    // It goes on, and then is as clean as any.
    let ran = log.append(&["--ack"], b"the end\n");
    assert_eq!(ran.lines(), [(shown.len() + 1).to_string()], "WAL_SEED={seed}: {}", ran.stderr);
    log.run("verify", &[]).exits(0);
}

/// Feeds the records after LSN `before` to a writer, kills it after `wanted` acknowledgements, and
/// gives all that it had printed by then.
fn run_and_kill(log: &Log, strategy: &str, before: u64, wanted: u64, seed: u64) -> Vec<u64> {
    let mut writer = Writer::start(log, &["--strategy", strategy, "--segment-size", "32k"]);
    let Writer { child, stdin, acks } = &mut writer;
    let mut printed = String::new();
    thread::scope(|scope| {
        scope.spawn(move || {
            // Until the reader is dead.
            let mut lsn = before + 1;
            while writeln!(stdin, "{}", record(seed, lsn)).is_ok() {
                lsn += 1;
            }
        });
        for _ in 0..wanted {
            acks.read_line(&mut printed).unwrap();
        }
        child.kill().unwrap();
        acks.read_to_string(&mut printed).unwrap();
    });
    // A line without its end was cut off by the kill.
    let whole = printed.rfind('\n').map_or("", |end| &printed[..end]);
    whole.lines().map(|line| line.parse().unwrap()).collect()
}

/// The record that is sent for this LSN: of any length up to some hundred bytes.
fn record(seed: u64, lsn: u64) -> String {
    let random = mix(seed.wrapping_add(lsn));
    let len = usize::try_from(random % 300).unwrap();
    format!("{lsn} {random:016x} {}", "x".repeat(len))
}

/// Another one at each run, or the one in `WAL_SEED`.
fn seed() -> u64 {
    let given = std::env::var("WAL_SEED").ok().map(|seed| seed.parse().unwrap());
    given.unwrap_or_else(|| {
        use std::hash::{BuildHasher, RandomState};
        RandomState::new().hash_one("a seed")
    })
}

/// `SplitMix64`'s finaliser.
fn mix(number: u64) -> u64 {
    let mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[test]
fn under_group_commit() {
    acknowledged_records_survive("group-commit", 3000);
}

#[test]
fn under_a_flush_thread() {
    acknowledged_records_survive("flush-thread", 1000);
}

#[test]
fn under_a_pipeline() {
    acknowledged_records_survive("pipelined", 3000);
}

#[test]
fn under_an_interval() {
    acknowledged_records_survive("interval", 3000);
}

#[test]
fn under_one_sync_per_append() {
    acknowledged_records_survive("sync", 60);
}

/// Handed to the operating system is enough where only the process dies.
#[test]
fn under_the_operating_system() {
    acknowledged_records_survive("os", 3000);
}

/// The writer is killed while it recovers: each run after a kill begins with a recovery, and is
/// killed at once, so that recoveries of interrupted recoveries are among them.
#[test]
fn during_recovery() {
    let seed = seed();
    let log = Log::new();
    run_and_kill(&log, "group-commit", 0, 100, seed);
    let shown = log.run("replay", &[]).exits(0).lines();
    assert!(shown.len() >= 100, "WAL_SEED={seed}");
    for kill in 0..kills() {
        let context = format!("kill {kill}, WAL_SEED={seed}");
        let mut child = log.command("append", &[]).spawn().unwrap();
        // From none at all to a few more system calls than a recovery takes.
        for _ in 0..mix(seed ^ kill) % 2000 {
            thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(log.run("replay", &[]).exits(0).lines(), shown, "{context}");
    }
    let ran = log.append(&["--ack"], b"the end\n").exits(0);
    assert_eq!(ran.lines(), [(shown.len() + 1).to_string()], "WAL_SEED={seed}");
    log.run("verify", &[]).exits(0);
}
