//! [`CutChoice`]: what survives a power cut, and [`Fates`], the answer for each operation.

use std::fmt;
use std::str::FromStr;

use super::profile::{Damage, Profile};
use crate::Tape;
use crate::chance::Chance;

/// Which of the operations that no sync has covered survive a power cut. Operations are counted
/// from 0, in the order they were issued.
///
/// Prints and parses as `nothing`, `everything`, `drop:N`, `only:N`, `tear:N`, `seed:N`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CutChoice {
    /// None of them.
    Nothing,
    /// All of them.
    Everything,
    /// All but this one; all, where there are not so many.
    Drop(u64),
    /// This one alone; none, where there are not so many.
    Only(u64),
    /// All, but of the last write only this many atoms from its start.
    TearLast(u64),
    /// By chance: each operation its own way, writes also in part or damaged, sizes apart from data.
    Seed(u64),
}

impl CutChoice {
    /// The choices a law tries: the extremes first, since a random one seldom hits them, and then
    /// so many seeds.
    pub(crate) fn for_laws(extremes: u64, seeds: u64) -> impl Iterator<Item = Self> {
        [Self::Nothing, Self::Everything]
            .into_iter()
            .chain((0..extremes).flat_map(|n| [Self::Drop(n), Self::Only(n), Self::TearLast(n)]))
            .chain((0..seeds).map(Self::Seed))
    }
}

impl fmt::Display for CutChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::Everything => f.write_str("everything"),
            Self::Drop(n) => write!(f, "drop:{n}"),
            Self::Only(n) => write!(f, "only:{n}"),
            Self::TearLast(n) => write!(f, "tear:{n}"),
            Self::Seed(n) => write!(f, "seed:{n}"),
        }
    }
}

impl FromStr for CutChoice {
    type Err = ParseCutChoiceError;

    fn from_str(text: &str) -> Result<Self, ParseCutChoiceError> {
        let (word, number) = text.split_once(':').unwrap_or((text, ""));
        match (word, number.parse()) {
            ("nothing", Err(_)) if number.is_empty() => Ok(Self::Nothing),
            ("everything", Err(_)) if number.is_empty() => Ok(Self::Everything),
            ("drop", Ok(n)) => Ok(Self::Drop(n)),
            ("only", Ok(n)) => Ok(Self::Only(n)),
            ("tear", Ok(n)) => Ok(Self::TearLast(n)),
            ("seed", Ok(n)) => Ok(Self::Seed(n)),
            _ => Err(ParseCutChoiceError(text.to_owned())),
        }
    }
}

/// Text that names no [`CutChoice`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseCutChoiceError(String);

impl fmt::Display for ParseCutChoiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a power cut: {:?}, want nothing, everything or seed:N", self.0)
    }
}

impl std::error::Error for ParseCutChoiceError {}

/// What becomes of one unsynced write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Reached,
    Lost,
    /// The first so many atoms reached the platter.
    Prefix(u64),
    /// All but the first so many.
    Suffix(u64),
    /// Any of them.
    Scattered(u64),
    /// Any of them, and some came out as garbage.
    Damaged(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AtomFate {
    Reached,
    Lost,
    Garbage(u64),
}

impl Fate {
    pub(super) fn of_atom(self, index: u64) -> AtomFate {
        let reached = match self {
            Self::Reached => true,
            Self::Lost => false,
            Self::Prefix(atoms) => index < atoms,
            Self::Suffix(atoms) => index >= atoms,
            Self::Scattered(seed) => Chance::new(seed ^ index).next().is_multiple_of(2),
            Self::Damaged(seed) => {
                let mut chance = Chance::new(seed ^ index);
                match chance.below(3) {
                    0 => true,
                    1 => false,
                    _ => return AtomFate::Garbage(chance.next()),
                }
            }
        };
        if reached { AtomFate::Reached } else { AtomFate::Lost }
    }
}

/// Says for every operation what becomes of it.
#[derive(Debug)]
pub(super) enum Fates<'a> {
    Fixed { choice: Fixed, profile: Profile },
    Tape { tape: &'a mut Tape, profile: Profile },
}

/// A choice without chance, in operation numbers of the disk.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fixed {
    All,
    None,
    AllBut(u64),
    Only(u64),
    Tear { operation: u64, atoms: u64 },
}

