//! [`History`]: the calls that led to where we are.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// The most lines a history prints; the newest ones tell the story.
const PRINTED: usize = 60;

/// A list of calls, for the report of a failure. A clone is another handle of the same list.
#[derive(Clone, Default)]
pub struct History(Arc<Mutex<Vec<String>>>);

impl History {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a line.
    pub fn note(&self, line: impl Into<String>) {
        self.lines_mut(|lines| lines.push(line.into()));
    }

    /// Adds a call, and how it failed if it did; hands its result on.
    pub fn call<T, E: fmt::Display>(
        &self,
        what: impl Into<String>,
        result: Result<T, E>,
    ) -> Result<T, E> {
        let what = what.into();
        self.note(match &result {
            Ok(_) => what,
            Err(error) => format!("{what} -> {error}"),
        });
        result
    }

    /// All lines, oldest first.
    pub fn lines(&self) -> Vec<String> {
        self.lines_mut(|lines| lines.clone())
    }

    fn lines_mut<T>(&self, work: impl FnOnce(&mut Vec<String>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One numbered line each; of a long history the newest.
impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.lines();
        let skipped = lines.len().saturating_sub(PRINTED);
        if skipped > 0 {
            writeln!(f, "     ({skipped} earlier calls)")?;
        }
        for (number, line) in (1..).zip(&lines).skip(skipped) {
            writeln!(f, "{number:>4}. {line}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("History").field("lines", &self.lines().len()).finish()
    }
}
