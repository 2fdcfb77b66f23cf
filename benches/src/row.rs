//! [`Row`]: one measurement, its floor, and what it may cost.

use serde::Serialize;

use crate::{Samples, Spread};

/// One measurement, beside its floor.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Row {
    /// What was measured.
    pub what: String,
    /// The unit of both values.
    pub unit: &'static str,
    /// What the floor is.
    pub floor_is: &'static str,
    /// The floor's value.
    pub floor: Spread,
    /// Ours.
    pub ours: Spread,
    /// Ours as a multiple of the floor's, round by round.
    pub ratio: Spread,
    /// What ours must hold.
    pub budget: Budget,
    /// Whether its median does.
    pub verdict: Verdict,
}

/// What a measurement must hold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Budget {
    /// Nothing: it is there to be looked at.
    Open,
    /// A value of no more than this.
    AtMost(f64),
    /// A value of no less than this.
    AtLeast(f64),
    /// No more than this multiple of the floor.
    RatioAtMost(f64),
    /// No less than this multiple of the floor.
    RatioAtLeast(f64),
}

/// Whether a measurement holds its budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// There is nothing to hold.
    Open,
    /// It does.
    Met,
    /// It does not.
    Missed,
}

impl Row {
    /// The row of two subjects that were measured in the same rounds.
    pub fn new(
        what: impl Into<String>,
        unit: &'static str,
        (floor_is, floor): (&'static str, &Samples),
        ours: &Samples,
        budget: Budget,
    ) -> Self {
        let ratio = ours.over(floor).spread();
        let (floor, ours) = (floor.spread(), ours.spread());
        let verdict = budget.verdict(ours.median, ratio.median);
        Self { what: what.into(), unit, floor_is, floor, ours, ratio, budget, verdict }
    }
}

impl Budget {
    fn verdict(self, value: f64, ratio: f64) -> Verdict {
        let met = match self {
            Self::Open => return Verdict::Open,
            Self::AtMost(most) => value <= most,
            Self::AtLeast(least) => value >= least,
            Self::RatioAtMost(most) => ratio <= most,
            Self::RatioAtLeast(least) => ratio >= least,
        };
        if met { Verdict::Met } else { Verdict::Missed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_held_by_the_median_on_its_own_side_of_the_bound() {
        let floor = Samples::from(vec![10.0, 10.0, 10.0]);
        let ours = Samples::from(vec![15.0, 90.0, 1.0]);
        let verdict = |budget| Row::new("", "", ("", &floor), &ours, budget).verdict;
        assert_eq!(verdict(Budget::Open), Verdict::Open);
        assert_eq!(verdict(Budget::AtMost(15.0)), Verdict::Met);
        assert_eq!(verdict(Budget::AtMost(14.9)), Verdict::Missed);
        assert_eq!(verdict(Budget::AtLeast(15.0)), Verdict::Met);
        assert_eq!(verdict(Budget::AtLeast(15.1)), Verdict::Missed);
        assert_eq!(verdict(Budget::RatioAtMost(1.5)), Verdict::Met);
        assert_eq!(verdict(Budget::RatioAtMost(1.4)), Verdict::Missed);
        assert_eq!(verdict(Budget::RatioAtLeast(1.5)), Verdict::Met);
        assert_eq!(verdict(Budget::RatioAtLeast(1.6)), Verdict::Missed);
    }
}
