//! [`Law`]: a sentence of a contract that can be seen to hold or to be broken.

mod breach;
mod case;
mod front;

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub use breach::Breach;
pub(crate) use case::{Case, Files, Saw, Through, saw};
pub(crate) use front::{Front, about};

use crate::{Call, CutChoice, Fault, FaultRule, Harm, Inflicted, Place, Room, Stranger};

/// Set to a [`CutChoice`], lets crash laws try that one alone.
const CHOICE_VARIABLE: &str = "WAL_CRASH";

/// Set to a number, lets laws with seeds try that one alone.
const SEED_VARIABLE: &str = "WAL_SEED";

/// One law for parts of a kind. [`SEGMENT_STORE_LAWS`](crate::SEGMENT_STORE_LAWS),
/// [`LOG_LAWS`](crate::LOG_LAWS) and their likes list them, for harnesses of one's own; the macros
/// make a test of each.
pub struct Law<Part: ?Sized + 'static> {
    pub(crate) family: &'static str,
    pub(crate) name: &'static str,
    pub(crate) promise: &'static str,
    pub(crate) needs: &'static [Need],
    pub(crate) front: Front<Part>,
    pub(crate) check: fn(&mut Case<'_, Part>) -> Result<(), Saw>,
}

/// What a place must be able to do for a law to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Need {
    /// [`Harm::Crash`].
    Crash,
    /// [`Harm::Kill`].
    Kill,
    /// [`Harm::Interrupt`].
    Interrupt,
    /// [`Harm::Fault`].
    Fault,
    /// [`Harm::Room`].
    Room,
    /// [`Harm::Stranger`], and [`Place::files`].
    Stranger,
    /// Of a codec: its records know where they end, so that a part of one is not a record. One that
    /// takes any bytes for a record does without.
    End,
    /// Of a commit strategy: it never blocks a task. One that does its work on the caller's thread,
    /// whoever calls, does without.
    Tasks,
    /// Of the kit itself: its feature `allocations`, which counts what a part allocates.
    Allocations,
}

/// What came of a law that was not broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It ran, and holds.
    Holds,
    /// It did not run: the place cannot do what it needs, and that was admitted.
    Admitted,
}

/// Makes a fresh place, with nothing in it.
pub type Fresh<'a, Part> = &'a dyn Fn() -> Box<dyn Place<Part>>;

