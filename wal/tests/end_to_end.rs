//! The log through its public face, on real files.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use wal::{Config, ErrorKind, Lsn, Strategy, Wal};

fn payloads(wal: &Wal, from: u64) -> Vec<(u64, Vec<u8>)> {
    wal.read_from(Lsn::new(from))
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.lsn.get(), entry.payload.to_vec()))
        .collect()
}

#[test]
fn a_record_comes_back_after_a_close_and_a_reopen() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..4_u64 {
        let (wal, recovery) = Wal::builder(dir.path()).open().unwrap();
        assert_eq!(recovery.valid_records, round);
        let lsn = wal.append(round.to_string()).unwrap();
        assert_eq!(lsn.get(), round + 1);
        wal.wait_for_lsn(lsn).wait().unwrap();
        assert_eq!(wal.durable_lsn(), lsn);
        let all: Vec<_> = (0..=round).map(|n| (n + 1, n.to_string().into_bytes())).collect();
        assert_eq!(payloads(&wal, 1), all);
        wal.close().unwrap();
    }
}

/// Who is still reading when the log is closed loses nothing by it.
#[test]
fn a_closed_handle_takes_no_record_and_reads_on() {
    let dir = tempfile::tempdir().unwrap();
    let (wal, _) = Wal::builder(dir.path()).open().unwrap();
    wal.append(b"first").unwrap();
    let other = wal.clone();
    wal.close().unwrap();
    assert_eq!(other.append(b"second").unwrap_err().kind(), ErrorKind::Invalid);
    other.close().unwrap();
    assert_eq!(payloads(&other, 1), [(1, b"first".to_vec())]);
    // Nobody holds it any more.
    let (next, recovery) = Wal::builder(dir.path()).open().unwrap();
    assert_eq!(recovery.valid_records, 1);
    next.append(b"second").unwrap();
    next.close().unwrap();
}

#[test]
fn every_strategy_reads_what_every_other_wrote() {
    let dir = tempfile::tempdir().unwrap();
    let mut written = 0;
    for strategy in [Strategy::Sync, Strategy::Os, Strategy::GroupCommit, Strategy::Sync] {
        let (wal, recovery) = Wal::builder(dir.path()).strategy(strategy).open().unwrap();
        assert_eq!(recovery.valid_records, written, "{strategy:?}");
        for _ in 0..10 {
            let lsn = wal.append([7; 10]).unwrap();
            wal.wait_for_lsn(lsn).wait().unwrap();
        }
        written += 10;
        assert_eq!(payloads(&wal, 1).len() as u64, written, "{strategy:?}");
        wal.close().unwrap();
    }
}

#[test]
fn records_cross_segments_and_a_large_one_gets_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let (wal, _) = Wal::builder(dir.path()).segment_size(16 * 1024).open().unwrap();
    let record =
        |n: usize| vec![u8::try_from(n % 251).unwrap(); if n == 50 { 100_000 } else { n * 30 }];
    for n in 0..100 {
        let lsn = wal.append(record(n)).unwrap();
        if n % 3 == 0 {
            wal.wait_for_lsn(lsn).wait().unwrap();
        }
    }
    wal.sync().unwrap();
    let check = |wal: &Wal| {
        for from in [1, 2, 49, 50, 51, 52, 99, 100] {
            let read = payloads(wal, from);
            let wanted: Vec<_> =
                (from..=100).map(|lsn| (lsn, record(usize::try_from(lsn).unwrap() - 1))).collect();
            assert_eq!(read, wanted, "from {from}");
        }
        assert_eq!(payloads(wal, 101), []);
    };
    check(&wal);
    wal.close().unwrap();
    let (wal, recovery) = Wal::builder(dir.path()).segment_size(16 * 1024).open().unwrap();
    assert!(recovery.segments > 5);
    check(&wal);
}

