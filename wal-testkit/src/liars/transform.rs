//! A transform that is right, or lies in one way.

use std::thread::{self, ThreadId};

use wal_core::{Applied, Error, ErrorKind, Result, Transform, TransformId};

/// The one way in which a [`LyingTransform`] lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransformLie {
    /// It is honest.
    None,
    /// A body over the limit is unpacked, and refused then.
    BombsAreOpened,
    /// The output is emptied first.
    ClearsTheOutput,
    /// Its number is the one of no transform.
    IdIsNone,
    /// The last byte of a body is lost.
    LastByteIsLost,
    /// A body over the limit is cut to it.
    LimitCuts,
    /// Runs that are missing are taken for zeros.
    MissingIsZeros,
    /// A run that is cut in two is read without a look.
    PanicsAtTheEnd,
    /// A body that does not become smaller is stored as it is, under the transform's number.
    RawIsCalledStored,
    /// Bytes that it never stored are told as a failed storage.
    RefusalIsIo,
    /// A skipped body leaves a byte behind.
    SkippedLeavesAByte,
    /// What does not become smaller is stored all the same.
    SkipsNothing,
    /// It works only on the thread that made it.
    WorksOnItsThreadOnly,
}

impl TransformLie {
    /// Every lie, with the laws that are there to catch it. A lie may break others too.
    pub const ALL: &[(Self, &[&str])] = &[
        (Self::BombsAreOpened, &["a_bomb_is_refused_unopened"]),
        (Self::ClearsTheOutput, &["the_output_is_appended"]),
        (Self::IdIsNone, &["the_id_is_its_own"]),
        (Self::LastByteIsLost, &["a_body_comes_back"]),
        (Self::LimitCuts, &["the_limit_is_kept"]),
        (Self::MissingIsZeros, &["a_part_is_not_the_whole"]),
        (Self::PanicsAtTheEnd, &["any_bytes_are_survived"]),
        (Self::RawIsCalledStored, &["a_body_comes_back"]),
        (Self::RefusalIsIo, &["refusals_are_corrupt"]),
        (Self::SkippedLeavesAByte, &["a_skipped_body_leaves_nothing"]),
        (Self::SkipsNothing, &["an_incompressible_body_stays_small"]),
        (Self::WorksOnItsThreadOnly, &["threads_do_not_disturb_each_other"]),
    ];
}

/// A transform that lies in one way, or, with [`TransformLie::None`], in none: the length of the
/// body in four bytes, then runs of a count, up to 255, and a byte.
#[derive(Debug)]
pub struct LyingTransform {
    lie: TransformLie,
    thread: ThreadId,
}

impl LyingTransform {
    /// A transform with this lie.
    pub fn new(lie: TransformLie) -> Self {
        Self { lie, thread: thread::current().id() }
    }

    fn refusal(&self, what: &'static str) -> Error {
        let kind = match self.lie {
            TransformLie::RefusalIsIo => ErrorKind::Io,
            _ => ErrorKind::Corrupt,
        };
        Error::new(kind, what)
    }

    fn on_its_thread(&self) -> Result<()> {
        if self.lie == TransformLie::WorksOnItsThreadOnly && thread::current().id() != self.thread {
            return Err(Error::new(ErrorKind::Invalid, "not my thread"));
        }
        Ok(())
    }
}

impl Transform for LyingTransform {
    fn id(&self) -> TransformId {
        if self.lie == TransformLie::IdIsNone { TransformId::NONE } else { TransformId(250) }
    }

    fn apply(&self, body: &[u8], out: &mut Vec<u8>) -> Result<Applied> {
        self.on_its_thread()?;
        let over = |_| Error::new(ErrorKind::Invalid, "the body is over 4 GiB");
        let mut stored = u32::try_from(body.len()).map_err(over)?.to_le_bytes().to_vec();
        let mut rest = body;
        while let Some(&byte) = rest.first() {
            let run = rest.iter().take(255).take_while(|&&other| other == byte).count();
            stored.extend([u8::try_from(run).expect("at most 255"), byte]);
            rest = &rest[run..];
        }
        if stored.len() >= body.len() && self.lie == TransformLie::RawIsCalledStored {
            stored = body.to_vec();
        } else if stored.len() >= body.len() && self.lie != TransformLie::SkipsNothing {
            if self.lie == TransformLie::SkippedLeavesAByte {
                out.push(0);
            }
            return Ok(Applied::Skipped);
        }
        if self.lie == TransformLie::ClearsTheOutput {
            out.clear();
        }
        out.extend(stored);
        Ok(Applied::Stored)
    }

    fn undo(&self, stored: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<()> {
        self.on_its_thread()?;
        let Some((length, runs)) = stored.split_first_chunk::<4>() else {
            return Err(self.refusal("no length"));
        };
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        if length > limit
            && !matches!(self.lie, TransformLie::LimitCuts | TransformLie::BombsAreOpened)
        {
            return Err(self.refusal("the body is over the limit"));
        }
        let mut body = Vec::new();
        for run in runs.chunks(2) {
            let (count, byte) = match run {
                &[count, byte] => (count, byte),
                short if self.lie == TransformLie::PanicsAtTheEnd => (short[0], short[1]),
                _ => return Err(self.refusal("half a run")),
            };
            if body.len() + usize::from(count) > length {
                return Err(self.refusal("more than the length says"));
            }
            body.resize(body.len() + usize::from(count), byte);
        }
        if self.lie == TransformLie::MissingIsZeros {
            body.resize(length.min(limit), 0);
        }
        if body.len() != length {
            return Err(self.refusal("less than the length says"));
        }
        if body.len() > limit {
            if self.lie == TransformLie::BombsAreOpened {
                return Err(self.refusal("the body is over the limit"));
            }
            body.truncate(limit);
        }
        if self.lie == TransformLie::LastByteIsLost {
            body.pop();
        }
        out.extend(body);
        Ok(())
    }
}