impl<Part: ?Sized> Law<Part> {
    /// The name, which is that of its test too.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What it holds the part to, in a sentence.
    pub fn promise(&self) -> &'static str {
        self.promise
    }

    /// What it needs of a place.
    pub fn needs(&self) -> &'static [Need] {
        self.needs
    }

    /// Runs the law on fresh places; a law with crashes once for each of the extremes and then for
    /// seeds, or for the one choice in the environment variable `WAL_CRASH`.
    ///
    /// `without` admits what the place cannot do. Without the admission the law is broken where it
    /// cannot run; with it the law is broken where the place can do it after all. An admission
    /// about the part itself is true where the law, run, is broken.
    ///
    /// What lies before the first byte of a law is tried in several lengths, up to 3 MiB: a part
    /// may be right in the first of the blocks it works in and wrong behind it.
    pub fn run(&self, fresh: Fresh<'_, Part>, without: &[Need]) -> Result<Verdict, Breach> {
        self.run_at(fresh, without, None)
    }

    /// As [`run`](Self::run), for a part that works in units of so many bytes inside: the law is
    /// tried about one of them, and past three.
    pub fn run_with_unit(
        &self,
        fresh: Fresh<'_, Part>,
        without: &[Need],
        unit: u64,
    ) -> Result<Verdict, Breach> {
        self.run_at(fresh, without, Some(unit))
    }

    fn run_at(
        &self,
        fresh: Fresh<'_, Part>,
        without: &[Need],
        unit: Option<u64>,
    ) -> Result<Verdict, Breach> {
        let mut verdict = Verdict::Holds;
        let mut excused = None;
        for &need in self.needs {
            let admitted = without.contains(&need);
            let can = match need.probe() {
                Probe::Harm(harm) => fresh().inflict(harm) == Inflicted::Done,
                Probe::Kit(can) => can,
                Probe::Law => {
                    excused = excused.or(admitted.then_some(need));
                    continue;
                }
            };
            match (can, admitted) {
                (true, false) => {}
                (false, true) => verdict = Verdict::Admitted,
                (false, false) => return Err(self.breach(need.missing())),
                (true, true) => return Err(self.breach(need.not_true())),
            }
        }
        if verdict == Verdict::Admitted {
            return Ok(verdict);
        }
        let fronts = self.front.bytes(unit).map_err(|saw| self.breach(saw.to_string()))?;
        let ran = fronts.into_iter().try_for_each(|front| {
            let at = At { choice: CutChoice::Everything, front, unit };
            let mut choices = self.choices(front)?.into_iter();
            choices.try_for_each(|choice| self.run_once(fresh, At { choice, ..at }))
        });
        match (excused, ran) {
            (None, ran) => ran.map(|()| Verdict::Holds),
            (Some(_), Err(_)) => Ok(Verdict::Admitted),
            (Some(need), Ok(())) => Err(self.breach(need.not_true())),
        }
    }

    fn choices(&self, front: u64) -> Result<Vec<CutChoice>, Breach> {
        if !self.needs.contains(&Need::Crash) {
            return Ok(vec![CutChoice::Everything]);
        }
        if let Ok(text) = std::env::var(CHOICE_VARIABLE) {
            let choice = text.parse().map_err(|error| {
                self.breach(format!("{CHOICE_VARIABLE} is set, and is {error}"))
            })?;
            return Ok(vec![choice]);
        }
        Ok(front::choices(self.needs, front))
    }

    fn run_once(&self, fresh: Fresh<'_, Part>, at: At) -> Result<(), Breach> {
        let mut case = Case::new(fresh, at, self.front.lay);
        let result = catch_unwind(AssertUnwindSafe(|| (self.check)(&mut case)))
            .unwrap_or_else(|panic| Err(Saw::new(format!("a panic: {}", message(&*panic)))));
        result.map_err(|saw| {
            let crash = self.needs.contains(&Need::Crash).then_some(at.choice);
            let breach = self.breach(saw.to_string());
            breach.in_case(case.part(), case.history(), crash, case.seed()).behind(at.front)
        })
    }

    fn breach(&self, saw: String) -> Breach {
        Breach::new(self.family, self.name, self.promise, saw)
    }
}

/// Where and how one run of a law takes place.
#[derive(Clone, Copy, Debug)]
struct At {
    choice: CutChoice,
    /// Bytes before the first one of the law.
    front: u64,
    /// The part's inner unit, where its author named one.
    unit: Option<u64>,
}

impl<Part: ?Sized> fmt::Debug for Law<Part> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Law")
            .field("family", &self.family)
            .field("name", &self.name)
            .field("needs", &self.needs)
            .finish_non_exhaustive()
    }
}

impl Need {
    fn probe(self) -> Probe {
        match self {
            Self::Crash => Probe::Harm(Harm::Crash(CutChoice::Everything)),
            Self::Kill => Probe::Harm(Harm::Kill),
            Self::Interrupt => Probe::Harm(Harm::Interrupt { after: u64::MAX }),
            Self::Fault => {
                Probe::Harm(Harm::Fault(FaultRule::next(Call::Sync, Fault::Io).times(0)))
            }
            Self::Room => Probe::Harm(Harm::Room(Room::Plenty)),
            Self::Stranger => Probe::Harm(Harm::Stranger(Stranger::Nothing)),
            Self::End | Self::Tasks => Probe::Law,
            Self::Allocations => Probe::Kit(cfg!(feature = "allocations")),
        }
    }

