//! [`Source`]: the part of a log that is being copied.

use std::sync::Arc;

use wal_core::{CodecId, Error, ErrorKind, LogId, Lsn, Result, SegmentStore};
use wal_replay::{Chain, Cursor, RecoverOptions, Survey, Transforms, Until};

use crate::log::Parts;
use crate::target::Plan;
use crate::unfinished::header;
use crate::{Config, Hold, Reader, SystemEnv, Wal};

/// The part of a log that is being copied: as it was at one moment, to be read as often as it takes.
pub(crate) struct Source {
    store: Arc<dyn SegmentStore>,
    transforms: Transforms,
    chain: Option<Chain>,
    pub(crate) first: Lsn,
    pub(crate) last: Lsn,
    /// Its identity; zeros where it has no segment.
    log: LogId,
    codec: CodecId,
    /// Bytes that are worth a segment of a copy.
    segment_size: u64,
    /// What flushes are padded to, in bytes: a copy is protected as its source is.
    alignment: u32,
    live: Option<Live>,
}

/// The smallest segments that a log can have, in bytes.
const SMALLEST: u64 = 16 << 10;

/// A size for segments that the largest one of the source fits into, its prepared space not counted.
fn like_largest(store: &dyn SegmentStore, survey: &Survey) -> Result<u64> {
    let infos = survey.chain.list(store, survey.last_lsn())?;
    let ended = infos.iter().rev().skip(1).map(|info| info.bytes);
    let largest = ended.chain([survey.tail.end + survey.tail.seal_len]).max().unwrap_or_default();
    Ok(largest.next_multiple_of(SMALLEST).max(SMALLEST))
}

/// What keeps an open log from being changed under a copy.
struct Live {
    wal: Wal,
    _hold: Hold,
    truncations: u64,
}

impl Source {
    /// The acknowledged records of an open log, which are not pruned as long as this lives.
    pub(crate) fn of_log(wal: &Wal, kind: &str) -> Result<Self> {
        let Parts { store, transforms, codec, recovering, .. } = wal.parts();
        let truncations = wal.truncations();
        let hold = wal.hold_all(kind)?;
        let first = hold.lsn();
        let found = wal.over_chain(|chain, last| Ok((chain.clone(), last)))?;
        let (chain, last) = found.map_or((None, first.previous()), |(chain, last)| {
            (Some(chain), last.max(first.previous()))
        });
        let newest = chain.as_ref().and_then(|chain| chain.segments.last());
        let header = newest.map(|&id| header(&**store, id)).transpose()?.flatten();
        let log = header.map_or(LogId([0; 16]), |header| header.log);
        let live = Some(Live { wal: wal.clone(), _hold: hold, truncations });
        let (store, transforms) = (Arc::clone(store), transforms.clone());
        let codec = *codec;
        let RecoverOptions { segment_size, alignment, .. } = *recovering;
        Ok(Self {
            store,
            transforms,
            chain,
            first,
            last,
            log,
            codec,
            segment_size,
            alignment,
            live,
        })
    }

    /// What `copy` makes of the records of a log as it lies there. Where it fails and the log was pruned
    /// meanwhile, it is called again with what is there by then: what it has left of a copy is a
    /// beginning.
    pub(crate) fn settled<T>(
        reader: &Reader,
        mut copy: impl FnMut(&Self) -> Result<T>,
    ) -> Result<T> {
        reader.settled(|survey| copy(&Self::of_reader(reader, survey)?))
    }

    fn of_reader(reader: &Reader, survey: Option<&Survey>) -> Result<Self> {
        let (store, transforms) = (Arc::clone(reader.store()), reader.known_transforms().clone());
        let first = survey.map_or(Lsn::FIRST, |survey| survey.chain.start.lsn);
        let last = survey.map_or(Lsn::ZERO, Survey::last_lsn);
        let codec = survey.map_or(CodecId::RAW, |survey| survey.newest.codec);
        let log = survey.map_or(LogId([0; 16]), |survey| survey.newest.log);
        let chain = survey.map(|survey| survey.chain.clone());
        let segment_size = survey.map(|survey| like_largest(&*store, survey)).transpose()?;
        let segment_size = segment_size.unwrap_or(SMALLEST);
        let alignment = survey.map_or(Config::default().alignment, |survey| {
            survey.newest.alignment.min(RecoverOptions::LARGEST_ALIGNMENT)
        });
        let live = None;
        Ok(Self {
            store,
            transforms,
            chain,
            first,
            last,
            log,
            codec,
            segment_size,
            alignment,
            live,
        })
    }

    /// How a copy is written that is like the source.
    pub(crate) fn plan(&self) -> Plan {
        let Self { log: source, codec, alignment, .. } = *self;
        let Some(live) = &self.live else {
            let env = Arc::new(SystemEnv);
            let segment_size = self.segment_size;
            return Plan { source, codec, segment_size, alignment, transform: None, env };
        };
        let Parts { transform, env, .. } = live.wal.parts();
        Plan {
            source,
            codec,
            segment_size: self.segment_size,
            alignment,
            transform: transform.clone(),
            env: Arc::clone(env),
        }
    }

    /// Its entries, from the first one on.
    pub(crate) fn entries(&self) -> Result<Cursor> {
        let store = Arc::clone(&self.store);
        match &self.chain {
            None => Ok(Cursor::empty(store)),
            Some(chain) => {
                let until = Until::Lsn(self.last);
                Cursor::new(store, self.transforms.clone(), chain, self.first, until)
            }
        }
    }

    /// What went wrong while it was read: damage only where nobody truncated the log meanwhile.
    pub(crate) fn blame(&self, error: Error) -> Error {
        match &self.live {
            Some(live) if live.wal.truncations() != live.truncations => {
                let what = "the log was truncated while it was copied";
                Error::new(ErrorKind::Invalid, what).because(error)
            }
            _ => error,
        }
    }
}
