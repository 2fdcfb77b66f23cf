//! The same faults on this log and on its peers.

use std::env;
use std::fs;
use std::io::{self, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use benches::Scratch;
use clap::{Parser, Subcommand};
use peers::faults::child::{Script, act};
use peers::faults::{examine, markdown};
use peers::{Side, entrants, stricter};

/// Makes storage fail under every log, and tells what becomes of it. Needs strace and a C compiler.
///
/// Files lie beside the program, or in the directory that `WAL_BENCH_DIR` names.
#[derive(Debug, Parser)]
struct Arguments {
    /// Only these logs.
    #[arg(long, value_delimiter = ',')]
    subjects: Vec<String>,
    /// Prints nothing but the table and what the logs said, in Markdown.
    #[arg(long)]
    markdown: bool,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// One process of an experiment; the program starts it itself.
    #[command(hide = true)]
    Child(Script),
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match &arguments.role {
        Some(Role::Child(script)) => act(script),
        None => examine_all(&arguments),
    }
}

fn examine_all(arguments: &Arguments) -> Result<()> {
    let strace = Command::new("strace").args(["-qq", "true"]).stderr(Stdio::null()).status();
    ensure!(strace.is_ok_and(|status| status.success()), "strace does not work here");
    let program = env::current_exe()?;
    let scratch = Scratch::new(program.parent().context("no directory")?.join("scratch"))?;
    if !arguments.markdown {
        println!("{scratch}\n");
    }
    let mut findings = Vec::new();
    let known = entrants().into_iter().filter(|entrant| entrant.side != Side::Floor);
    for entrant in known.chain(stricter()) {
        let wanted = |wanted: &String| wanted == entrant.name;
        if arguments.subjects.is_empty() || arguments.subjects.iter().any(wanted) {
            // Progress is for people only; whether it arrives is no matter.
            let _ = write!(io::stderr(), "\r{:50}", entrant.name);
            let dir = scratch.path();
            fs::create_dir(&dir)?;
            findings.push(examine(&entrant, &program, &dir));
        }
    }
    let _ = write!(io::stderr(), "\r{:50}\r", "");
    ensure!(!findings.is_empty(), "no log is called that");
    print!("{}", markdown(&findings));
    Ok(())
}
