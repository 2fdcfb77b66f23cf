//! A log that is pruned and truncated, with every call failing once.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Output;
use std::sync::OnceLock;

use tempfile::TempDir;
use wal::{
    Config, ErrorKind, Lsn, Preparation, Reader, Recycling, Strategy, Verdict, Wal, Writing,
};

use crate::CALLS;
use crate::strace::{
    Effect, Fault, injected, made_anew, next, not_run, of_anchor, of_lock, of_trimming, place,
    strace, with_strace,
};

/// Set for a process that is to work on the log there.
pub(crate) const LOG: &str = "WAL_FAULTS_TEST_LOG";

/// A way of keeping the log's files, each with a thread that prepares the next segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// What suits the file system.
    Fit,
    /// Zeros ahead of the end, and the files of pruned segments used again.
    Recycled,
    /// Past the page cache, each flush padded to 4096 bytes.
    Direct,
}

impl Policy {
    pub(crate) const ALL: [Self; 3] = [Self::Fit, Self::Recycled, Self::Direct];

    /// The test that sweeps over it, and is the process that works.
    pub(crate) fn test(self) -> &'static str {
        match self {
            Self::Fit => "prune::no_failing_call_of_a_prune_or_a_truncation_loses_a_record",
            Self::Recycled => "prune::no_failing_call_loses_a_record_where_files_are_used_again",
            Self::Direct => "prune::no_failing_call_loses_a_record_that_is_written_past_the_cache",
        }
    }

    fn open(self, log: &Path) -> wal::Result<Wal> {
        let mut config = Config::default();
        config.segment_size = 16 * 1024;
        config.strategy = Strategy::Sync;
        let (preparation, recycling, writing) = match self {
            Self::Fit => (None, None, None),
            Self::Recycled => {
                let preparation = Preparation::ZerosAhead(4096);
                (Some(preparation), Some(Recycling::Keep(2)), Some(Writing::Buffered))
            }
            Self::Direct => (Some(Preparation::Whole), Some(Recycling::Off), Some(Writing::Direct)),
        };
        (config.preparation, config.recycling, config.writing) = (preparation, recycling, writing);
        config.alignment = if self == Self::Direct { 4096 } else { config.alignment };
        Wal::builder(log).config(config).open().map(|(wal, _)| wal)
    }

    /// Calls that the work need not come to.
    fn without(self) -> &'static [&'static str] {
        match self {
            Self::Fit => &["fallocate"],
            Self::Recycled => &["unlinkat"],
            Self::Direct => &["fdatasync"],
        }
    }

    /// A directory where the log can be kept so, in memory if that goes.
    pub(crate) fn place(self) -> TempDir {
        static IN_MEMORY: OnceLock<bool> = OnceLock::new();
        let takes_direct = || Self::Direct.open(&place().path().join("log")).is_ok();
        let in_memory = self != Self::Direct || *IN_MEMORY.get_or_init(takes_direct);
        if in_memory { place() } else { tempfile::tempdir().unwrap() }
    }
}

#[test]
fn no_failing_call_of_a_prune_or_a_truncation_loses_a_record() {
    sweep(Policy::Fit);
}

#[test]
fn no_failing_call_loses_a_record_where_files_are_used_again() {
    sweep(Policy::Recycled);
}

#[test]
fn no_failing_call_loses_a_record_that_is_written_past_the_cache() {
    let refused = Policy::Direct.open(&Policy::Direct.place().path().join("log"));
    if refused.is_err_and(|error| error.kind() == ErrorKind::Unsupported) {
        return not_run(Policy::Direct.test(), "no O_DIRECT for temporary files");
    }
    sweep(Policy::Direct);
}

/// The tool does not truncate, and so the test does: it starts itself again, under strace, in a process
/// that says on stdout what it is about to do and what it has done.
fn sweep(policy: Policy) {
    if let Some(log) = env::var_os(LOG) {
        let thread = fs::read_link("/proc/thread-self").unwrap();
        println!("\nthread {}", thread.file_name().unwrap().display());
        if let Err(error) = work(Path::new(&log), policy) {
            println!("failed 1 {}", error.report());
        }
        return;
    }
    with_strace(policy.test(), || {
        let mut runs = 0;
        for (call, faults) in CALLS {
            for &fault in *faults {
                let mut nth = 1;
                while strike(policy, call, fault, nth) {
                    nth = next(nth);
                    runs += 1;
                }
                assert!(nth > 1 || policy.without().contains(call), "no {call} was reached");
            }
        }
        println!("{policy:?}: {runs} runs, each with a call that failed or a kill");
    });
}

fn work(log: &Path, policy: Policy) -> wal::Result<()> {
    let wal = policy.open(log)?;
    append(&wal, 20, 0)?;
    prune(&wal, 12)?;
    append(&wal, 24, 0)?;
    println!("truncating 18");
    wal.truncate_after(Lsn::new(18))?;
    println!("truncated 18");
    append(&wal, 26, 1)?;
    prune(&wal, 20)?;
    append(&wal, 28, 1)?;
    wal.close()
}

/// Appends through `last`, each record durable when this says so.
fn append(wal: &Wal, last: u64, generation: u32) -> wal::Result<()> {
    while wal.last_lsn().get() < last {
        let lsn = wal.append(record(wal.last_lsn().get() + 1, generation))?;
        println!("durable {lsn}");
    }
    Ok(())
}

