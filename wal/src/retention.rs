//! [`Retention`]: how much of a log is kept.

use std::fmt;
use std::time::Duration;

use wal_core::{Lsn, Result, SegmentStore};
use wal_replay::{Chain, Damaged, Finding, SegmentInfo, Verdict, examine};

use crate::Wal;
use crate::log::Parts;
use crate::prune::Began;
use crate::space::{Held, bytes, held, place};

/// How much of a log is kept, for [`Wal::retain`]. Without a limit all of it is.
///
/// Each limit that is set asks for the oldest segments to go until it is met, so that the strictest
/// one decides. Only whole segments go; the newest one always stays, also where it is over a limit
/// by itself, and so do the latest records as far as [`min_records`](Self::min_records) says, and
/// what a [`Hold`](crate::Hold) keeps.
///
/// ```
/// use std::time::Duration;
/// use wal::Retention;
///
/// let week = Duration::from_secs(7 * 24 * 60 * 60);
/// let retention = Retention::all().younger_than(week).at_most_bytes(64 << 30);
/// assert_eq!(retention.max_age, Some(week));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retention {
    /// What is before this record goes.
    pub from: Option<Lsn>,
    /// A segment that ended this long ago goes, by the log's own clock
    /// ([`SegmentInfo::ended`]). Where a clock was set back, segments stay longer, never shorter;
    /// where it jumped ahead, they go at once. A segment that is dated later than now, by a clock that
    /// was ahead once, counts as old as the next one that is not.
    pub max_age: Option<Duration>,
    /// The segments that stay take up no more than this, in bytes, prepared space included.
    pub max_bytes: Option<u64>,
    /// No more segments than this stay.
    pub max_segments: Option<u64>,
    /// The latest so many records stay, whatever the limits ask.
    pub min_records: u64,
    /// What is looked at of the segments that go.
    pub examine: Examine,
}

/// What [`Wal::retain`] looks at of the segments that go, to say in [`Retained::damaged`] which of them are
/// damaged. They go all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Examine {
    /// Their headers, which are read in any case.
    #[default]
    Headers,
    /// Every byte. Takes as long as reading them does, and no truncation, close or other prune happens
    /// meanwhile.
    Bytes,
}

/// What [`Wal::retain`] did. Its `Display` is for the person on call: a line for what went, one for
/// what stays against a limit, one for each hold that keeps it, and one for each damage.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retained {
    /// Segments that went.
    pub segments: u64,
    /// Bytes that they took up.
    pub bytes: u64,
    /// The first record of the log now.
    pub first_lsn: Lsn,
    /// Segments that a limit asks to go, and that stay for a hold.
    pub held_segments: u64,
    /// Bytes that they take up.
    pub held_bytes: u64,
    /// Segments that [`max_age`](Retention::max_age) does not ask to go because they are dated later
    /// than now, and so is every later one: nothing says how old they are.
    pub dated_ahead: u64,
    /// Who holds them; each with all that it keeps of them, so that the bytes of several holds
    /// overlap.
    pub held_by: Vec<Held>,
    /// What was wrong with segments that the log does not begin before any more: as far as
    /// [`examine`](Retention::examine) looked.
    pub damaged: Vec<Damaged>,
}

impl Retention {
    /// Everything is kept.
    pub fn all() -> Self {
        Self::default()
    }

    /// What is before this record goes.
    pub fn from(mut self, lsn: Lsn) -> Self {
        self.from = Some(lsn);
        self
    }

