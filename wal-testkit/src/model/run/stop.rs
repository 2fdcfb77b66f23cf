//! [`Stop`]: what a run was stopped by.

use super::super::invariant::Violation;
use super::super::{Case, Cut, Step};
use super::Failure;

/// What a run was stopped by: the invariant, and the steps that lead there from the one it was in.
pub(in crate::model) struct Stop {
    pub(in crate::model) violation: Violation,
    /// The cut of this step is to be this one, where it was tried beside the case's own.
    pub(super) cut: Option<(usize, Cut)>,
    /// And then these.
    pub(super) then: Vec<Step>,
}

impl From<Violation> for Stop {
    fn from(violation: Violation) -> Self {
        Self { violation, cut: None, then: Vec::new() }
    }
}

impl Stop {
    /// The case that stops like this, by step `at` of `case`.
    pub(in crate::model) fn failure(self, case: &Case, at: usize) -> Failure {
        let mut steps: Vec<_> = case.steps.iter().take(at + 1).cloned().collect();
        if let Some((at, cut)) = self.cut
            && let Some(Step::Cut(other) | Step::Power(_, other)) = steps.get_mut(at)
        {
            *other = cut;
        }
        steps.extend(self.then);
        Failure { violation: self.violation, case: Case::new(case.world.clone(), steps) }
    }
}
