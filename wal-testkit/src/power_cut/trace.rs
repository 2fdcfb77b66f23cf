//! [`Trace`]: everything that reached a disk, in order, and what a power cut leaves of it.

use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::chance::Chance;

use super::image::Image;

/// What a real disk writes whole or not at all, in bytes.
pub const SECTOR: usize = 512;

/// One thing that happened to a disk.
#[derive(Clone)]
pub enum Event {
    /// Bytes were written into the disk's volatile cache.
    Write {
        /// Where, in bytes.
        offset: u64,
        /// The bytes.
        bytes: Box<[u8]>,
    },
    /// A range was made zeros in the volatile cache: a discard, or a write of zeros.
    Clear {
        /// Where, in bytes.
        offset: u64,
        /// How many bytes.
        len: u64,
    },
    /// Everything before is on the platter.
    Flush,
    /// The program under test has said that every record through this LSN is durable, and somebody
    /// has heard it.
    Acknowledged(u64),
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write { offset, bytes } => write!(f, "Write({offset}, {} bytes)", bytes.len()),
            Self::Clear { offset, len } => write!(f, "Clear({offset}, {len} bytes)"),
            Self::Flush => f.write_str("Flush"),
            Self::Acknowledged(lsn) => write!(f, "Acknowledged({lsn})"),
        }
    }
}

/// A disk as it was when the power came on, and everything that has happened since.
#[derive(Clone, Debug)]
pub struct Trace {
    /// The platter when the power came on.
    pub base: Image,
    /// What happened since, in one total order.
    pub events: Vec<Event>,
}

/// What survives of the writes since the last flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Survivors {
    /// None of them.
    Nothing,
    /// All of them.
    Everything,
    /// For each write on its own, by this seed: all of it, nothing, a first part, or any of its
    /// [sectors](SECTOR).
    Random(u64),
}

/// A power cut: when, and what it leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The number of events that happened before the cut.
    pub at: usize,
    /// What is left of the writes that no flush covered.
    pub survivors: Survivors,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "after {} disk events, ", self.at)?;
        match self.survivors {
            Survivors::Nothing => f.write_str("nothing unflushed survives"),
            Survivors::Everything => f.write_str("everything unflushed survives"),
            Survivors::Random(seed) => write!(f, "unflushed sectors survive by seed {seed}"),
        }
    }
}

impl Trace {
    /// Up to `budget` cuts at or after `from`, each of which leaves another image, in the order of
    /// time; a fifth each with nothing and everything, the others with random sectors.
    ///
    /// Where the same image is left by cuts at several times, the latest of them is taken: by then
    /// the most was acknowledged.
    pub(super) fn plan(&self, from: usize, budget: usize, chance: &mut Chance) -> Vec<Cut> {
        let mut cuts: HashMap<u64, Cut> = HashMap::new();
        let options = u32::try_from(self.events.len() + 1 - from).unwrap_or(u32::MAX);
        for _ in 0..budget * 8 {
            if cuts.len() == budget {
                break;
            }
            let at = from + chance.below(options) as usize;
            let survivors = match chance.below(5) {
                0 => Survivors::Nothing,
                1 => Survivors::Everything,
                _ => Survivors::Random(chance.next()),
            };
            let (key, cut) = self.settle(Cut { at, survivors });
            let known = cuts.entry(key).or_insert(cut);
            if known.at < cut.at {
                *known = cut;
            }
        }
        let mut cuts: Vec<_> = cuts.into_values().collect();
        cuts.sort_unstable_by_key(|cut| (cut.at, cut.survivors_order()));
        cuts
    }

    /// A number that is the same for cuts that leave the same image, and the latest such cut.
    fn settle(&self, cut: Cut) -> (u64, Cut) {
        let flushed = self.flushed(cut.at);
        let mut fates = Fates::new(cut.survivors);
        let mut kept = DefaultHasher::new();
        flushed.hash(&mut kept);
        let mut nothing = true;
        for (number, event) in self.events[flushed..cut.at].iter().enumerate() {
            fates.of(event, |from, to| {
                nothing = false;
                (number, from, to).hash(&mut kept);
            });
        }
        let ends = |event: &Event| match event {
            Event::Flush => true,
            Event::Write { .. } | Event::Clear { .. } => !nothing,
            Event::Acknowledged(_) => false,
        };
        let more = self.events[cut.at..].iter().position(ends);
        let at = more.map_or(self.events.len(), |more| cut.at + more);
        let survivors = if nothing { Survivors::Nothing } else { cut.survivors };
        (kept.finish(), Cut { at, survivors })
    }

