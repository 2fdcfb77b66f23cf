//! [`Cut`]: what survives a power cut of a case, so that the case can be shrunk.

use std::fmt;
use std::str::FromStr;

use super::ParseCaseError;
use crate::{CutChoice, SimDisk, Tape};

/// Which of what no sync has covered survives: by a choice, or by the recorded choices of a
/// [`Tape`], which is what a [`CutChoice::Seed`] becomes when a case is shrunk.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cut {
    /// By this choice.
    Choice(CutChoice),
    /// By these choices of a tape, and 0 from there on.
    Tape(Vec<u32>),
}

impl Cut {
    /// The disk that this cut leaves.
    pub(super) fn apply(&self, disk: &SimDisk) -> SimDisk {
        match self {
            Self::Choice(choice) => disk.power_cut(*choice),
            Self::Tape(choices) => disk.power_cut_by(&mut Tape::replay(choices)),
        }
    }

    /// The same cut of this disk, its choices written out.
    pub(super) fn recorded(&self, disk: &SimDisk) -> Self {
        let Self::Choice(CutChoice::Seed(seed)) = self else { return self.clone() };
        let mut tape = Tape::random(*seed);
        let _ = disk.power_cut_by(&mut tape);
        Self::Tape(tape.choices().to_vec())
    }

    /// Simpler cuts, the simplest first.
    pub(super) fn simpler(&self) -> Vec<Self> {
        let mut simpler = Vec::new();
        if *self != Self::Choice(CutChoice::Nothing) {
            simpler.push(Self::Choice(CutChoice::Nothing));
            if *self != Self::Choice(CutChoice::Everything) {
                simpler.push(Self::Choice(CutChoice::Everything));
            }
        }
        if let Self::Tape(choices) = self {
            for keep in [choices.len() / 2, choices.len().saturating_sub(1)] {
                if keep < choices.len() {
                    simpler.push(Self::Tape(choices[..keep].to_vec()));
                }
            }
            for (at, &choice) in choices.iter().enumerate().filter(|(_, choice)| **choice > 0) {
                for lower in [0, choice / 2] {
                    let mut choices = choices.clone();
                    choices[at] = lower;
                    simpler.push(Self::Tape(choices));
                }
            }
        }
        simpler
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Choice(choice) => choice.fmt(f),
            Self::Tape(choices) => {
                let choices: Vec<_> = choices.iter().map(ToString::to_string).collect();
                write!(f, "tape:{}", choices.join("."))
            }
        }
    }
}

impl FromStr for Cut {
    type Err = ParseCaseError;

    fn from_str(text: &str) -> Result<Self, ParseCaseError> {
        let wrong = || ParseCaseError::new("no power cut", text);
        let Some(choices) = text.strip_prefix("tape:") else {
            return text.parse().map(Self::Choice).map_err(|_| wrong());
        };
        let choices = choices.split('.').filter(|choice| !choice.is_empty());
        choices
            .map(|choice| choice.parse().map_err(|_| wrong()))
            .collect::<Result<_, _>>()
            .map(Self::Tape)
    }
}
