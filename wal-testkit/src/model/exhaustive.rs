//! Every short workload, every crash point, every cut without chance.

use super::run::{Fan, Flow, Recoveries, Run, apart};
use super::{Case, Cut, Failure, Step, World};
use crate::{Call, CutChoice, Fault, FaultRule, Room, SimDisk};

/// A write is torn at no more places than this; beyond, at its first and last atoms and between.
const TEARS: u64 = 24;

/// Every workload of exactly `length` operations, numbered, so that threads can share them out.
#[derive(Clone, Copy, Debug)]
pub struct Workloads {
    length: u32,
    recoveries: Recoveries,
}

impl Workloads {
    /// Those of this many operations, upon each of the beginnings: the longer ones upon nothing and
    /// upon what a kill has left.
    pub fn new(length: u32, recoveries: Recoveries) -> Self {
        Self { length, recoveries }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        (operations().len() as u64).pow(self.length) * self.beginnings().len() as u64
    }

    fn beginnings(self) -> Vec<Vec<Step>> {
        let mut beginnings = beginnings();
        if self.length > 2 {
            beginnings.truncate(2);
        }
        beginnings
    }

    /// Runs number `index` in this world with the power failing at every operation of the disk that
    /// its last operation does, and checks what each cut leaves; where recoveries are interrupted, also
    /// with another failure at every operation of the recovery from the first few cuts. Says how many
    /// images were checked.
    pub fn run(&self, world: &World, index: u64) -> Result<u64, Box<Failure>> {
        let beginnings = self.beginnings();
        let count = beginnings.len() as u64;
        let at = usize::try_from(index % count).unwrap_or(0);
        let beginning = beginnings.into_iter().nth(at).unwrap_or_default();
        let beginning = apart(|| Beginning::make(world, beginning))?;
        let workload = self.workload(index / count);
        beginning.crash_everywhere(world, &workload, Fan::Extremes(self.recoveries))
    }

    fn workload(self, mut number: u64) -> Vec<Step> {
        let operations = operations();
        let many = operations.len() as u64;
        let mut steps = Vec::new();
        for _ in 0..self.length {
            steps.push(operations[usize::try_from(number % many).unwrap_or(0)].clone());
            number /= many;
        }
        steps
    }
}

/// What a workload is made of.
fn operations() -> Vec<Step> {
    let fault = |call, fault| Step::Fault(FaultRule::next(call, fault));
    vec![
        Step::Append(20),
        Step::Append(9000),
        Step::Batch(3, 300),
        Step::Wait(0),
        Step::Sync,
        Step::Prune(0),
        Step::Truncate(1),
        Step::Close,
        Step::Kill,
        fault(Call::Sync, Fault::Dropped),
        fault(Call::Sync, Fault::AfterEffect),
        fault(Call::Write, Fault::Partial(100)),
        Step::Room(Room::Bytes(100)),
    ]
}

/// What a workload finds: nothing, three segments after a kill with a record that nothing vouches
/// for, three segments closed in order, and three after a power cut with a torn record.
fn beginnings() -> Vec<Vec<Step>> {
    let commit = |length| [Step::Append(length), Step::Wait(0)];
    let mut segments: Vec<_> = [9000, 9000, 9000, 700, 20].into_iter().flat_map(commit).collect();
    let closed = [segments.clone(), vec![Step::Close]].concat();
    let killed = [segments.clone(), vec![Step::Kill]].concat();
    let torn = Cut::from(CutChoice::TearLast(1));
    segments.extend([Step::Append(1500), Step::Power(1, torn), Step::Wait(0)]);
    vec![vec![Step::Close], killed, closed, segments]
}

/// A disk that some steps have led to, with the log on it down.
struct Beginning {
    steps: Vec<Step>,
    disk: SimDisk,
    reference: super::Reference,
    images: u64,
}

impl Beginning {
    fn make(world: &World, steps: Vec<Step>) -> Result<Self, Box<Failure>> {
        let mut run = Run::new(world, Fan::None);
        let case = Case::new(world.name(), steps);
        for (at, step) in case.steps.iter().enumerate() {
            run.step(at, step).map_err(|stop| Box::new(stop.failure(&case, at)))?;
        }
        let Run { disk, reference, images, .. } = run;
        Ok(Self { steps: case.steps, disk, reference, images })
    }

    /// How many operations of the disk come before the last one of the workload: the power failing
    /// at those is a matter of shorter workloads.
    fn operations_before_last(&self, world: &World, workload: &[Step]) -> u32 {
        let Some((_, before)) = workload.split_last() else { return 0 };
        let mut steps = before.iter().enumerate();
        let operations = apart(|| {
            let mut run = Run::on(world, Fan::None, self.disk.kill(), self.reference.clone());
            // Where it stops, the shorter workload stops, and says so.
            let _ = steps.try_for_each(|(at, step)| run.step(at, step).map(drop));
            run.disk.operations()
        });
        u32::try_from(operations - self.disk.operations()).unwrap_or(u32::MAX)
    }

    /// Runs the workload once for each operation of the disk that its last one does, and once to its
    /// end; the power fails there.
    fn crash_everywhere(
        &self,
        world: &World,
        workload: &[Step],
        fan: Fan,
    ) -> Result<u64, Box<Failure>> {
        let mut images = self.images;
        let begun = self.steps.len();
        for after in self.operations_before_last(world, workload).. {
            let power = Step::Power(after, CutChoice::Nothing.into());
            let end = [Step::Cut(CutChoice::Nothing.into()), Step::Read];
            let case =
                Case::new(world.name(), [&self.steps, &[power][..], workload, &end].concat());
            let (flow, more) = apart(|| {
                let mut run = Run::on(world, fan, self.disk.kill(), self.reference.clone());
                let mut flow = Flow::On;
                for (at, step) in case.steps.iter().enumerate().skip(begun) {
                    flow = run.step(at, step).map_err(|stop| Box::new(stop.failure(&case, at)))?;
                    if flow != Flow::On {
                        break;
                    }
                }
                Ok::<_, Box<Failure>>((flow, run.images))
            })?;
            images += more;
            if flow != Flow::Down {
                break;
            }
        }
        Ok(images)
    }
}

/// Every choice without chance that makes a difference now.
pub(super) fn extremes(disk: &SimDisk) -> Vec<Cut> {
    let all = disk.extremes();
    let tears = all.iter().filter(|choice| matches!(choice, CutChoice::TearLast(_))).count() as u64;
    let several = all.contains(&CutChoice::Drop(1));
    let pending = all.contains(&CutChoice::Drop(0));
    let kept = |choice: &CutChoice| match *choice {
        // Of one operation, all but it is nothing, and it alone is everything.
        CutChoice::Drop(_) | CutChoice::Only(_) => several,
        CutChoice::Everything => pending,
        CutChoice::TearLast(atoms) => {
            tears <= TEARS
                || atoms <= TEARS / 3
                || atoms + TEARS / 3 > tears
                || atoms.is_multiple_of(tears.div_ceil(TEARS / 3))
        }
        _ => true,
    };
    all.into_iter().filter(kept).map(Cut::from).collect()
}
