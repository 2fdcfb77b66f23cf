//! [`Step`]: one thing done to a log, or to the disk under it.

use std::fmt;
use std::str::FromStr;

use super::{Cut, ParseCaseError};
use crate::{Call, CutChoice, Fault, FaultRule, Room};

/// One thing done to a log, or to the disk under it. Where the log is down, whatever needs it
/// opens it first; that is a recovery, and its operations count as any others.
///
/// Prints and parses as the words of a case, `append 100`, `power 3 nothing`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Appends a record of so many bytes.
    Append(u32),
    /// Appends so many records of so many bytes as one batch.
    Batch(u32, u32),
    /// Waits for the record so many before the last.
    Wait(u32),
    /// Makes everything durable.
    Sync,
    /// Reads the whole log and checks it.
    Read,
    /// Prunes everything before the record so many before the next.
    Prune(u32),
    /// Truncates after the record so many before the last.
    Truncate(u32),
    /// Closes the log.
    Close,
    /// Kills the process.
    Kill,
    /// The power fails, now.
    Cut(Cut),
    /// The power fails after so many operations of the disk.
    Power(u32, Cut),
    /// Calls of the disk fail by this rule from now on, until the next crash.
    Fault(FaultRule),
    /// The disk has so much room.
    Room(Room),
    /// Kills the process and damages the file of this number, at this byte, by these bits; numbers
    /// beyond the last start over. The case ends with the next opening.
    Rot(u32, u32, u8),
    /// Commits a record, closes the log and removes the file of this number, but never the last.
    /// The case ends with the next opening.
    Lose(u32),
    /// Closes the log, and makes zeros of this block of the file of this number; numbers beyond the last
    /// start over. The case ends with the next opening.
    Blank(u32, u32, Block),
    /// As [`Blank`](Self::Blank), but the file ends before the block.
    Short(u32, u32, Block),
    /// A child of the process was forked off, and calls everything there is; then the parent goes on.
    Fork,
    /// A child was forked off, and the parent dies: the child closes the log and lets go of it.
    Orphan,
    /// Another process wants to open the log for writing, beside this one.
    Contend,
    /// Another process reads the log, open or not, without recovering it.
    Look,
}

/// What a disk loses at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// 512 bytes.
    Sector,
    /// 4096 bytes.
    Page,
}

impl Block {
    /// Its size.
    pub(super) fn bytes(self) -> u64 {
        match self {
            Self::Sector => 512,
            Self::Page => 4096,
        }
    }
}

impl Step {
    /// Simpler steps, the simplest first.
    pub(super) fn simpler(&self) -> Vec<Self> {
        match self {
            Self::Append(length) => lower(*length).map(Self::Append).collect(),
            Self::Batch(count, length) => {
                let fewer = lower(*count).filter(|count| *count > 0);
                let fewer = fewer.map(|count| Self::Batch(count, *length));
                let shorter = lower(*length).map(|length| Self::Batch(*count, length));
                [Self::Append(*length)].into_iter().chain(fewer).chain(shorter).collect()
            }
            Self::Wait(back) => lower(*back).map(Self::Wait).collect(),
            Self::Prune(back) => lower(*back).map(Self::Prune).collect(),
            Self::Truncate(back) => lower(*back).map(Self::Truncate).collect(),
            Self::Cut(cut) => cut.simpler().into_iter().map(Self::Cut).collect(),
            Self::Power(after, cut) => {
                let now = Self::Cut(cut.clone());
                let sooner = lower(*after).map(|after| Self::Power(after, cut.clone()));
                let cuts = cut.simpler().into_iter().map(|cut| Self::Power(*after, cut));
                [now].into_iter().chain(sooner).chain(cuts).collect()
            }
            Self::Rot(file, at, bits) => {
                let files = lower(*file).map(|file| Self::Rot(file, *at, *bits));
                files.chain(lower(*at).map(|at| Self::Rot(*file, at, *bits))).collect()
            }
            Self::Lose(file) => lower(*file).map(Self::Lose).collect(),
            Self::Blank(file, at, block) => {
                let files = lower(*file).map(|file| Self::Blank(file, *at, *block));
                files.chain(lower(*at).map(|at| Self::Blank(*file, at, *block))).collect()
            }
            Self::Short(file, at, block) => {
                let files = lower(*file).map(|file| Self::Short(file, *at, *block));
                files.chain(lower(*at).map(|at| Self::Short(*file, at, *block))).collect()
            }
            Self::Sync
            | Self::Read
            | Self::Close
            | Self::Kill
            | Self::Fault(_)
            | Self::Room(_)
            | Self::Fork
            | Self::Orphan
            | Self::Contend
            | Self::Look => Vec::new(),
        }
    }
}

/// 0, the half, and one less.
fn lower(number: u32) -> impl Iterator<Item = u32> {
    let mut lower = vec![0, number / 2, number.saturating_sub(1)];
    lower.dedup();
    lower.into_iter().filter(move |lower| *lower < number)
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Append(length) => write!(f, "append {length}"),
            Self::Batch(count, length) => write!(f, "batch {count} {length}"),
            Self::Wait(back) => write!(f, "wait {back}"),
            Self::Sync => f.write_str("sync"),
            Self::Read => f.write_str("read"),
            Self::Prune(back) => write!(f, "prune {back}"),
            Self::Truncate(back) => write!(f, "truncate {back}"),
            Self::Close => f.write_str("close"),
            Self::Kill => f.write_str("kill"),
            Self::Cut(cut) => write!(f, "cut {cut}"),
            Self::Power(after, cut) => write!(f, "power {after} {cut}"),
            Self::Fault(rule) => {
                let (call, fault) = (CALLS.name_of(rule.call()), fault_name(rule.fault()));
                write!(f, "fault {call} {fault} {} {}", rule.passing(), rule.failing())
            }
            Self::Room(Room::Plenty) => f.write_str("room plenty"),
            Self::Room(Room::Bytes(bytes)) => write!(f, "room {bytes}"),
            Self::Rot(file, at, bits) => write!(f, "rot {file} {at} {bits}"),
            Self::Lose(file) => write!(f, "lose {file}"),
            Self::Blank(file, at, block) => write!(f, "blank {file} {at} {}", block.bytes()),
            Self::Short(file, at, block) => write!(f, "short {file} {at} {}", block.bytes()),
            Self::Fork => f.write_str("fork"),
            Self::Orphan => f.write_str("orphan"),
            Self::Contend => f.write_str("contend"),
            Self::Look => f.write_str("look"),
        }
    }
}