fn prune(wal: &Wal, lsn: u64) -> wal::Result<()> {
    println!("pruning {lsn}");
    let first = wal.prune_before(Lsn::new(lsn))?;
    println!("pruned {first}");
    Ok(())
}

fn record(lsn: u64, generation: u32) -> Vec<u8> {
    let mut record = format!("{generation}/{lsn}:").into_bytes();
    record.resize(1500, b'x');
    record
}

/// What the process has said, and so what may be found in the log.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) durable: u64,
    /// No record before this one is there, and all from the next field on.
    pruned_before: u64,
    kept_from: u64,
    /// How far a truncation has come.
    truncating: bool,
    truncated: bool,
    pub(crate) failed: Option<String>,
    /// The thread that says all this.
    thread: u64,
}

impl Said {
    pub(crate) fn of(text: &str) -> Self {
        let mut said = Self { pruned_before: 1, kept_from: 1, ..Self::default() };
        // A line without its end was cut off by a kill.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        for line in whole.lines() {
            let mut words = line.split(' ');
            let word = words.next().unwrap_or_default();
            let Some(lsn) = words.next().and_then(|word| word.parse().ok()) else { continue };
            match word {
                "durable" => said.durable = lsn,
                "pruning" => said.kept_from = lsn,
                "pruned" => (said.pruned_before, said.kept_from) = (lsn, lsn),
                "truncating" => (said.truncating, said.durable) = (true, lsn),
                "truncated" => said.truncated = true,
                "thread" => said.thread = lsn,
                "failed" => said.failed = Some(line.to_owned()),
                _ => {}
            }
        }
        said
    }

    /// Whether this may be the record of that LSN.
    fn may_be(&self, lsn: u64, payload: &[u8]) -> bool {
        let first = payload == record(lsn, 0);
        let second = self.truncated && lsn > 18 && payload == record(lsn, 1);
        if self.truncated && lsn > 18 { second } else { first && lsn <= 24 }
    }
}

/// One run with one fault; whether there were so many calls.
fn strike(policy: Policy, call: &str, fault: Fault, nth: u32) -> bool {
    let context = format!("{policy:?}, {call} {nth}, {}", fault.how);
    let dir = policy.place();
    let (log, told) = (dir.path().join("log"), dir.path().join("strace"));
    fs::create_dir(&log).unwrap();
    let this = env::current_exe().unwrap();
    let mut run = strace(&this, &[&log], call, fault, nth, &told);
    let ran = run.args(["--exact", policy.test(), "--nocapture"]).env(LOG, &log).output().unwrap();
    let Output { status, stdout, stderr } = ran;
    let text = String::from_utf8(stdout).unwrap();
    let said = Said::of(&text);
    let hit = injected(&told);
    let died = !status.success();
    assert!(
        !died || fault.effect == Effect::Death,
        "{context}: {}",
        String::from_utf8_lossy(&stderr)
    );
    match (fault.effect, &said.failed) {
        (Effect::Reported(why) | Effect::Bearable(why), Some(failed)) => {
            assert!(failed.contains(why), "{context}: {failed}");
            assert!(failed.contains(log.to_str().unwrap()), "{context}: {failed}");
        }
        (Effect::Reported(_), None) => {
            // What is done ahead is done again when it is needed.
            let ahead = |line: &str| !line.starts_with(&format!("{} ", said.thread));
            // To find out where the log can be kept, one is opened elsewhere.
            let elsewhere = |line: &str| !line.contains(log.to_str().unwrap());
            let later = |line: &str| of_anchor(line) || of_trimming(line) || elsewhere(line);
            let borne =
                |line: &String| of_lock(line) || later(line) || ahead(line) || made_anew(line);
            assert!(hit.iter().all(borne), "{context}: swallowed: {hit:?}");
        }
        (_, failed) => assert!(failed.is_none(), "{context}: {failed:?}"),
    }
    if !died && said.failed.is_none() {
        assert_eq!(said.durable, 28, "{context}: {text}");
    }
    check(&log, policy, &said, &context);
    died || !hit.is_empty()
}

/// The log holds what it must, opens, and goes on.
pub(crate) fn check(log: &Path, policy: Policy, said: &Said, context: &str) {
    let verified = Reader::open(log).unwrap().verify(|_| ()).unwrap();
    assert_ne!(verified.verdict, Verdict::Corrupt, "{context}: {verified:?}");
    let wal = policy.open(log).unwrap_or_else(|error| panic!("{context}: {error:?}"));
    let first = wal.first_lsn().get();
    let begins = said.pruned_before..=said.kept_from;
    assert!(begins.contains(&first), "{context}: begins at {first}, {said:?}");
    let mut next = first;
    for entry in wal.read_from(Lsn::new(first)).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.lsn.get(), next, "{context}");
        assert!(said.may_be(next, &entry.payload), "{context}: LSN {next}, {said:?}");
        next += 1;
    }
    assert!(next > said.durable, "{context}: ends at {}, {said:?}", next - 1);
    let lsn = wal.append(b"goes on").unwrap();
    assert_eq!(lsn.get(), next, "{context}");
    wal.wait_for_lsn(lsn).wait().unwrap();
    wal.close().unwrap();
    let verified = Reader::open(log).unwrap().verify(|_| ()).unwrap();
    assert_eq!(verified.verdict, Verdict::Clean, "{context}: {verified:?}");
}
