//! [`Breach`]: the report of a broken law.

use std::fmt;

use crate::{CutChoice, History};

/// A law was broken. `Display` is the whole report: the law, its promise, the part under test, what
/// was seen, the calls that led there, and the command that runs it again.
#[derive(Clone)]
#[must_use = "a breach that nobody reads is a test that cannot fail"]
pub struct Breach(Box<Report>);

#[derive(Clone)]
struct Report {
    family: &'static str,
    law: &'static str,
    promise: &'static str,
    saw: String,
    /// The rest is empty where the law was broken before it ran.
    part: String,
    history: String,
    choice: Option<CutChoice>,
    seed: Option<u64>,
    front: u64,
    test: String,
}

impl Breach {
    pub(super) fn new(
        family: &'static str,
        law: &'static str,
        promise: &'static str,
        saw: String,
    ) -> Self {
        let (part, history, choice, seed) = (String::new(), String::new(), None, None);
        let test = law.to_owned();
        let front = 0;
        let report = Report { family, law, promise, saw, part, history, choice, seed, front, test };
        Self(Box::new(report))
    }

    /// It came of a run with this part, after these calls.
    pub(super) fn in_case(
        mut self,
        part: String,
        history: &History,
        choice: Option<CutChoice>,
        seed: Option<u64>,
    ) -> Self {
        (self.0.part, self.0.history) = (part, history.to_string());
        (self.0.choice, self.0.seed) = (choice, seed);
        self
    }

    /// It came behind so many bytes.
    pub(super) fn behind(mut self, front: u64) -> Self {
        self.0.front = front;
        self
    }

    /// The test of this path shows it again.
    pub(super) fn of_test(mut self, path: &str) -> Self {
        // The path begins with its crate, which the test's own name does not.
        path.split_once("::").map_or(path, |(_, name)| name).clone_into(&mut self.0.test);
        self
    }

    /// The name of the law.
    pub fn law(&self) -> &'static str {
        self.0.law
    }

    /// What was seen, in a line.
    pub fn saw(&self) -> &str {
        &self.0.saw
    }

    /// What survived the crash, where the law has one.
    pub fn choice(&self) -> Option<CutChoice> {
        self.0.choice
    }

    /// How many bytes were there before the law began.
    pub fn front(&self) -> u64 {
        self.0.front
    }

    /// The seed it was seen with, where the law has seeds.
    pub fn seed(&self) -> Option<u64> {
        self.0.seed
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { family, law, promise, saw, part, history, choice, seed, front, test } =
            &*self.0;
        writeln!(f, "law broken: {family}/{law}")?;
        writeln!(f, "   promise: {promise}")?;
        if !part.is_empty() {
            writeln!(f, "      part: {part}")?;
        }
        writeln!(f, "       saw: {saw}")?;
        if *front > 0 {
            writeln!(f, "    behind: {front} bytes that were there before the law began")?;
        }
        if !history.is_empty() {
            writeln!(f, "     after:")?;
            write!(f, "{history}")?;
        }
        if let Some(seed) = seed {
            writeln!(f, "      seed: {seed}")?;
        }
        f.write_str("     again: ")?;
        if *front > 0 {
            write!(f, "{}={front} ", super::front::FRONT_VARIABLE)?;
        }
        if let Some(seed) = seed {
            write!(f, "{}={seed} ", super::SEED_VARIABLE)?;
        }
        if let Some(choice) = choice {
            write!(f, "{}={choice} ", super::CHOICE_VARIABLE)?;
        }
        write!(f, "cargo test {test}")
    }
}

impl fmt::Debug for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Breach {}
