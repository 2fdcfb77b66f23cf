//! [`Told`]: where a life tells what happens: a ledger here, or standard output of another process.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use crate::ledger::{Event, Ledger};
use crate::payload::Name;

/// Where a life tells what happens.
pub(crate) enum Told<'a> {
    Ledger(&'a Mutex<Ledger>),
    Output,
}

impl Told<'_> {
    /// Returns when what is told cannot be lost any more with this process.
    pub(crate) fn note(&self, event: Event) {
        match self {
            Self::Ledger(ledger) => {
                ledger.lock().unwrap_or_else(PoisonError::into_inner).note(event);
            }
            Self::Output => {
                let line = write(&event);
                let mut output = io::stdout().lock();
                // A reader that is gone has ended this process's life.
                if output.write_all(line.as_bytes()).and_then(|()| output.flush()).is_err() {
                    std::process::exit(3);
                }
            }
        }
    }

    pub(crate) fn wrong(&self, what: impl Into<String>) {
        self.note(Event::Wrong(what.into()));
    }
}

fn write(event: &Event) -> String {
    match event {
        Event::Acknowledged { lsn, count, name: Name { life, thread, number } } => {
            format!("acknowledged {lsn} {count} {life} {thread} {number}\n")
        }
        Event::Pruning(lsn) => format!("pruning {lsn}\n"),
        Event::Pruned(lsn) => format!("pruned {lsn}\n"),
        Event::Truncating(lsn) => format!("truncating {lsn}\n"),
        Event::Truncated(lsn) => format!("truncated {lsn}\n"),
        Event::Wrong(what) => format!("wrong {}\n", what.replace('\n', "; ")),
    }
}

/// What a whole line of another process tells.
pub(crate) fn read(line: &str) -> Option<Event> {
    let (verb, rest) = line.split_once(' ')?;
    let numbers: Vec<u64> = rest.split(' ').map_while(|word| word.parse().ok()).collect();
    let small = |at: usize| numbers.get(at).and_then(|&number| u32::try_from(number).ok());
    let lsn = numbers.first().copied();
    Some(match verb {
        "acknowledged" => Event::Acknowledged {
            lsn: lsn?,
            count: small(1)?,
            name: Name { life: small(2)?, thread: small(3)?, number: small(4)? },
        },
        "pruning" => Event::Pruning(lsn?),
        "pruned" => Event::Pruned(lsn?),
        "truncating" => Event::Truncating(lsn?),
        "truncated" => Event::Truncated(lsn?),
        "wrong" => Event::Wrong(rest.to_owned()),
        _ => return None,
    })
}
