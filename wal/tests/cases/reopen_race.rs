//! One handle is closed and dropped while another waits for the lock.

use std::thread;

use wal::{ErrorKind, Lsn, Wal};

/// The close let go of the lock, and the drop then removed spare files by name: of a hundred that had
/// waited seven failed to open and seven were poisoned, because what they had just found was gone.
#[test]
fn reopen_race() {
    for round in 0..30 {
        let dir = tempfile::tempdir().unwrap();
        let open = || Wal::builder(dir.path()).segment_size(256 << 10).open();
        let (a, _) = open().unwrap();
        for _ in 0..6 {
            // The next segment is wanted when half of one is there.
            a.append_durable(vec![7; 25 << 10]).unwrap();
        }
        thread::scope(|scope| {
            let b = scope.spawn(|| {
                let b = loop {
                    match open() {
                        Ok((b, _)) => break b,
                        Err(error) => assert_eq!(error.kind(), ErrorKind::Locked, "{error:?}"),
                    }
                    thread::yield_now();
                };
                for n in 0..6 {
                    b.append_durable(vec![n; 60 << 10]).unwrap();
                }
                b.close().unwrap();
                b.last_lsn()
            });
            a.close().unwrap();
            for _ in 0..round {
                thread::yield_now();
            }
            drop(a);
            assert_eq!(b.join().unwrap(), Lsn::new(12));
        });
        let (again, _) = open().unwrap();
        assert_eq!(again.last_lsn(), Lsn::new(12), "round {round}");
    }
}