#[test]
fn pruned_stays_pruned_and_truncated_stays_truncated() {
    let dir = tempfile::tempdir().unwrap();
    let open = || Wal::builder(dir.path()).segment_size(16 * 1024).open().unwrap().0;
    let wal = open();
    for n in 0..200_u64 {
        wal.append(vec![1; 500 + usize::try_from(n).unwrap()]).unwrap();
        if n % 10 == 9 {
            wal.sync().unwrap();
        }
    }
    let start = wal.prune_before(Lsn::new(100)).unwrap();
    assert!(start > Lsn::new(50) && start <= Lsn::new(100), "{start}");
    assert_eq!(wal.read_from(start.previous()).unwrap_err().kind(), ErrorKind::NotFound);
    for cut in [180, 175, 151] {
        wal.truncate_after(Lsn::new(cut)).unwrap();
        assert_eq!(wal.durable_lsn(), Lsn::new(cut));
        assert_eq!(wal.append(format!("again {cut}")).unwrap(), Lsn::new(cut + 1));
        wal.sync().unwrap();
    }
    let seen = payloads(&wal, start.get());
    assert_eq!(seen.last().unwrap(), &(152, b"again 151".to_vec()));
    wal.close().unwrap();
    let wal = open();
    assert_eq!(payloads(&wal, start.get()), seen);
    assert_eq!(wal.first_lsn(), start);
    wal.truncate_after(start.previous()).unwrap();
    assert_eq!(payloads(&wal, start.get()), []);
    assert_eq!(wal.append("all new").unwrap(), start);
    wal.close().unwrap();
    let wal = open();
    assert_eq!(payloads(&wal, start.get()), [(start.get(), b"all new".to_vec())]);
}

#[test]
fn many_threads_and_many_tasks_commit_together() {
    let dir = tempfile::tempdir().unwrap();
    let (wal, _) = Wal::builder(dir.path()).open().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..16_u8 {
            let wal = &wal;
            scope.spawn(move || {
                for n in 0..50_u8 {
                    let lsn = wal.append([thread, n]).unwrap();
                    wal.wait_for_lsn(lsn).wait().unwrap();
                    assert!(wal.durable_lsn() >= lsn);
                }
            });
        }
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..200_u8)
            .map(|task| {
                let wal = wal.clone();
                tokio::spawn(async move {
                    for n in 0..5_u8 {
                        let lsn = wal.append([task, n]).unwrap();
                        wal.wait_for_lsn(lsn).await.unwrap();
                        assert!(wal.durable_lsn() >= lsn);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(payloads(&wal, 1).len(), 16 * 50 + 200 * 5);
    wal.close().unwrap();
}

#[test]
fn an_lsn_never_issued_is_an_error_and_not_a_hang() {
    let dir = tempfile::tempdir().unwrap();
    let (wal, _) = Wal::builder(dir.path()).open().unwrap();
    let error = wal.wait_for_lsn(Lsn::FIRST).wait().unwrap_err();
    assert_eq!((error.kind(), error.at_lsn()), (ErrorKind::Invalid, Some(Lsn::FIRST)));
    let error = pollster::block_on(wal.wait_for_lsn(Lsn::new(9))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    wal.wait_for_lsn(Lsn::ZERO).wait().unwrap();
}

#[test]
fn a_log_opened_and_closed_without_an_append_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let files = || {
        let mut names: Vec<_> = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        names
    };
    Wal::builder(dir.path()).open().unwrap().0.close().unwrap();
    assert_eq!(files(), ["LOCK"]);
    let (wal, _) = Wal::builder(dir.path()).open().unwrap();
    wal.append("one").unwrap();
    wal.close().unwrap();
    let one = files();
    assert_eq!(one.len(), 3, "the anchor, the lock and a segment: {one:?}");
    for _ in 0..3 {
        Wal::builder(dir.path()).open().unwrap().0.close().unwrap();
        assert_eq!(files(), one);
    }
}

#[test]
fn settings_that_cannot_work_are_refused_by_name() {
    let mut config = Config::default();
    config.segment_size = 100;
    let dir = tempfile::tempdir().unwrap();
    let error = Wal::builder(dir.path()).config(config).open().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("segment_size"), "{error}");
}

/// Many small records in one flush went into one frame, and that was larger than a segment.
#[test]
fn a_segment_of_small_records_stays_within_its_size() {
    for (segment_size, alignment) in [(16 * 1024, 8), (16 * 1024, 4096), (100_000, 8)] {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        (config.segment_size, config.alignment) = (segment_size, alignment);
        let (wal, _) = Wal::builder(dir.path()).config(config).open().unwrap();
        for n in 0..50_000_u32 {
            wal.append(n.to_string()).unwrap();
        }
        wal.close().unwrap();
        let sizes: Vec<_> = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .collect();
        assert!(sizes.len() > 4 && sizes.iter().all(|&size| size <= segment_size), "{sizes:?}");
        let (wal, recovery) = Wal::builder(dir.path()).open().unwrap();
        assert_eq!(recovery.valid_records, 50_000);
        assert_eq!(wal.read_from(Lsn::FIRST).unwrap().count(), 50_000);
    }
}