    /// A segment that ended this long ago goes.
    pub fn younger_than(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// The segments that stay take up no more than this, in bytes.
    pub fn at_most_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// No more segments than this stay.
    pub fn at_most_segments(mut self, segments: u64) -> Self {
        self.max_segments = Some(segments);
        self
    }

    /// The latest so many records stay, whatever the limits ask.
    pub fn at_least_records(mut self, records: u64) -> Self {
        self.min_records = records;
        self
    }

    /// So much of the segments that go is looked at for damage.
    pub fn examining(mut self, examine: Examine) -> Self {
        self.examine = examine;
        self
    }

    /// How many of these segments the limits ask to go, from the oldest on.
    pub(crate) fn asks(&self, infos: &[SegmentInfo], now: u64) -> usize {
        let Self { from, max_age, max_bytes, max_segments, min_records, .. } = self;
        let last = infos.last().map_or(Lsn::ZERO, |newest| newest.last_lsn);
        let needed = place(infos, Lsn::new(last.next().get().saturating_sub(*min_records)));
        let before = from.map_or(0, |lsn| place(infos, lsn));
        let old = max_age.map_or(0, |age| {
            let old = |ended: &u64| u128::from(now.saturating_sub(*ended)) >= age.as_nanos();
            ends(infos, now).iter().take_while(|end| end.as_ref().is_some_and(old)).count()
        });
        let large = max_bytes.map_or(0, |max| {
            let mut left = bytes(infos);
            let over = |info: &&SegmentInfo| {
                let over = left > max;
                left -= info.bytes;
                over
            };
            infos.iter().take_while(over).count()
        });
        let many = max_segments.map_or(0, |max| {
            infos.len().saturating_sub(usize::try_from(max).unwrap_or(usize::MAX))
        });
        before.max(old).max(large).max(many).min(needed)
    }
}

/// When each of these segments had ended, where that is known: what is dated later than now ended no
/// later than what came next. The newest has not ended, and was made when the one before it had.
fn ends(infos: &[SegmentInfo], now: u64) -> Vec<Option<u64>> {
    let Some(newest) = infos.last() else { return Vec::new() };
    let mut next = Some(newest.created).filter(|&created| created <= now);
    let mut ends = vec![newest.ended.filter(|&ended| ended <= now)];
    for info in infos.iter().rev().skip(1) {
        next = info.ended.filter(|&ended| ended <= now).or(next);
        ends.push(next);
    }
    ends.reverse();
    ends
}

impl Wal {
    /// Deletes the oldest segments as far as the limits ask for it and no [`Hold`](crate::Hold)
    /// keeps them. To be called now and then, by one who has the time; some reads a segment.
    ///
    /// Segments that are damaged or cannot be read are in nobody's way. They go with the others, where they
    /// are proven to be the log's; none of them is what the log can begin with, and so a segment more than
    /// asked for may stay. [`Retained::damaged`] names them.
    ///
    /// Crashes and errors are as for [`prune_before`](Self::prune_before).
    pub fn retain(&self, retention: &Retention) -> Result<Retained> {
        let Parts { store, env, pipeline, .. } = self.parts();
        let _one_at_a_time = self.pruning()?;
        if let Some(lsn) = retention.from {
            self.check_issued(lsn)?;
        }
        let Some(chain) = self.prunable()? else { return Ok(Retained::nothing(self.first_lsn())) };
        let listed = chain.list_past_damage(&**store, pipeline.written_lsn())?;
        let infos = &listed.segments;
        let now = env.now();
        let asked = listed.told_at(retention.asks(infos, now));
        let holds = self.holds();
        let goes = holds.floor().map_or(asked, |lsn| asked.min(place(infos, lsn)));
        let goes = listed.told_at(goes);
        let mut held_by = held(holds, &infos[goes..asked]);
        held_by.retain(|held| held.bytes > 0);
        let mut damaged = match retention.examine {
            Examine::Bytes if goes > 0 => examined(&**store, &chain, goes),
            _ => Vec::new(),
        };
        let Began { lsn: first_lsn, found } = self.begin_at(&chain, goes)?;
        found.tell(&mut damaged);
        let unknown = ends(infos, now)[asked..].iter().take_while(|end| end.is_none()).count();
        let unknown = unknown.min(infos.len() - 1 - asked.min(infos.len() - 1));
        let dated_ahead = if retention.max_age.is_some() { unknown as u64 } else { 0 };
        let gone: Vec<_> =
            infos[..goes].iter().filter(|info| found.proven.contains(&info.id)).cloned().collect();
        Ok(Retained {
            segments: gone.len() as u64,
            bytes: bytes(&gone),
            first_lsn,
            held_segments: (asked - goes) as u64,
            held_bytes: bytes(&infos[goes..asked]),
            dated_ahead,
            held_by,
            damaged,
        })
    }
}

/// What is wrong with the segments before this place, by all of their bytes.
fn examined(store: &dyn SegmentStore, chain: &Chain, before: usize) -> Vec<Damaged> {
    // What keeps it from looking keeps nothing from being pruned: the header is looked at once more.
    let (findings, refused) = examine(store, chain, before);
    // What a crash left behind the end of a segment is no damage to it.
    let damage = findings.into_iter().filter(|finding| finding.verdict == Verdict::Corrupt);
    let told = damage.filter_map(|Finding { what, segment, offset, lsn, .. }| {
        let place = [("offset", offset), ("lsn", lsn.map(Lsn::get))];
        let place = place.iter().filter_map(|(name, value)| Some(format!(" {name}={}", (*value)?)));
        let what = format!("{what}{}", place.collect::<String>());
        segment.map(|id| Damaged::new(id, what))
    });
    let mut told: Vec<_> = told.collect();
    told.extend(refused.map(|error| {
        let id = error.at_segment().or_else(|| chain.segments.first().copied()).unwrap_or_default();
        let what = format!("nothing from here on was examined: {}", error.report());
        Damaged::new(id, what)
    }));
    told
}

impl Retained {
    fn nothing(first_lsn: Lsn) -> Self {
        Self {
            segments: 0,
            bytes: 0,
            first_lsn,
            held_segments: 0,
            held_bytes: 0,
            dated_ahead: 0,
            held_by: Vec::new(),
            damaged: Vec::new(),
        }
    }
}

impl fmt::Display for Retained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { segments, bytes, first_lsn, held_segments, held_bytes, dated_ahead, .. } = self;
        write!(f, "went: segments {segments}, bytes {bytes}; the log begins with LSN {first_lsn}")?;
        if *held_segments > 0 {
            write!(f, "\nheld back: segments {held_segments}, bytes {held_bytes}")?;
        }
        if *dated_ahead > 0 {
            write!(f, "\nof unknown age: segments {dated_ahead}, dated later than now")?;
        }
        self.held_by.iter().try_for_each(|held| write!(f, "\n{held}"))?;
        self.damaged.iter().try_for_each(|damaged| write!(f, "\n{damaged}"))
    }
}