    /// The word that admits it.
    fn word(self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::Kill => "kill",
            Self::Interrupt => "interrupt",
            Self::Fault => "fault",
            Self::Room => "room",
            Self::Stranger => "stranger",
            Self::End => "end",
            Self::Tasks => "tasks",
            Self::Allocations => "allocations",
        }
    }

    fn missing(self) -> String {
        let word = self.word();
        if self == Self::Allocations {
            return format!(
                "the law needs the feature `{word}` of wal-testkit: turn it on for your tests, or \
                 admit it with `without [{word}]`"
            );
        }
        format!(
            "the law needs Harm::{self:?}, which this place cannot do: implement it in \
             Place::inflict, or admit it with `without [{word}]`"
        )
    }

    fn not_true(self) -> String {
        let word = self.word();
        let what = match self {
            Self::End | Self::Tasks => "the law holds",
            Self::Allocations => "the feature is on",
            _ => "this place can do it",
        };
        format!("`without [{word}]` is not true, {what}: take `{word}` out")
    }
}

/// How to find out whether a need is met.
enum Probe {
    /// A place can do this harm exactly if it can meet the need; it changes nothing on a fresh one.
    Harm(Harm),
    /// The kit knows.
    Kit(bool),
    /// By the law that needs it.
    Law,
}

pub(crate) fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

/// Runs the law of this name for the test of this name, and panics with the breach.
#[doc(hidden)]
pub fn check<Part: ?Sized>(
    laws: &[Law<Part>],
    name: &str,
    test: &str,
    fresh: Fresh<'_, Part>,
    without: &[Need],
    unit: Option<u64>,
) {
    let law = laws.iter().find(|law| law.name == name);
    let law = law.expect("tests and table are made from one list");
    if let Err(breach) = law.run_at(fresh, without, unit) {
        panic!("{}", breach.of_test(test));
    }
}

/// The [`Need`] that a word after `without` admits.
#[doc(hidden)]
#[macro_export]
macro_rules! __need {
    (crash) => {
        $crate::Need::Crash
    };
    (kill) => {
        $crate::Need::Kill
    };
    (interrupt) => {
        $crate::Need::Interrupt
    };
    (fault) => {
        $crate::Need::Fault
    };
    (room) => {
        $crate::Need::Room
    };
    (stranger) => {
        $crate::Need::Stranger
    };
    (end) => {
        $crate::Need::End
    };
    (tasks) => {
        $crate::Need::Tasks
    };
    (allocations) => {
        $crate::Need::Allocations
    };
}

/// Makes a test of every law of a list.
#[doc(hidden)]
#[macro_export]
macro_rules! __law_tests {
    (
        ($laws:path, $part:ty, $fresh:expr, [$($without:ident),*])
        $($law:tt)*
    ) => {
        $crate::__law_tests!(($laws, $part, $fresh, [$($without),*], None) $($law)*);
    };
    (
        ($laws:path, $part:ty, $fresh:expr, [$($without:ident),*], $unit:expr)
        $($module:ident::$law:ident [$($need:ident),*] $promise:literal;)*
    ) => {
        fn fresh() -> Box<dyn $crate::Place<$part>> {
            Box::new(($fresh)())
        }

        /// The inner unit that the author named.
        const UNIT: Option<u64> = $unit;

        $crate::__law_tests!(@each $laws, &[$($crate::__need!($without)),*], $($law)*);
    };
    (@each $laws:path, $without:expr, $($law:ident)*) => {
        $(
            #[test]
            fn $law() {
                let test = concat!(module_path!(), "::", stringify!($law));
                $crate::check_law(&$laws, stringify!($law), test, &fresh, $without, UNIT);
            }
        )*
    };
}

/// Makes the table of a list.
macro_rules! law_table {
    (
        ($family:literal, $front:expr)
        $($module:ident::$law:ident [$($need:ident),*] $promise:literal;)*
    ) => {
        &[$(Law {
            family: $family,
            name: stringify!($law),
            promise: $promise,
            needs: &[$(crate::__need!($need)),*],
            front: $front,
            check: $module::$law,
        }),*]
    };
}
pub(crate) use law_table;
