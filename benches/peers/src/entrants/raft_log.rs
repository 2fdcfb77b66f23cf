//! raft-log: one writer, a worker that flushes, and a callback when it has.

use std::io;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Result, anyhow};
use raft_log::api::raft_log_writer::RaftLogWriter;
use raft_log::{Callback, Config, RaftLog, Types};
use tokio::sync::oneshot;

use crate::{Acknowledges, Appended, Entrant, Opening, Side, Subject};

pub(super) const RAFT_LOG: Entrant = Entrant {
    name: "raft-log",
    side: Side::Peer,
    acknowledges: Acknowledges::Durable,
    settings: "0.4.6; its worker waits 1 ms for company by default; here 0 for one writer, and 100 us \
               for several, since 0 turns batching off; appends behind a mutex, waits outside it by \
               callback; `pipelined`: `append`, one `flush` at the end; syncs by its `FlushMetrics`",
    open: |opening| Ok(Arc::new(Subjected::open(opening)?)),
};

struct Subjected {
    log: Mutex<RaftLog<Plain>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Plain;

impl Types for Plain {
    /// Term and index.
    type LogId = (u64, u64);
    type LogPayload = Vec<u8>;
    type Vote = (u64, u64);
    type Callback = Flushed;
    type UserData = String;

    fn log_index(log_id: &Self::LogId) -> u64 {
        log_id.1
    }

    fn payload_size(payload: &Self::LogPayload) -> u64 {
        payload.len() as u64
    }
}

/// Whom to tell of a flush.
enum Flushed {
    Thread(std::sync::mpsc::SyncSender<io::Result<()>>),
    Task(oneshot::Sender<io::Result<()>>),
}

impl Callback for Flushed {
    fn send(self, result: io::Result<()>) {
        // Nobody listens any more where it fails.
        match self {
            Self::Thread(sender) => Callback::send(sender, result),
            Self::Task(sender) => drop(sender.send(result)),
        }
    }
}

impl Subjected {
    fn open(opening: &Opening) -> Result<Self> {
        std::fs::create_dir_all(&opening.dir)?;
        let dir = opening.dir.to_str().ok_or_else(|| anyhow!("the path is not UTF-8"))?;
        let mut config = Config::new(dir);
        let window = if opening.writers == 1 { 0 } else { 100 };
        config.wal.flush_batch_wait = Some(Duration::from_micros(window));
        Ok(Self { log: Mutex::new(RaftLog::open(Arc::new(config))?) })
    }

    fn lock(&self) -> MutexGuard<'_, RaftLog<Plain>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append(log: &mut RaftLog<Plain>, record: &[u8]) -> Result<()> {
        let index = Plain::next_log_index(log.log_state().last());
        log.append([((1, index), record.to_vec())])?;
        Ok(())
    }

    fn append_and_flush(&self, record: &[u8], flushed: Flushed) -> Result<()> {
        let mut log = self.lock();
        Self::append(&mut log, record)?;
        Ok(log.flush(true, Some(flushed))?)
    }
}

impl Subject for Subjected {
    fn append_durable(&self, record: &[u8]) -> Result<()> {
        let (sender, receiver) = sync_channel(1);
        self.append_and_flush(record, Flushed::Thread(sender))?;
        Ok(receiver.recv()??)
    }

    fn append_awaited(&self, record: &[u8]) -> Option<Appended> {
        let (sender, receiver) = oneshot::channel();
        let appended = self.append_and_flush(record, Flushed::Task(sender));
        Some(Box::pin(async move {
            appended?;
            Ok(receiver.await??)
        }))
    }

    fn pipelined(&self, record: &[u8], more: &mut dyn FnMut() -> bool) -> Result<()> {
        let mut log = self.lock();
        while more() {
            Self::append(&mut log, record)?;
        }
        let (sender, receiver) = sync_channel(1);
        log.flush(true, Some(Flushed::Thread(sender)))?;
        Ok(receiver.recv()??)
    }

    fn read(&self, each: &mut dyn FnMut(&[u8])) -> Result<()> {
        let log = self.lock();
        let end = Plain::next_log_index(log.log_state().last());
        for entry in log.read(0, end) {
            each(&entry?.1);
        }
        Ok(())
    }

    fn syncs(&self) -> Option<u64> {
        Some(self.lock().stat().flush_metrics.sync_batch_count)
    }
}
