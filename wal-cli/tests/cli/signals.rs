//! `append` that is told to stop.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command};
use std::thread;

use crate::fixture::Log;

fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
}

fn numbers(through: u64) -> String {
    (1..=through).fold(String::new(), |mut lines, n| {
        writeln!(lines, "line number {n}").unwrap();
        lines
    })
}

/// The test holds the same pipe as the tool, so that what the tool has not taken is still in it: all
/// else is in the log, or was half a line and said to be. A signal used to end the tool at once, and
/// thousands of lines that it had read were nowhere.
#[test]
fn a10_a_signal_ends_the_input_and_nothing_that_was_read_is_lost() {
    for (name, number) in [("INT", 2), ("TERM", 15)] {
        let log = Log::new();
        let (mut ours, mut sent) = std::io::pipe().unwrap();
        let mut command = log.command("append", &["--ack", "--strategy", "sync"]);
        let mut child = command.stdin(ours.try_clone().unwrap()).spawn().unwrap();
        drop(command);
        let input = numbers(60_000);
        let all = input.clone();
        let (acks, said, rest) = thread::scope(|scope| {
            scope.spawn(move || sent.write_all(all.as_bytes()).unwrap());
            let mut acks = BufReader::new(child.stdout.take().unwrap());
            let mut first = String::new();
            acks.read_line(&mut first).unwrap();
            assert_eq!(first, "1\n");
            // In the middle of it: there is more in the pipe than the log takes before it is read.
            signal(&child, name);
            let mut rest = String::new();
            acks.read_to_string(&mut rest).unwrap();
            let ended = child.wait_with_output().unwrap();
            assert_eq!(ended.status.signal(), Some(number), "{name}: {ended:?}");
            let mut left = String::new();
            ours.read_to_string(&mut left).unwrap();
            (first + &rest, String::from_utf8(ended.stderr).unwrap(), left)
        });
        let taken = &input[..input.len() - rest.len()];
        let whole = taken.rfind('\n').map_or("", |end| &taken[..=end]);
        let count = whole.lines().count();
        assert!(count > 0, "{name}");
        assert_eq!(log.run("replay", &[]).exits(0).text(), whole, "{name}");
        let expected = (1..=count).fold(String::new(), |acks, n| acks + &format!("{n}\n"));
        assert_eq!(acks, expected, "{name}");
        assert!(said.contains(&format!("appended: {count} record")), "{name}: {said}");
        let half = taken.len() - whole.len();
        let told = said.contains(&format!("note: {half} byte"));
        assert_eq!(told, half > 0, "{name}: {half} bytes of a line; {said}");
        log.run("verify", &[]).exits(0);
    }
}

/// The tool waits for the reader of its acknowledgements, which reads none.
#[test]
fn a10_a_second_signal_ends_it_at_once() {
    let log = Log::new();
    let mut child = log.command("append", &["--ack", "--strategy", "os"]).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // More acknowledgements than go into a pipe, and all but what fits a pipe has been taken.
    stdin.write_all(numbers(100_000).as_bytes()).unwrap();
    signal(&child, "TERM");
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert!(line.starts_with("stopping: "), "{line}");
    signal(&child, "INT");
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    let ended = child.wait().unwrap();
    assert_eq!((ended.signal(), rest.as_str()), (Some(2), ""), "{ended:?}");
}

/// `ulimit -f` used to end the tool by SIGXFSZ, without a word.
#[test]
fn f14_a_limit_on_the_size_of_files_is_an_error_and_not_the_end() {
    let log = Log::new();
    let tool = env!("CARGO_BIN_EXE_wal");
    let script = format!(
        "ulimit -f 64; seq -f '%0999g' 200 | {tool} append {} --segment-size 16m",
        log.dir.display()
    );
    let ran = Command::new("bash").args(["-c", &script]).output().unwrap();
    let said = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(1), "{said}");
    assert!(said.contains("File too large"), "{said}");
    for part in ["hint: ", "ulimit -f", "--segment-size"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("see to the disk"), "{said}");
    // Not all of it was, and nothing is called appended that may not be there.
    assert!(!said.contains("appended: "), "{said}");
    // A write that the limit has cut is a torn tail: nothing vouches for it.
    assert!([0, 3].contains(&log.run("verify", &[]).code));
    // Without the limit the log goes on.
    log.append(&[], b"more\n").exits(0);
}
