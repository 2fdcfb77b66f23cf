//! A log that is pruned and truncated, with every call failing once.

use std::env;
use std::path::Path;
use std::process::Output;

use wal::{Lsn, Reader, Strategy, Verdict, Wal};

use crate::CALLS;
use crate::strace::{Effect, Fault, injected, place, strace, with_strace};

const TEST: &str = "prune::no_failing_call_of_a_prune_or_a_truncation_loses_a_record";
const LOG: &str = "WAL_FAULTS_TEST_LOG";

/// The tool does not truncate, and so the test does: it starts itself again, under strace, in a process
/// that says on stdout what it is about to do and what it has done.
#[test]
fn no_failing_call_of_a_prune_or_a_truncation_loses_a_record() {
    if let Some(log) = env::var_os(LOG) {
        if let Err(error) = work(Path::new(&log)) {
            println!("failed 1 {}", error.report());
        }
        return;
    }
    with_strace(TEST, || {
        let mut runs = 0;
        for (call, faults) in CALLS {
            for &fault in *faults {
                let mut nth = 1;
                while strike(call, fault, nth) {
                    nth += 1;
                }
                assert!(nth > 1, "no {call} was reached");
                runs += nth - 1;
            }
        }
        println!("prune: {runs} runs, each with a call that failed or a kill");
    });
}

fn work(log: &Path) -> wal::Result<()> {
    let open = || Wal::builder(log).segment_size(16 * 1024).strategy(Strategy::Sync).open();
    let (wal, _) = open()?;
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
struct Said {
    durable: u64,
    /// No record before this one is there, and all from the next field on.
    pruned_before: u64,
    kept_from: u64,
    /// How far a truncation has come.
    truncating: bool,
    truncated: bool,
    failed: Option<String>,
}

impl Said {
    fn of(text: &str) -> Self {
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
fn strike(call: &str, fault: Fault, nth: u32) -> bool {
    let context = format!("{call} {nth}, {}", fault.how);
    let dir = place();
    let (log, told) = (dir.path().join("log"), dir.path().join("strace"));
    std::fs::create_dir(&log).unwrap();
    let this = env::current_exe().unwrap();
    let mut run = strace(&this, &[&log], call, fault, nth, &told);
    let ran = run.args(["--exact", TEST, "--nocapture"]).env(LOG, &log).output().unwrap();
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
        }
        (Effect::Reported(_), None) => {
            assert!(
                hit.iter().all(|line| line.contains("/LOCK>")),
                "{context}: swallowed: {hit:?}"
            );
        }
        (_, failed) => assert!(failed.is_none(), "{context}: {failed:?}"),
    }
    if !died && said.failed.is_none() {
        assert_eq!(said.durable, 28, "{context}: {text}");
    }
    check(&log, &said, &context);
    died || !hit.is_empty()
}

/// The log holds what it must, opens, and goes on.
fn check(log: &Path, said: &Said, context: &str) {
    let verified = Reader::open(log).unwrap().verify(|_| ()).unwrap();
    assert_ne!(verified.verdict, Verdict::Corrupt, "{context}: {verified:?}");
    let (wal, _) = Wal::builder(log).segment_size(16 * 1024).open().unwrap();
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