impl FromStr for Step {
    type Err = ParseCaseError;

    fn from_str(text: &str) -> Result<Self, ParseCaseError> {
        let wrong = || ParseCaseError::new("no step", text);
        let words: Vec<_> = text.split_whitespace().collect();
        let number = |word: &str| word.parse::<u32>().map_err(|_| wrong());
        Ok(match words[..] {
            ["append", length] => Self::Append(number(length)?),
            ["batch", count, length] => Self::Batch(number(count)?.max(1), number(length)?),
            ["wait", back] => Self::Wait(number(back)?),
            ["sync"] => Self::Sync,
            ["read"] => Self::Read,
            ["prune", back] => Self::Prune(number(back)?),
            ["truncate", back] => Self::Truncate(number(back)?),
            ["close"] => Self::Close,
            ["kill"] => Self::Kill,
            ["cut", cut] => Self::Cut(cut.parse()?),
            ["power", after, cut] => Self::Power(number(after)?, cut.parse()?),
            ["fault", call, fault, passing, failing] => {
                let (call, fault) = CALLS
                    .named(call)
                    .zip(fault_named(fault))
                    .filter(|(call, fault)| fault.fits(*call))
                    .ok_or_else(wrong)?;
                let passing = passing.parse().map_err(|_| wrong())?;
                let failing = failing.parse().map_err(|_| wrong())?;
                Self::Fault(FaultRule::next(call, fault).after(passing).times(failing))
            }
            ["room", "plenty"] => Self::Room(Room::Plenty),
            ["room", bytes] => Self::Room(Room::Bytes(number(bytes)?.into())),
            ["rot", file, at, bits] => {
                let bits = bits.parse::<u8>().map_err(|_| wrong())?.max(1);
                Self::Rot(number(file)?, number(at)?, bits)
            }
            ["lose", file] => Self::Lose(number(file)?),
            [what @ ("blank" | "short"), file, at, block] => {
                let block = match block {
                    "512" => Block::Sector,
                    "4096" => Block::Page,
                    _ => return Err(wrong()),
                };
                let step = if what == "blank" { Self::Blank } else { Self::Short };
                step(number(file)?, number(at)?, block)
            }
            ["fork"] => Self::Fork,
            ["orphan"] => Self::Orphan,
            ["contend"] => Self::Contend,
            ["look"] => Self::Look,
            _ => return Err(wrong()),
        })
    }
}

struct Calls([(Call, &'static str); 9]);

/// One word each.
const CALLS: Calls = Calls([
    (Call::Create, "create"),
    (Call::Write, "write"),
    (Call::SetLen, "set-length"),
    (Call::Allocate, "allocate"),
    (Call::Sync, "sync"),
    (Call::SyncDir, "sync-directory"),
    (Call::Remove, "remove"),
    (Call::Rename, "rename"),
    (Call::Read, "read"),
]);

impl Calls {
    fn named(&self, name: &str) -> Option<Call> {
        self.0.iter().find(|(_, other)| *other == name).map(|(call, _)| *call)
    }

    fn name_of(&self, call: Call) -> &'static str {
        self.0.iter().find(|(other, _)| *other == call).map_or("other", |(_, name)| name)
    }
}

fn fault_name(fault: Fault) -> String {
    match fault {
        Fault::Io => "io".into(),
        Fault::StorageFull => "full".into(),
        Fault::Interrupted => "interrupted".into(),
        Fault::AfterEffect => "after-effect".into(),
        Fault::Short(bytes) => format!("short:{bytes}"),
        Fault::Partial(bytes) => format!("partial:{bytes}"),
        Fault::Dropped => "dropped".into(),
        Fault::Ignored => "ignored".into(),
        Fault::Misdirected(bytes) => format!("misdirected:{bytes}"),
        Fault::WrongBit(bit) => format!("wrong-bit:{bit}"),
    }
}

fn fault_named(name: &str) -> Option<Fault> {
    let (word, bytes) = name.split_once(':').unwrap_or((name, ""));
    match (word, bytes.parse::<u32>()) {
        ("io", _) => Some(Fault::Io),
        ("full", _) => Some(Fault::StorageFull),
        ("interrupted", _) => Some(Fault::Interrupted),
        ("after-effect", _) => Some(Fault::AfterEffect),
        ("dropped", _) => Some(Fault::Dropped),
        ("ignored", _) => Some(Fault::Ignored),
        ("short", Ok(bytes)) => Some(Fault::Short(bytes as usize)),
        ("partial", Ok(bytes)) => Some(Fault::Partial(bytes as usize)),
        ("misdirected", Ok(bytes)) => Some(Fault::Misdirected(bytes.into())),
        ("wrong-bit", Ok(bit)) => Some(Fault::WrongBit(bit.into())),
        _ => None,
    }
}

impl From<CutChoice> for Cut {
    fn from(choice: CutChoice) -> Self {
        Self::Choice(choice)
    }
}
