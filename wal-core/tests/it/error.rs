//! The error: one line for a log, the whole chain for a person, a kind for the program.

use std::error::Error as _;
use std::io;

use wal_core::{Error, ErrorKind, Lsn, Position, SegmentId};

#[test]
fn the_place_is_shown_as_far_as_it_is_known() {
    let error = || Error::new(ErrorKind::Corrupt, "frame checksum does not match");
    let cases = [
        (error(), "frame checksum does not match"),
        (error().lsn(Lsn::new(12)), "frame checksum does not match: lsn=12"),
        (error().segment(SegmentId::new(7)), "frame checksum does not match: segment=7"),
        (
            error().at(Position { segment: SegmentId::new(7), offset: 4096 }).lsn(Lsn::new(12)),
            "frame checksum does not match: segment=7 offset=4096 lsn=12",
        ),
    ];
    for (error, shown) in cases {
        assert_eq!(error.to_string(), shown);
    }
}

#[test]
fn every_part_can_be_asked_for() {
    let error = Error::new(ErrorKind::NotFound, String::from("pruned"))
        .at(Position { segment: SegmentId::new(7), offset: 4096 })
        .lsn(Lsn::new(12));
    assert_eq!((error.kind(), error.what()), (ErrorKind::NotFound, "pruned"));
    assert_eq!(error.at_segment(), Some(SegmentId::new(7)));
    assert_eq!(error.at_offset(), Some(4096));
    assert_eq!(error.at_lsn(), Some(Lsn::new(12)));
    assert!(error.source().is_none());

    let bare = Error::new(ErrorKind::Fenced, "fenced");
    assert_eq!((bare.at_segment(), bare.at_offset(), bare.at_lsn()), (None, None, None));
}

#[test]
fn the_kind_of_an_io_error_is_what_to_do_about_it() {
    let cases = [
        (io::ErrorKind::StorageFull, ErrorKind::StorageFull),
        (io::ErrorKind::QuotaExceeded, ErrorKind::StorageFull),
        (io::ErrorKind::FileTooLarge, ErrorKind::StorageFull),
        (io::ErrorKind::NotFound, ErrorKind::NotFound),
        (io::ErrorKind::PermissionDenied, ErrorKind::Io),
        (io::ErrorKind::UnexpectedEof, ErrorKind::Io),
        (io::ErrorKind::Other, ErrorKind::Io),
    ];
    for (cause, kind) in cases {
        assert_eq!(Error::io("cannot sync", cause.into()).kind(), kind, "{cause:?}");
    }
    // Linux' numbers, as a store would see them: ENOENT, EIO, ENOSPC.
    if cfg!(target_os = "linux") {
        let raw = |number| Error::io("x", io::Error::from_raw_os_error(number)).kind();
        assert_eq!(raw(2), ErrorKind::NotFound);
        assert_eq!(raw(5), ErrorKind::Io);
        assert_eq!(raw(28), ErrorKind::StorageFull);
    }
}

#[test]
fn the_line_is_short_and_the_report_is_whole() {
    let disk = Error::io("cannot sync", io::Error::other("device gone")).segment(SegmentId::new(3));
    let error = Error::new(ErrorKind::Corrupt, "the log is broken").lsn(Lsn::new(9)).because(disk);
    assert_eq!(error.to_string(), "the log is broken: lsn=9");
    let chain = "the log is broken: lsn=9: cannot sync: segment=3: device gone";
    assert_eq!(error.report(), chain);
    assert_eq!(format!("{error:?}"), format!("Corrupt({chain})"));
}

/// Most programs log `{error}` and nothing more: of a poisoned log that said that it is poisoned, and
/// the failing disk was one level down.
#[test]
fn f15_a_poisoned_log_says_why_in_one_line() {
    let disk = Error::io("cannot sync", io::Error::other("device gone")).segment(SegmentId::new(3));
    let error =
        Error::new(ErrorKind::Poisoned, "the log is poisoned").lsn(Lsn::new(9)).because(disk);
    let chain = "the log is poisoned: lsn=9: cannot sync: segment=3: device gone";
    assert_eq!(error.to_string(), chain);
    assert_eq!(error.report(), chain, "and not twice");
    let outer = Error::new(ErrorKind::Io, "cannot close").because(error);
    assert_eq!(outer.to_string(), "cannot close");
    assert_eq!(outer.report(), format!("cannot close: {chain}"));
}

#[test]
fn the_cause_can_be_reached() {
    let error = Error::io("cannot sync", io::ErrorKind::PermissionDenied.into());
    let cause = error.source().unwrap().downcast_ref::<io::Error>().unwrap();
    assert_eq!(cause.kind(), io::ErrorKind::PermissionDenied);
}

/// One failed sync goes to many waiters, each of which adds its own place.
#[test]
fn a_clone_keeps_the_cause_and_has_its_own_place() {
    let first = Error::io("cannot sync", io::Error::other("device gone"));
    let second = first.clone().lsn(Lsn::new(4));
    assert_eq!(first.at_lsn(), None);
    assert_eq!(second.at_lsn(), Some(Lsn::new(4)));
    assert!(std::ptr::addr_eq(first.source().unwrap(), second.source().unwrap()));
}

/// The tool prints these; so may a user's `main`.
#[test]
fn an_error_crosses_threads_and_boxes() {
    let error = Error::new(ErrorKind::Locked, "another process has the log open");
    let boxed: Box<dyn std::error::Error + Send + Sync> = Box::new(error);
    let error = std::thread::spawn(move || boxed).join().unwrap();
    assert_eq!(error.downcast_ref::<Error>().unwrap().kind(), ErrorKind::Locked);
}
