//! [`Samples`]: what the repetitions of a measurement gave.

use anyhow::Result;
use serde::Serialize;

use crate::float;

/// What the repetitions of a measurement gave, in the order they were made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Samples(Vec<f64>);

/// The middle of the samples and how far they scatter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// A quarter of the samples are no larger.
    pub low: f64,
    /// Half of the samples are no larger.
    pub median: f64,
    /// Three quarters of the samples are no larger.
    pub high: f64,
}

/// One thing measured: runs once and gives one sample.
pub type Subject<'a> = &'a mut dyn FnMut() -> Result<f64>;

/// Runs all subjects in each round, each round beginning with another one, and gives the samples of
/// each. One round more is run first, and not counted.
pub fn interleaved<const N: usize>(
    rounds: usize,
    subjects: &mut [Subject<'_>; N],
) -> Result<[Samples; N]> {
    let mut samples = [const { Samples(Vec::new()) }; N];
    for round in 0..=rounds {
        for turn in 0..N {
            let number = (round + turn) % N;
            let sample = subjects[number]()?;
            if round > 0 {
                samples[number].0.push(sample);
            }
        }
    }
    Ok(samples)
}

impl Samples {
    /// One sample, for what does not vary.
    pub fn exact(value: u64) -> Self {
        Self(vec![float(value)])
    }

    /// Every sample as a multiple of the other's of the same round.
    pub fn over(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(ours, floor)| ours / floor).collect())
    }

    /// Every sample without what the parts took of it in the same round.
    pub fn less(&self, parts: &[&Self]) -> Self {
        let taken = |round: usize| parts.iter().filter_map(|part| part.0.get(round)).sum::<f64>();
        Self(self.0.iter().enumerate().map(|(round, whole)| whole - taken(round)).collect())
    }

    /// The least sample that so much of them, from 0 to 1, do not exceed; zero where there is none.
    pub fn percentile(&self, part: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let rank = (part * float(sorted.len() as u64)).ceil();
        let reached = |at: &usize| float(*at as u64 + 1) >= rank;
        (0..sorted.len()).find(reached).and_then(|at| sorted.get(at)).copied().unwrap_or(0.0)
    }

    /// The median and the quartiles; all zero where there is no sample.
    pub fn spread(&self) -> Spread {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let at = |quarter: usize| {
            let last = sorted.len().saturating_sub(1);
            sorted.get((last * quarter + 2) / 4).copied().unwrap_or(0.0)
        };
        Spread { low: at(1), median: at(2), high: at(3) }
    }
}

impl From<Vec<f64>> for Samples {
    fn from(samples: Vec<f64>) -> Self {
        Self(samples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_and_the_quartiles_are_those_of_the_sorted_samples() {
        let spread = Samples(vec![9.0, 1.0, 5.0, 3.0, 7.0]).spread();
        assert_eq!(spread, Spread { low: 3.0, median: 5.0, high: 7.0 });
        let one = Samples::exact(4).spread();
        assert_eq!(one, Spread { low: 4.0, median: 4.0, high: 4.0 });
    }

    #[test]
    fn a_percentile_is_one_of_the_samples() {
        let samples = Samples((1..=1000).rev().map(f64::from).collect());
        let all = [0.001, 0.5, 0.999, 1.0].map(|part| samples.percentile(part));
        assert_eq!(Samples(all.into()), Samples(vec![1.0, 500.0, 999.0, 1000.0]));
        assert_eq!(Samples(vec![Samples::default().percentile(0.5)]), Samples(vec![0.0]));
    }

    #[test]
    fn subjects_take_turns_and_the_first_round_is_not_counted() {
        let calls = std::cell::RefCell::new(Vec::new());
        let mut number = 0.0;
        let mut first = || {
            calls.borrow_mut().push('a');
            number += 1.0;
            Ok(number)
        };
        let mut second = || {
            calls.borrow_mut().push('b');
            Ok(2.0)
        };
        let [a, b] = interleaved(2, &mut [&mut first, &mut second]).unwrap();
        assert_eq!(String::from_iter(calls.into_inner()), "abbaab");
        assert_eq!((&a, &b), (&Samples(vec![2.0, 3.0]), &Samples(vec![2.0, 2.0])));
        assert_eq!(a.over(&b), Samples(vec![1.0, 1.5]));
        assert_eq!(a.less(&[&b, &b]), Samples(vec![-2.0, -1.0]));
    }

    #[test]
    fn a_subject_that_fails_fails_the_measurement() {
        let mut fails = || Err(anyhow::anyhow!("no"));
        assert!(interleaved(1, &mut [&mut fails]).is_err());
    }
}
