//! Makes a case that fails as small as it gets.

use super::run::{Fan, Run, apart};
use super::{Case, Failure, Invariant, Step, World};

/// Runs spent on shrinking, at the most.
const RUNS: u32 = 20_000;

/// A case that breaks the same invariant and is no longer than this one: with chunks of its steps
/// deleted, and the numbers of the others lowered, as far as that goes.
pub fn shrink(world: &World, failure: &Failure) -> Failure {
    let mut shrinking = Shrinking {
        world,
        invariant: failure.violation.invariant,
        runs: RUNS,
        best: failure.clone(),
    };
    shrinking.records_cuts();
    while shrinking.deletes() | shrinking.lowers() {}
    shrinking.best
}

struct Shrinking<'w> {
    world: &'w World,
    invariant: Invariant,
    runs: u32,
    best: Failure,
}

impl Shrinking<'_> {
    /// Deletes chunks of steps, the larger ones first; says whether any could go.
    fn deletes(&mut self) -> bool {
        let mut shorter = false;
        let mut chunk = self.best.case.steps.len() / 2;
        while chunk > 0 {
            let mut at = 0;
            while at + chunk <= self.best.case.steps.len() {
                let mut steps = self.best.case.steps.clone();
                steps.drain(at..at + chunk);
                if self.fails(steps) {
                    shorter = true;
                } else {
                    at += 1;
                }
            }
            chunk /= 2;
        }
        shorter
    }

    /// Makes single steps simpler; says whether any could be.
    fn lowers(&mut self) -> bool {
        let mut simpler = false;
        let mut at = 0;
        while at < self.best.case.steps.len() {
            let candidates = self.best.case.steps[at].simpler();
            let found = candidates.into_iter().any(|step| {
                let mut steps = self.best.case.steps.clone();
                steps[at] = step;
                self.fails(steps)
            });
            if found {
                simpler = true;
            } else {
                at += 1;
            }
        }
        simpler
    }

    /// Writes out the choices of every cut by a seed.
    fn records_cuts(&mut self) {
        let recorded = apart(|| {
            let mut run = Run::new(self.world, Fan::None);
            run.cuts = Some(Vec::new());
            run.case(&self.best.case).is_err().then_some(run.cuts).flatten()
        });
        let mut steps = self.best.case.steps.clone();
        for (at, recorded) in recorded.unwrap_or_default() {
            if let Some(Step::Cut(cut) | Step::Power(_, cut)) = steps.get_mut(at) {
                *cut = recorded;
            }
        }
        self.fails(steps);
    }

    /// Whether these steps break the invariant too; if so they are the best there are.
    fn fails(&mut self, steps: Vec<Step>) -> bool {
        let Some(runs) = self.runs.checked_sub(1) else { return false };
        self.runs = runs;
        let case = Case::new(self.world.name(), steps);
        match apart(|| Run::new(self.world, Fan::None).case(&case)) {
            Err(failure) if failure.violation.invariant == self.invariant => {
                // As it was given: what is behind the step that failed goes by itself.
                self.best = *failure;
                true
            }
            _ => false,
        }
    }
}
