//! Every target on a stable toolchain: its seed corpus, and inputs made of it by chance.
//!
//! `WAL_FUZZ_RUNS` is how many inputs a target gets, `WAL_FUZZ_SEED` which ones. A failure is shrunk
//! and printed with both; `WAL_FUZZ_HEX=…` runs a target on what was printed, `WAL_FUZZ_INPUT=FILE`
//! on a file, such as a finding of libFuzzer.

mod corpus;

use std::cell::Cell;
use std::env;
use std::fs;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use wal_fuzz::TARGETS;
use wal_fuzz::chance::Chance;
use wal_fuzz::seeds::{FIELDS, folder, seeds};

/// The most bytes that a target may have in use at once, for an input of so many. Every decoder is
/// held to a small multiple of what it is given; a recovery reads in chunks of 1 MiB at the most,
/// its store is in memory, and the transform there makes 255 bytes of two.
fn memory_limit(target: &str, len: usize) -> u64 {
    let len = len as u64;
    match target {
        "recovery" | "torn_or_rot" | "history" => (16 << 20) + 512 * len,
        _ => (64 << 10) + 16 * len,
    }
}

macro_rules! smoke {
    ($($target:ident: $runs:literal)*) => {
        /// How many inputs each target gets here.
        const RUNS: &[(&str, u64)] = &[$((stringify!($target), $runs)),*];
        $(
            #[test]
            fn $target() {
                smoke(stringify!($target), $runs);
            }
        )*
    };
}

smoke! {
    segment_header: 20_000
    frame: 20_000
    records: 20_000
    seal: 20_000
    start: 20_000
    operation: 20_000
    bincode: 20_000
    recovery: 10_000
    torn_or_rot: 10_000
    history: 10_000
}

#[test]
fn every_target_has_its_smoke_test_its_program_and_its_corpus() {
    let named: Vec<_> = TARGETS.iter().map(|(name, _)| *name).collect();
    assert_eq!(named, RUNS.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    for name in named {
        let program = format!("{}/fuzz_targets/{name}.rs", env!("CARGO_MANIFEST_DIR"));
        let program = fs::read_to_string(program).expect("a target has a program");
        assert!(program.contains(&format!("wal_fuzz::{name}(bytes)")), "{name}");
        assert!(!corpus::read(name).is_empty(), "{name}");
    }
}

/// Every number in a log's files at its ends: where sums overflow, lengths reach behind the end and
/// counts claim what is not there. The target makes the checksums right again.
#[test]
fn recovery_of_logs_with_every_number_at_its_ends() {
    for (path, input) in seeds("recovery") {
        for at in (0..input.len().min(2500)).step_by(2) {
            let end = input.len().min(at + 8);
            for byte in [0, 0xff, 0x7f] {
                let mut changed = input.clone();
                changed[at..end].fill(byte);
                run("recovery", &changed, &format!("{path} with {byte:#x} at {at}"));
            }
        }
    }
}

/// A frame claims the most that a body may have, and the next segment vouches for it: no memory is
/// taken before that many bytes are there.
#[test]
fn recovery_of_a_log_that_claims_a_gibibyte() {
    let logs = seeds("recovery");
    let (_, mut log) = logs.into_iter().find(|(name, _)| name == "log-waits").expect("a seed");
    // As a seed is packed: number, what to put right, fields of the header, length, frames.
    let (frames, length_of_predecessor) = (2 + FIELDS + 2, 2 + 104);
    let next = frames + usize::from(u16::from_le_bytes([log[frames - 2], log[frames - 1]]));
    log[frames..frames + 4].copy_from_slice(&(1_u32 << 30).to_le_bytes());
    let length = next + length_of_predecessor;
    log[length..length + 8].copy_from_slice(&(1_u64 << 40).to_le_bytes());
    once("recovery", &log);
}

fn smoke(name: &str, runs: u64) {
    if let Ok(path) = env::var("WAL_FUZZ_INPUT") {
        let input = fs::read(&path).expect("WAL_FUZZ_INPUT names a file");
        return run(name, &input, &path);
    }
    if let Ok(hex) = env::var("WAL_FUZZ_HEX") {
        return run(name, &bytes_of(&hex), "WAL_FUZZ_HEX");
    }
    let mut corpus = corpus::read(name);
    for (path, input) in &corpus {
        run(name, input, &format!("{}", folder(name).join(path).display()));
    }
    // As they are now, should the corpus be of an older format.
    corpus.extend(seeds(name));
    let seed = number("WAL_FUZZ_SEED").unwrap_or(1);
    let runs = number("WAL_FUZZ_RUNS").unwrap_or(runs);
    let mut chance = Chance::new(seed);
    for turn in 0..runs {
        let input = chance.input(&corpus);
        run(name, &input, &format!("input {turn} of WAL_FUZZ_SEED={seed}"));
    }
}

fn run(name: &str, input: &[u8], what: &str) {
    let fails = |input: &[u8]| catch_unwind(AssertUnwindSafe(|| once(name, input))).is_err();
    if !quietly(|| fails(input)) {
        return;
    }
    let small = quietly(|| shrunk(input, fails));
    let hex = small.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    eprintln!("{name} fails on {what}; the smallest input that was found to fail: {hex}");
    once(name, &small);
}

fn once(name: &str, input: &[u8]) {
    let (_, target) = TARGETS.iter().find(|(target, _)| *target == name).expect("a target");
    let mut ended = Ok(());
    // The measuring does not survive a panic, and so must not see one.
    let measured = || ended = catch_unwind(AssertUnwindSafe(|| target(input)));
    let used = allocation_counter::measure(measured).bytes_max;
    if let Err(panic) = ended {
        panic::resume_unwind(panic);
    }
    let limit = memory_limit(name, input.len());
    assert!(used <= limit, "{used} bytes of memory at once, and {limit} are allowed");
}

/// Without the messages of panics on this thread.
fn quietly<T>(work: impl FnOnce() -> T) -> T {
    QUIET.set(true);
    HOOK.call_once(|| {
        let told = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                told(info);
            }
        }));
    });
    let done = work();
    QUIET.set(false);
    done
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

static HOOK: Once = Once::new();

/// The input with as much taken away as it fails without, and its bytes made as small as may be.
fn shrunk(input: &[u8], fails: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut small = input.to_vec();
    loop {
        let before = small.clone();
        let mut len = small.len();
        while len > 0 {
            let mut at = 0;
            while at < small.len() {
                let end = small.len().min(at + len);
                let shorter = [&small[..at], &small[end..]].concat();
                if fails(&shorter) {
                    small = shorter;
                } else {
                    at += len;
                }
            }
            len /= 2;
        }
        for at in 0..small.len() {
            for byte in [0, 1, small[at] / 2, small[at].saturating_sub(1)] {
                let kept = std::mem::replace(&mut small[at], byte);
                if kept <= byte || !fails(&small) {
                    small[at] = kept;
                }
            }
        }
        if small == before {
            return small;
        }
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("WAL_FUZZ_HEX is hex");
    (0..hex.len() / 2).map(|at| byte(2 * at)).collect()
}
