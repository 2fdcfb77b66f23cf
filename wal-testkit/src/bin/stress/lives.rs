//! [`Lives`]: several lives of one log, with the ledger that outlives them.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;
use std::{env, fs};

use wal::{ErrorKind, Reader, Verdict, Wal};

use crate::chance::Chance;
use crate::ledger::{Event, Ledger};
use crate::life::Life;
use crate::open::{Opened, open};
use crate::payload::Name;
use crate::settings::{End, Settings, Store};
use crate::told::{self, Told};
use crate::watch;

/// A log, and which one it is.
#[derive(Clone, Debug)]
pub(crate) struct Lives {
    pub(crate) seed: u64,
    /// The number of the log.
    pub(crate) log: u64,
    pub(crate) dir: PathBuf,
    pub(crate) verbose: bool,
    /// The store is the one with the race.
    pub(crate) planted: bool,
}

impl Lives {
    /// Leads all lives. Fails with what went wrong and the settings.
    pub(crate) fn run(&self) -> Result<(), String> {
        fs::remove_dir_all(&self.dir).ok();
        let ledger = Mutex::new(Ledger::new(self.own_seed()));
        let lives = u32::try_from(Chance::of(self.own_seed(), &[]).between(2, 6)).unwrap_or(2);
        let mut kept = None;
        for life in 0..lives {
            let settings = self.settings(life);
            watch::now(format!("{}\n{settings:?}", self.where_in(life, "")));
            if self.verbose {
                println!("log {} life {life}: {settings:?}", self.log);
            }
            kept = self
                .life(life, &settings, &ledger, kept)
                .map_err(|what| format!("{}\n{settings:?}", self.where_in(life, &what)))?;
        }
        drop(kept);
        self.end(&ledger).map_err(|what| self.where_in(lives, &what))?;
        fs::remove_dir_all(&self.dir).ok();
        Ok(())
    }

    /// The life of another process, told on standard output, to its end.
    pub(crate) fn run_child(&self, life: u32) {
        let settings = self.settings(life);
        let told = Told::Output;
        match open(&self.dir, &settings) {
            Err(error) => told.wrong(format!("opening: {error:?}")),
            Ok(opened) => {
                Life::new(&self.dir, self.own_seed(), life, &settings, &told).run(&opened, None);
                close(&opened.wal, &told, &settings);
            }
        }
    }

    /// One life; gives the handle that outlives it.
    fn life(
        &self,
        number: u32,
        settings: &Settings,
        ledger: &Mutex<Ledger>,
        kept: Option<Opened>,
    ) -> Result<Option<Opened>, String> {
        let told = Told::Ledger(ledger);
        if let End::Kill { after } = settings.end {
            self.child(number, after, &told, kept)?;
            lock(ledger).wrong()?;
            self.look(settings, ledger)?;
            return Ok(None);
        }
        let opened = open(&self.dir, settings).map_err(|error| format!("opening: {error:?}"))?;
        lock(ledger).compare(&opened.wal)?;
        let life = Life::new(&self.dir, self.own_seed(), number, settings, &told);
        let closing = AtomicBool::new(false);
        let opened = thread::scope(|scope| {
            if settings.end == End::Fight {
                scope.spawn(|| self.fight(&life, &closing));
            }
            life.run(&opened, kept);
            closing.store(true, SeqCst);
            end_life(&life, opened)
        });
        let wrong = lock(ledger).wrong();
        let looked = self.look(settings, ledger);
        match (wrong, looked) {
            (Ok(()), looked) => looked.map(|()| opened),
            (Err(wrong), Ok(())) => Err(wrong),
            (Err(wrong), Err(looked)) => Err(format!("{wrong}\n{looked}")),
        }
    }

    /// Tries to open the log all the time, and has a life of its own once it is let in.
    fn fight(&self, life: &Life<'_>, closing: &AtomicBool) {
        if life.chance(103).one_in(2) {
            life.until(|| life.spend(0));
            fs::remove_file(self.dir.join("LOCK")).ok();
        }
        let opened = loop {
            match open(&self.dir, life.settings) {
                Ok(opened) => break opened,
                Err(error) if error.kind() == ErrorKind::Locked => {
                    thread::sleep(Duration::from_micros(100));
                }
                Err(error) => return life.told.wrong(format!("waiting for the lock: {error:?}")),
            }
        };
        if !closing.load(SeqCst) {
            return life.told.wrong("a second handle has the lock");
        }
        for number in 0..20 {
            // An append may wait for somebody who prunes, and there is nobody else.
            if life.settings.config.max_size.is_some() {
                life.prune_before(&opened.wal, opened.wal.last_lsn().get().max(1));
            }
            let name = Name { life: life.number, thread: 1000, number };
            match opened.wal.append_durable(name.record(life.seed, 1000)) {
                Ok(lsn) => {
                    life.told.note(Event::Acknowledged { lsn: lsn.get(), count: 1, name });
                }
                Err(error)
                    if error.kind() == ErrorKind::StorageFull
                        && life.settings.config.max_size.is_some() =>
                {
                    break;
                }
                Err(error) => {
                    return life.told.wrong(format!("appending after the fight: {error:?}"));
                }
            }
        }
        close(&opened.wal, life.told, life.settings);
    }

