//! What a log does with a store of files: appends, syncs, and goes from one segment to the next.

use std::sync::Arc;

use shuttle::thread;
use wal_core::{Files, SegmentId, SegmentStore, SegmentSyncer, SegmentWriter, StoreLock};
use wal_testkit::{SimDisk, SimFiles, YieldingFiles};

/// Bytes of a segment.
pub(crate) const SIZE: usize = 16 * 1024;

/// What every segment ends with.
const SEAL: usize = 2000;

/// The files of this disk; threads may change places before every operation.
pub(crate) fn files(disk: &SimDisk) -> Arc<dyn Files> {
    let files = Arc::new(SimFiles::new(disk.clone()));
    Arc::new(YieldingFiles::new(files, |_| thread::yield_now()))
}

/// The lock of this store, once it is free.
pub(crate) fn locked(store: &dyn SegmentStore) -> Box<dyn StoreLock> {
    loop {
        match store.lock() {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => thread::yield_now(),
            lock => return lock.unwrap(),
        }
    }
}

/// The newest segment of a log.
pub(crate) struct Log {
    store: Arc<dyn SegmentStore>,
    disk: SimDisk,
    id: SegmentId,
    writer: Box<dyn SegmentWriter>,
    syncer: Arc<dyn SegmentSyncer>,
    records: u64,
}

impl Log {
    /// A log whose first segment, from now on, has this number.
    pub(crate) fn begin(store: &Arc<dyn SegmentStore>, disk: &SimDisk, id: SegmentId) -> Self {
        let writer = store.create(id, SIZE as u64).unwrap();
        let (store, disk, syncer) = (Arc::clone(store), disk.clone(), writer.syncer());
        Self { store, disk, id, writer, syncer, records: 0 }
    }

    /// A record that stays below the half, and one for which the segment has no room: the seal is
    /// what crosses the half, after the next segment was made.
    pub(crate) fn commits_across_the_half(&mut self) {
        self.commit(7000);
        self.commit(9000);
    }

    /// Makes a record of this length durable; then it is in a file that has a name.
    pub(crate) fn commit(&mut self, len: usize) {
        if self.writer.end() + (len + SEAL) as u64 > SIZE as u64 {
            self.rotate();
        }
        let record = self.record(len);
        self.writer.append(&record).unwrap();
        self.syncer.sync().unwrap();
        assert!(self.disk.holds(&record), "acknowledged, and in no file with a name");
    }

    /// A record whose sync fails.
    pub(crate) fn fails(&mut self, len: usize) {
        let record = self.record(len);
        let done = self.writer.append(&record).and_then(|()| self.syncer.sync());
        assert!(done.is_err(), "the disk has failed, and nobody said so");
    }

    fn record(&mut self, len: usize) -> Vec<u8> {
        self.records += 1;
        let mut record = vec![0x55; len];
        record[..8].copy_from_slice(&self.records.to_le_bytes());
        record[8..16].copy_from_slice(&self.id.get().to_le_bytes());
        record
    }

    /// As the pipeline does: the next segment is made before this one ends.
    fn rotate(&mut self) {
        let next = self.store.create(self.id.next(), SIZE as u64).unwrap();
        self.writer.append(&[0xee; SEAL]).unwrap();
        self.syncer.sync().unwrap();
        self.syncer = next.syncer();
        self.writer = next;
        self.id = self.id.next();
    }
}
