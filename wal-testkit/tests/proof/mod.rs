//! The two directions of the proof, for every family of laws.

#![allow(dead_code, reason = "each test uses its part of this")]

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::thread;

use wal_testkit::{Law, Place};

/// Each lie with the laws that are there to catch it.
pub(crate) type Lies<L> = [(L, &'static [&'static str])];

/// All lies at once: some are only known by waiting for what never comes.
pub(crate) fn every_lie_is_caught<Part, L>(
    laws: &'static [Law<Part>],
    lies: &Lies<L>,
    place: &(dyn Fn(L) -> Box<dyn Place<Part>> + Sync),
) where
    Part: ?Sized + 'static,
    L: Copy + Debug + Send + Sync,
{
    let cases = lies.iter().flat_map(|(lie, names)| names.iter().map(move |name| (*lie, *name)));
    let run = |(lie, name): (L, &str)| {
        let law = laws.iter().find(|law| law.name() == name).unwrap();
        law.run(&|| place(lie), &[])
            .err()
            .map_or(Some(format!("{lie:?} got past {name}")), |_| None)
    };
    let past: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = cases.map(|case| scope.spawn(move || run(case))).collect();
        threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(past.is_empty(), "{past:#?}");
}

/// In one or several tables of lies.
pub(crate) fn every_law_catches_a_lie<Part: ?Sized, L>(laws: &[Law<Part>], lies: &Lies<L>) {
    let catching = lies.iter().flat_map(|(_, names)| *names).copied();
    every_law_is_among(laws, catching);
}

pub(crate) fn every_law_is_among<Part: ?Sized>(
    laws: &[Law<Part>],
    catching: impl Iterator<Item = &'static str>,
) {
    let laws: BTreeSet<_> = laws.iter().map(Law::name).collect();
    let catching: BTreeSet<_> = catching.collect();
    assert_eq!(laws, catching);
}
