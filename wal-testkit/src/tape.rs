//! [`Tape`]: random choices, recorded, so that a run can be played again and made smaller.

use crate::chance::Chance;

/// A row of choices. Each is a number below the number of options there were, and 0 is always the
/// most harmless one, so that a tape is made simpler by cutting it short or lowering its numbers.
#[derive(Clone, Debug)]
pub struct Tape {
    choices: Vec<u32>,
    at: usize,
    /// What goes on where the recording ends; without it every further choice is 0.
    chance: Option<Chance>,
}

impl Tape {
    /// Choices by chance; the same seed makes the same choices.
    pub fn random(seed: u64) -> Self {
        Self { choices: Vec::new(), at: 0, chance: Some(Chance::new(seed)) }
    }

    /// These choices, and 0 for ever after.
    pub fn replay(choices: &[u32]) -> Self {
        Self { choices: choices.to_vec(), at: 0, chance: None }
    }

    /// Every choice made so far: what [`replay`](Self::replay) needs to make them again.
    pub fn choices(&self) -> &[u32] {
        &self.choices[..self.at]
    }

    /// The next choice, below `options`. A recorded one that is too large for the options there
    /// are now is taken as the last of them.
    pub fn choose(&mut self, options: u32) -> u32 {
        let highest = options.saturating_sub(1);
        let choice = match (self.choices.get(self.at), &mut self.chance) {
            (Some(&recorded), _) => recorded.min(highest),
            (None, Some(chance)) => chance.below(options),
            (None, None) => 0,
        };
        if self.at == self.choices.len() {
            self.choices.push(choice);
        } else {
            self.choices[self.at] = choice;
        }
        self.at += 1;
        choice
    }
}

#[cfg(test)]
mod tests {
    use super::Tape;

    #[test]
    fn a_replayed_tape_makes_the_same_choices() {
        let mut first = Tape::random(7);
        let choices: Vec<_> = (1..50).map(|options| first.choose(options)).collect();
        assert_eq!(first.choices(), choices);
        let mut second = Tape::replay(&choices);
        assert_eq!((1..50).map(|options| second.choose(options)).collect::<Vec<_>>(), choices);
        assert_eq!(second.choose(9), 0, "behind its end a tape is harmless");
    }

    #[test]
    fn choices_stay_below_their_options() {
        let mut tape = Tape::random(1);
        assert!((0..1000).all(|_| tape.choose(3) < 3));
        assert_eq!(Tape::replay(&[9]).choose(4), 3);
        assert_eq!(Tape::random(1).choose(0), 0);
    }
}
