//! A law that cannot run is admitted or broken, and so is an admission that is not true.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

use std::io;

use wal_core::SegmentStore;
use wal_testkit::{
    Need, OnDisk, Place, Profile, SEGMENT_STORE_LAWS, SegmentStoreLaw, SimDisk, SimStore, Verdict,
};

fn harmless() -> Box<dyn Place<dyn SegmentStore>> {
    let disk = SimDisk::new(Profile::STRICT);
    Box::new(move || Ok::<_, io::Error>(SimStore::new(disk.clone())))
}

fn on_disk() -> Box<dyn Place<dyn SegmentStore>> {
    Box::new(OnDisk::new(Profile::STRICT, |disk| Ok::<_, io::Error>(SimStore::new(disk))))
}

fn law() -> &'static SegmentStoreLaw {
    SEGMENT_STORE_LAWS.iter().find(|law| law.needs() == [Need::Crash]).unwrap()
}

#[test]
fn a_law_that_cannot_run_and_is_not_admitted_is_broken() {
    let breach = law().run(&harmless, &[]).unwrap_err();
    assert!(breach.saw().contains("admit it with `without [crash]`"), "{breach}");
}

#[test]
fn an_admission_that_is_not_true_is_broken() {
    let breach = law().run(&on_disk, &[Need::Crash]).unwrap_err();
    assert!(breach.saw().contains("not true"), "{breach}");
}

#[test]
fn a_true_admission_is_told_from_a_law_that_holds() {
    assert_eq!(law().run(&harmless, &[Need::Crash]).unwrap(), Verdict::Admitted);
    assert_eq!(law().run(&on_disk, &[]).unwrap(), Verdict::Holds);
}

#[test]
fn a_panic_of_the_part_is_a_breach() {
    let panicking = || -> Box<dyn Place<dyn SegmentStore>> {
        Box::new(|| -> io::Result<SimStore> { panic!("on purpose") })
    };
    let law = SEGMENT_STORE_LAWS.iter().find(|law| law.needs().is_empty()).unwrap();
    let breach = law.run(&panicking, &[]).unwrap_err();
    assert_eq!(breach.saw(), "a panic: on purpose");
}