    /// The end of the last flush before this time.
    fn flushed(&self, at: usize) -> usize {
        let last = self.events[..at].iter().rposition(|event| matches!(event, Event::Flush));
        last.map_or(0, |flush| flush + 1)
    }

    /// The time of the first acknowledgement; the end, if there is none.
    pub(super) fn first_acknowledged(&self) -> usize {
        let first = self.events.iter().position(|event| matches!(event, Event::Acknowledged(_)));
        first.unwrap_or(self.events.len())
    }

    /// The last LSN that was acknowledged before this time, if any was.
    pub fn acknowledged(&self, at: usize) -> Option<u64> {
        let marks = self.events[..at].iter().rev().filter_map(|event| match event {
            Event::Acknowledged(lsn) => Some(*lsn),
            _ => None,
        });
        marks.max()
    }

    /// The images that these cuts leave; they must come in the order of time.
    pub fn images(&self) -> Images<'_> {
        Images { trace: self, platter: self.base.clone(), done: 0 }
    }
}

impl Cut {
    fn survivors_order(&self) -> u64 {
        match self.survivors {
            Survivors::Nothing => 0,
            Survivors::Everything => 1,
            Survivors::Random(seed) => seed,
        }
    }
}

/// Makes the images of cuts of one trace, going forward in time.
#[derive(Debug)]
pub struct Images<'a> {
    trace: &'a Trace,
    platter: Image,
    /// Events that are on the platter.
    done: usize,
}

impl Images<'_> {
    /// What `cut` leaves. Panics where an earlier call asked for a later time.
    pub fn image(&mut self, cut: Cut) -> Image {
        let flushed = self.trace.flushed(cut.at);
        assert!(flushed >= self.done, "cuts must come in the order of time");
        for event in &self.trace.events[self.done..flushed] {
            apply(event, 0, usize::MAX, &mut self.platter);
        }
        self.done = flushed;
        let mut image = self.platter.clone();
        let mut fates = Fates::new(cut.survivors);
        for event in &self.trace.events[flushed..cut.at] {
            fates.of(event, |from, to| apply(event, from, to, &mut image));
        }
        image
    }
}

/// Applies the bytes `from..to` of a write.
fn apply(event: &Event, from: usize, to: usize, image: &mut Image) {
    match event {
        Event::Write { offset, bytes } => {
            image.write(offset + from as u64, &bytes[from..to.min(bytes.len())]);
        }
        Event::Clear { offset, len } => {
            image.clear(offset + from as u64, (to as u64).min(*len) - from as u64);
        }
        Event::Flush | Event::Acknowledged(_) => {}
    }
}

/// Decides what becomes of each write. The same survivors give the same fates.
struct Fates {
    survivors: Survivors,
    chance: Chance,
    /// Of eight writes that are not torn, how many survive.
    keep: u32,
}

impl Fates {
    fn new(survivors: Survivors) -> Self {
        let Survivors::Random(seed) = survivors else {
            return Self { survivors, chance: Chance::new(0), keep: 0 };
        };
        let mut chance = Chance::new(seed);
        // Half of them, all but a few, or a few alone.
        let keep = [4, 7, 1][chance.below(3) as usize];
        Self { survivors, chance, keep }
    }

    /// Calls `survives` with every part, first byte and end, that survives of this event; no two
    /// parts touch.
    fn of(&mut self, event: &Event, mut survives: impl FnMut(usize, usize)) {
        let len = match event {
            Event::Write { bytes, .. } => bytes.len(),
            Event::Clear { len, .. } => usize::try_from(*len).unwrap_or(usize::MAX),
            Event::Flush | Event::Acknowledged(_) => return,
        };
        match self.survivors {
            Survivors::Nothing => {}
            Survivors::Everything => survives(0, len),
            Survivors::Random(_) => self.tear(len, survives),
        }
    }