    /// The life of another process, which is killed after it has told so much.
    fn child(
        &self,
        number: u32,
        after: u64,
        told: &Told<'_>,
        kept: Option<Opened>,
    ) -> Result<(), String> {
        let program = env::current_exe().map_err(|error| format!("no program: {error}"))?;
        let mut command = Command::new(program);
        let [seed, log, number] = [self.seed, self.log, u64::from(number)].map(|n| n.to_string());
        command.args(["--seed", &seed, "--first", &log, "--life", &number, "--dir"]).arg(&self.dir);
        command.args(self.planted.then_some("--planted"));
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("no process: {error}"))?;
        let output = child.stdout.take().ok_or("no output")?;
        let mut lines = 0;
        let mut kept = kept;
        let mut output = BufReader::new(output);
        let mut line = String::new();
        while output.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
            // A line without its end was never told.
            if let Some(event) = line.strip_suffix('\n').and_then(told::read) {
                told.note(event);
                watch::PROGRESS.fetch_add(1, SeqCst);
            }
            line.clear();
            lines += 1;
            if lines == after / 2 {
                kept = None;
            }
            if lines == after {
                child.kill().ok();
            }
        }
        drop(kept);
        let status = child.wait().map_err(|error| format!("no end: {error}"))?;
        if lines < after && !status.success() {
            return Err(format!("the process ended with {status}"));
        }
        Ok(())
    }

    /// Opens the log to compare it with the ledger, and closes it without a change.
    fn look(&self, settings: &Settings, ledger: &Mutex<Ledger>) -> Result<(), String> {
        let opened = open(&self.dir, settings).map_err(|error| format!("opening: {error:?}"))?;
        lock(ledger).compare(&opened.wal)?;
        opened.wal.close().map_err(|error| format!("closing: {error:?}"))
    }

    /// After the last life: the log is clean, and nothing of it is left beside its segments.
    fn end(&self, ledger: &Mutex<Ledger>) -> Result<(), String> {
        let wal = Wal::builder(&self.dir).open().map_err(|error| format!("opening: {error:?}"))?.0;
        lock(ledger).compare(&wal)?;
        wal.close().map_err(|error| format!("closing: {error:?}"))?;
        drop(wal);
        let verified = Reader::open(&self.dir).and_then(|reader| reader.verify(|_| ()));
        let verified = verified.map_err(|error| format!("verifying: {error:?}"))?;
        if verified.verdict != Verdict::Clean {
            return Err(format!("verify: {:?}", verified.findings));
        }
        let left: Vec<_> = names(&self.dir)
            .into_iter()
            .filter(|name| [".tmp", ".new", ".old"].iter().any(|end| name.ends_with(end)))
            .collect();
        // The store with the race leaves its own: that is not what it is to be found by.
        if left.is_empty() || self.planted { Ok(()) } else { Err(format!("left behind: {left:?}")) }
    }

    fn settings(&self, life: u32) -> Settings {
        let drawn = Settings::draw(self.own_seed(), life);
        if self.planted { Settings { store: Store::Landed, ..drawn } } else { drawn }
    }

    fn own_seed(&self) -> u64 {
        Chance::of(self.seed, &[self.log]).next()
    }

    fn where_in(&self, life: u32, what: &str) -> String {
        let Self { seed, log, dir, .. } = self;
        let planted = if self.planted { " --planted" } else { "" };
        let there = names(dir).join(" ");
        format!(
            "--seed {seed} --first {log} --logs 1{planted}, life {life}, {}\n{what}\nthere are: {there}",
            dir.display()
        )
    }
}

/// The end that the settings ask for; gives the handle that outlives it.
fn end_life(life: &Life<'_>, opened: Opened) -> Option<Opened> {
    match life.settings.end {
        End::Drop => None,
        End::Close | End::Kill { .. } => {
            close(&opened.wal, life.told, life.settings);
            None
        }
        End::CloseAndKeep => {
            close(&opened.wal, life.told, life.settings);
            Some(opened)
        }
        End::Poison => {
            // It says what is wrong with the log, where the failure came to pass.
            let closed = opened.wal.close();
            if closed.is_err() && !life.broke.load(SeqCst) {
                life.told.wrong(format!("closing: {closed:?}"));
            }
            Some(opened)
        }
        End::Fight => {
            let mut chance = life.chance(102);
            close(&opened.wal, life.told, life.settings);
            thread::sleep(Duration::from_micros(chance.below(2) * chance.below(5000)));
            None
        }
    }
}

fn close(wal: &Wal, told: &Told<'_>, settings: &Settings) {
    if let Err(error) = wal.close() {
        let limited = settings.config.max_size.is_some();
        if !(limited && error.kind() == ErrorKind::StorageFull) {
            told.wrong(format!("closing: {error:?}"));
        }
    }
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<_> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn lock(ledger: &Mutex<Ledger>) -> std::sync::MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}
