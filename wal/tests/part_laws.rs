//! The laws for single parts, on every part of the kit that is not a store: those are with the laws
//! for the whole log.

use std::time::Duration;

use wal::parts::codec::{Binary, Input, Layout, Operation, Raw};
use wal::parts::commit::{
    FlushThread, GroupCommit, Interval, Os, Parallel, Pipelined, Sync, Tuning, Window,
};
use wal::parts::core::{Applied, Error, ErrorKind, Result, Transform, TransformId};
use wal::parts::replay::Sequential;
use wal_testkit::{
    Sample, Samples, codec_laws, commit_strategy_laws, replay_engine_laws, transform_laws,
};

/// Every kind of operation.
fn operation(sample: &mut Sample) -> Operation {
    let transaction = sample.number();
    let operation = match sample.below(7) {
        0 => Operation::put(sample.text(), sample.bytes(), sample.bytes()),
        1 => Operation::update(sample.text(), sample.bytes(), sample.bytes()),
        2 => Operation::delete(sample.text(), sample.bytes()),
        3 => Operation::begin(transaction),
        4 => Operation::prepare(transaction),
        5 => Operation::commit(transaction),
        _ => Operation::abort(transaction),
    };
    let operation = operation.at(sample.number());
    if sample.below(2) == 0 { operation.within(transaction) } else { operation }
}

/// A record type of a user's own.
#[derive(Debug, PartialEq)]
struct Payment {
    account: u64,
    cents: i64,
    memo: Option<String>,
    receipts: Vec<(u32, Vec<u8>)>,
}

impl Payment {
    fn new(sample: &mut Sample) -> Self {
        let memo = (sample.below(2) == 0).then(|| sample.text());
        let receipts = (0..sample.below(4)).map(|number| (number, sample.bytes())).collect();
        let cents = sample.number().cast_signed();
        Self { account: sample.number(), cents, memo, receipts }
    }
}

impl Layout for Payment {
    fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        out.push(1);
        self.account.encode(out)?;
        self.cents.encode(out)?;
        self.memo.encode(out)?;
        wal::parts::codec::put_list(out, &self.receipts)
    }

    fn decode(input: &mut Input<'_>) -> Result<Self> {
        input.version(1)?;
        Ok(Self {
            account: input.field()?,
            cents: input.field()?,
            memo: input.field()?,
            receipts: input.list()?,
        })
    }
}

codec_laws!(binary_operations, || Samples::new(Binary, operation));
codec_laws!(binary_of_a_user, || Samples::new(Binary, Payment::new));
codec_laws!(raw, || Samples::<Vec<u8>, _, _>::new(Raw, Sample::bytes), without[end]);

#[cfg(feature = "bincode")]
codec_laws!(bincode_operations, || Samples::new(wal::parts::codec::Bincode, operation));

/// A toy: a byte of key, then every byte under it.
#[derive(Debug)]
struct Masked(u8);

impl Transform for Masked {
    fn id(&self) -> TransformId {
        TransformId(200)
    }

    fn apply(&self, body: &[u8], out: &mut Vec<u8>) -> Result<Applied> {
        out.push(self.0);
        out.extend(body.iter().map(|byte| byte ^ self.0));
        Ok(Applied::Stored)
    }

    fn undo(&self, stored: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<()> {
        let corrupt = |what| Error::new(ErrorKind::Corrupt, what);
        let (mask, body) = stored.split_first().ok_or_else(|| corrupt("no key"))?;
        if body.len() > limit {
            return Err(corrupt("the body is over the limit"));
        }
        out.extend(body.iter().map(|byte| byte ^ mask));
        Ok(())
    }
}

transform_laws!(masked, || Masked(0x5a));

commit_strategy_laws!(group_commit, GroupCommit::new);
commit_strategy_laws!(group_commit_in_windows, || {
    let mut window = Window::new(Duration::from_millis(1));
    window.siblings = 0;
    window.tuning = Tuning::Adaptive;
    GroupCommit::with_window(window)
});
commit_strategy_laws!(flush_thread, FlushThread::new);
commit_strategy_laws!(flush_thread_at_once, || FlushThread::with_trigger(Duration::ZERO, 1));
commit_strategy_laws!(parallel, || Parallel::new(3));
commit_strategy_laws!(pipelined, Pipelined::new);
commit_strategy_laws!(interval, || Interval::new(Duration::from_millis(20)));
commit_strategy_laws!(os, Os::new);
commit_strategy_laws!(sync, Sync::new);

#[cfg(feature = "tokio")]
commit_strategy_laws!(tokio_commit, on_a_runtime);

/// The strategy on a runtime that nobody else uses and that lives as long as the test.
#[cfg(feature = "tokio")]
fn on_a_runtime() -> wal::parts::commit::TokioCommit {
    static RUNTIME: std::sync::OnceLock<std::io::Result<tokio::runtime::Runtime>> =
        std::sync::OnceLock::new();
    let runtime = RUNTIME
        .get_or_init(|| tokio::runtime::Builder::new_multi_thread().worker_threads(1).build());
    let runtime = runtime.as_ref().expect("a runtime of one worker can be had");
    wal::parts::commit::TokioCommit::on(runtime.handle().clone())
}

replay_engine_laws!(sequential, Sequential::new);
replay_engine_laws!(sequential_in_groups, || Sequential::grouped(7));
replay_engine_laws!(sequential_in_one_group, || Sequential::grouped(1 << 20));
