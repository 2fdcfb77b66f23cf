//! A file system that knows neither `O_DIRECT` nor `fallocate`.

use std::error::Error;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use wal::parts::segment::OsFiles;
use wal::{ErrorKind, Wal, Writing};

use crate::failing::{Failing, Fault, When};
use crate::mounted::{Disk, on};
use crate::policy::{Policy, SEGMENT};
use crate::prepared_ahead::PreparedAhead;
use crate::records::{check, commit, goes_on};

fn segments(dir: &Path) -> usize {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().ends_with(".wal")).count()
}

#[test]
fn what_suits_a_file_system_is_what_it_knows() {
    on("lacking::what_suits_a_file_system_is_what_it_knows", Disk::Ramfs, |mounted| {
        for policy in [Policy::Fit, Policy::Recycled] {
            let wal = policy.open(&mounted.log).unwrap();
            assert_eq!(wal.fit().unwrap().writing, Writing::Buffered);
            goes_on(wal, &mounted.log, &format!("{policy:?}"));
            let wal = policy.open(&mounted.log).unwrap();
            check(&wal, 20, "opened again");
            drop(wal);
            fs::remove_dir_all(&mounted.log).unwrap();
        }
        // Padded flushes alone do not ask for it.
        let mut config = Policy::Fit.config();
        config.alignment = 4096;
        let (wal, _) = Wal::builder(&mounted.log).config(config).open().unwrap();
        assert_eq!(wal.fit().unwrap().writing, Writing::Buffered);
        goes_on(wal, &mounted.log, "padded");
    });
}

#[test]
fn direct_writing_that_cannot_be_done_is_refused_before_anything_is_written() {
    let test = "lacking::direct_writing_that_cannot_be_done_is_refused_before_anything_is_written";
    on(test, Disk::Ramfs, |mounted| {
        let refused = Policy::Direct.open(&mounted.log).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unsupported, "{refused:?}");
        let report = refused.report();
        assert!(report.contains(mounted.log.to_str().unwrap()), "{report}");
        assert!(report.contains("O_DIRECT"), "{report}");
        assert_eq!(segments(&mounted.log), 0);

        // So it is for a log that is there, which stays as it is.
        let wal = Policy::Fit.open(&mounted.log).unwrap();
        commit(&wal).unwrap();
        wal.close().unwrap();
        drop(wal);
        assert_eq!(Policy::Direct.open(&mounted.log).unwrap_err().kind(), ErrorKind::Unsupported);
        assert_eq!(segments(&mounted.log), 1);
        goes_on(Policy::Fit.open(&mounted.log).unwrap(), &mounted.log, "as it suits");
    });
}

/// In a store that somebody has put together, the first segment finds it out.
#[test]
fn a_store_that_asks_for_what_is_not_known_says_so_and_acknowledges_nothing() {
    for policy in Policy::ALL {
        let dir = tempfile::tempdir().unwrap();
        let files = OsFiles::open(dir.path()).unwrap();
        let (files, plan) = Failing::new(files, Fault::Unknown, When::From(1));
        let store = Arc::new(PreparedAhead(policy.store(files)));
        let (wal, _) = Wal::with_store(store).segment_size(SEGMENT).open().unwrap();
        let committed = commit(&wal);
        if policy != Policy::Direct {
            assert!(committed.is_ok(), "{policy:?}: {committed:?}");
            goes_on(wal, dir.path(), &format!("{policy:?}"));
            assert_eq!(policy == Policy::Recycled, !plan.hit().is_empty());
            continue;
        }
        let refused = committed.unwrap_err();
        let causes = std::iter::successors(refused.source(), |&error| error.source());
        let kinds = causes.filter_map(|error| error.downcast_ref::<io::Error>());
        assert!(kinds.map(io::Error::kind).any(|kind| kind == io::ErrorKind::Unsupported));
        assert_eq!((wal.durable_lsn().get(), segments(dir.path())), (0, 0), "{refused:?}");
    }
}
