//! [`Case`]: a world and what is done in it; all that a run depends on.

use std::fmt;
use std::str::FromStr;

use super::Step;

/// The name of a [`World`](super::World) and the steps done in it, in order. A run depends on
/// nothing else.
///
/// Prints and parses as `files: append 100; wait 0; cut nothing`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Case {
    /// The name of the world.
    pub world: String,
    /// What is done, in order.
    pub steps: Vec<Step>,
}

impl Case {
    /// These steps in the world of this name.
    pub fn new(world: impl Into<String>, steps: Vec<Step>) -> Self {
        Self { world: world.into(), steps }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.world)?;
        let mut mark = " ";
        for step in &self.steps {
            write!(f, "{mark}{step}")?;
            mark = "; ";
        }
        Ok(())
    }
}

impl FromStr for Case {
    type Err = ParseCaseError;

    fn from_str(text: &str) -> Result<Self, ParseCaseError> {
        let wrong = || ParseCaseError::new("no case, which begins with a world and a colon", text);
        let (world, steps) = text.split_once(':').ok_or_else(wrong)?;
        let steps = steps.split(';').map(str::trim).filter(|step| !step.is_empty());
        Ok(Self::new(world.trim(), steps.map(str::parse).collect::<Result<_, _>>()?))
    }
}

/// Text that is no [`Case`], or a word of one that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseCaseError(String);

impl ParseCaseError {
    pub(super) fn new(what: &str, text: &str) -> Self {
        Self(format!("{what}: {text:?}"))
    }
}

impl fmt::Display for ParseCaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ParseCaseError {}

#[cfg(test)]
mod tests {
    use super::super::random::steps;
    use super::{Case, Step};
    use crate::Tape;

    #[test]
    fn a_case_reads_back_as_it_prints() {
        for seed in 0..200 {
            let case = Case::new("files", steps(&mut Tape::random(seed), 40));
            assert_eq!(case.to_string().parse(), Ok(case), "seed {seed}");
        }
    }

    #[test]
    fn a_simpler_step_reads_back_and_is_another() {
        for seed in 0..50 {
            for step in steps(&mut Tape::random(seed), 40) {
                for simpler in step.simpler() {
                    assert_ne!(simpler, step);
                    assert_eq!(simpler.to_string().parse::<Step>(), Ok(simpler), "seed {seed}");
                }
            }
        }
    }

    #[test]
    fn nonsense_is_no_case() {
        for wrong in
            ["", "files", "files: append", "files: append x", "files: fault sync short:1 0 1"]
        {
            assert!(wrong.parse::<Case>().is_err(), "{wrong:?}");
        }
    }
}