impl Fates<'_> {
    pub(super) fn profile(&self) -> Profile {
        match self {
            Self::Fixed { profile, .. } | Self::Tape { profile, .. } => *profile,
        }
    }

    /// Whether an operation that happens whole or not at all survives.
    pub(super) fn survives(&mut self, operation: u64) -> bool {
        match self {
            Self::Fixed { choice, .. } => match *choice {
                Fixed::All | Fixed::Tear { .. } => true,
                Fixed::None => false,
                Fixed::AllBut(other) => operation != other,
                Fixed::Only(other) => operation == other,
            },
            Self::Tape { tape, .. } => tape.choose(2) == 0,
        }
    }

    /// How many of these operations survive, where they survive in their order: all before the
    /// first that is lost, or all up to the one that is kept.
    pub(super) fn prefix(&mut self, operations: &[u64]) -> usize {
        let all = operations.len();
        if let Self::Tape { tape, .. } = self {
            let options = u32::try_from(all + 1).unwrap_or(u32::MAX);
            return all - tape.choose(options) as usize;
        }
        if matches!(self, Self::Fixed { choice: Fixed::Only(_), .. }) {
            return operations.iter().rposition(|op| self.survives(*op)).map_or(0, |at| at + 1);
        }
        operations.iter().position(|op| !self.survives(*op)).unwrap_or(all)
    }

    pub(super) fn write(&mut self, operation: u64, atoms: u64) -> Fate {
        if let Self::Fixed { choice: Fixed::Tear { operation: torn, atoms }, .. } = *self
            && operation == torn
        {
            return Fate::Prefix(atoms);
        }
        let Self::Tape { tape, profile } = self else {
            return if self.survives(operation) { Fate::Reached } else { Fate::Lost };
        };
        let kinds = if profile.damage == Damage::None { 5 } else { 6 };
        match tape.choose(kinds) {
            0 => Fate::Reached,
            1 => Fate::Lost,
            2 => Fate::Prefix(pick(tape, atoms)),
            3 => Fate::Suffix(pick(tape, atoms)),
            4 => Fate::Scattered(seed(tape)),
            _ => Fate::Damaged(seed(tape)),
        }
    }

    /// The size a file comes back with: the one that goes with the surviving operations, or any it
    /// has had since the last sync.
    pub(super) fn size(&mut self, natural: u64, reached: &[u64]) -> u64 {
        let Self::Tape { tape, .. } = self else { return natural };
        if reached.len() < 2 {
            return natural;
        }
        let options = u32::try_from(reached.len()).unwrap_or(u32::MAX - 1) + 1;
        match tape.choose(options) {
            0 => natural,
            n => reached[n as usize - 1],
        }
    }
}

fn pick(tape: &mut Tape, below: u64) -> u64 {
    u64::from(tape.choose(u32::try_from(below).unwrap_or(u32::MAX)))
}

fn seed(tape: &mut Tape) -> u64 {
    u64::from(tape.choose(u32::MAX)) << 32
}

#[cfg(test)]
mod tests {
    use super::CutChoice;

    #[test]
    fn a_choice_reads_back_as_it_prints() {
        for choice in CutChoice::for_laws(3, 3) {
            assert_eq!(choice.to_string().parse(), Ok(choice));
        }
        for wrong in ["", "all", "seed", "seed:", "seed:x", "nothing:1"] {
            assert!(wrong.parse::<CutChoice>().is_err(), "{wrong}");
        }
    }
}