    fn tear(&mut self, len: usize, mut survives: impl FnMut(usize, usize)) {
        let sectors = u32::try_from(len.div_ceil(SECTOR)).unwrap_or(u32::MAX);
        match self.chance.below(4) {
            0 => {
                let first = self.chance.below(sectors) as usize * SECTOR;
                if first > 0 {
                    survives(0, first);
                }
            }
            1 => {
                let mut start = None;
                for from in (0..len).step_by(SECTOR) {
                    match (self.chance.below(2), start) {
                        (0, None) => start = Some(from),
                        (0, Some(_)) | (_, None) => {}
                        (_, Some(first)) => {
                            survives(first, from);
                            start = None;
                        }
                    }
                }
                if let Some(first) = start {
                    survives(first, len);
                }
            }
            _ if self.chance.below(8) < self.keep => survives(0, len),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Chance, Cut, Event, Image, SECTOR, Survivors, Trace};

    fn write(sector: u64, byte: u8, sectors: usize) -> Event {
        let bytes = vec![byte; sectors * SECTOR].into();
        Event::Write { offset: sector * SECTOR as u64, bytes }
    }

    fn sectors(image: &Image, count: u64) -> Vec<u8> {
        (0..count).map(|sector| image.read(sector * SECTOR as u64, 1)[0]).collect()
    }

    fn sample() -> Trace {
        let events = vec![
            write(0, 1, 1),
            Event::Flush,
            Event::Acknowledged(1),
            write(1, 2, 4),
            write(0, 3, 1),
            Event::Acknowledged(2),
            Event::Flush,
            Event::Acknowledged(3),
        ];
        Trace { base: Image::zeros(8192), events }
    }

    fn left(trace: &Trace, at: usize, survivors: Survivors) -> Vec<u8> {
        sectors(&trace.images().image(Cut { at, survivors }), 5)
    }

    #[test]
    fn what_was_flushed_survives_every_cut() {
        let trace = sample();
        assert_eq!(left(&trace, 5, Survivors::Nothing), [1, 0, 0, 0, 0]);
        assert_eq!(left(&trace, 4, Survivors::Everything), [1, 2, 2, 2, 2]);
        assert_eq!(left(&trace, 7, Survivors::Nothing), [3, 2, 2, 2, 2]);
        for seed in 0..100 {
            let found = left(&trace, 4, Survivors::Random(seed));
            assert_eq!(found[0], 1, "seed {seed}");
            assert_eq!(left(&trace, 8, Survivors::Random(seed)), [3, 2, 2, 2, 2], "seed {seed}");
        }
    }

    #[test]
    fn random_sectors_come_in_every_combination() {
        let trace = sample();
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..2000 {
            seen.insert(left(&trace, 5, Survivors::Random(seed)));
        }
        assert_eq!(
            seen.len(),
            32,
            "the first sector is old or new, each of the next four there or not"
        );
    }

    #[test]
    fn the_plan_leaves_out_equal_images_and_takes_the_latest_time() {
        let trace = sample();
        let cuts = trace.plan(0, 1000, &mut Chance::new(1));
        let nothing = |at| Cut { at, survivors: Survivors::Nothing };
        assert_eq!(cuts[0], nothing(1), "before the first flush");
        assert!(cuts.contains(&nothing(6)), "the acknowledgement in the window is heard");
        assert!(cuts.contains(&nothing(8)));
        let mut images = trace.images();
        let left: Vec<_> = cuts.iter().map(|cut| (images.image(*cut), cut)).collect();
        for (n, (image, cut)) in left.iter().enumerate() {
            let earlier = left[..n].iter().filter(|(other, _)| other == image);
            let same: Vec<_> = earlier.map(|(_, cut)| cut).collect();
            // Two windows may leave the same image: what was not flushed was dropped, or was kept.
            assert!(same.iter().all(|other| trace.flushed(other.at) != trace.flushed(cut.at)));
        }
    }

    #[test]
    fn only_what_was_heard_before_the_cut_counts() {
        let trace = sample();
        let heard: Vec<_> = (0..=8).map(|at| trace.acknowledged(at)).collect();
        let expected = [None, None, None, Some(1), Some(1), Some(1), Some(2), Some(2), Some(3)];
        assert_eq!(heard, expected);
    }

    #[test]
    fn a_discard_is_a_write_like_any_other() {
        let events = vec![write(0, 9, 4), Event::Flush, Event::Clear { offset: 0, len: 2048 }];
        let trace = Trace { base: Image::zeros(4096), events };
        assert_eq!(left(&trace, 3, Survivors::Nothing)[..4], [9; 4]);
        assert_eq!(left(&trace, 3, Survivors::Everything)[..4], [0; 4]);
        let torn = (0..100).map(|seed| left(&trace, 3, Survivors::Random(seed)));
        assert!(torn.into_iter().any(|found| found[..4] == [0, 9, 9, 9]));
    }
}
