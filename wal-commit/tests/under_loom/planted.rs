//! The checker finds what it is there to find: each protocol passes as it is, and with one thing
//! wrong it does not. Loom ends the process at a deadlock, so the broken ones run in one of their
//! own.

use std::process::Command;
use std::sync::Arc;

use loom::thread;

use crate::every_order;
use crate::twin::{Defect, Mark, sleep_beside_an_append};

/// Set in the process that is to fail.
const DOOMED: &str = "WAL_DOOMED";

/// The scenario, in this process where it is `DOOMED`; else in another one, which must fail and
/// say why.
fn finds(test: &str, why: &str, scenario: fn()) {
    if std::env::var_os(DOOMED).is_some() {
        return every_order(3, scenario);
    }
    let test = format!("planted::{test}");
    let mut process = Command::new(std::env::current_exe().unwrap());
    let output = process.args(["--exact", &test, "--nocapture"]).env(DOOMED, "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{test} found nothing");
    assert!(said.contains(why), "{test} failed otherwise: {said}");
}

fn mark(defect: Defect) {
    let mark = Arc::new(Mark::new(defect));
    let waiter = Arc::clone(&mark);
    let waiter = thread::spawn(move || waiter.wait(1));
    mark.sync_and_publish(1);
    waiter.join().unwrap();
}

#[test]
fn the_right_twins_are_right() {
    every_order(3, || mark(Defect::None));
    every_order(3, || sleep_beside_an_append(Defect::None));
}

#[test]
fn a_lost_wake() {
    finds("a_lost_wake", "deadlock", || mark(Defect::NoSecondLook));
}

#[test]
fn a_mark_before_its_sync() {
    finds("a_mark_before_its_sync", "told before the sync", || mark(Defect::EarlyMark));
}

#[test]
fn a_mark_without_order() {
    finds("a_mark_without_order", "told before the sync", || mark(Defect::RelaxedMark));
}

#[test]
fn a_missing_fence() {
    finds("a_missing_fence", "deadlock", || sleep_beside_an_append(Defect::NoFence));
}
