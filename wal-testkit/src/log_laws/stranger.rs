//! Laws about files that somebody else has changed, between two lives of the log.

use std::collections::BTreeSet;

use wal_core::{Lsn, Result};

use super::story::Story;
use super::{LogCase, Outcome};
use crate::law::{Files, Saw, saw};
use crate::log_under_test::TracedLog;
use crate::{Harm, Stranger};

const TEXT: &[u8] = b"notes of a person, that no log has any business with\n";

/// Records in several segments.
fn fill(log: &TracedLog, story: &mut Story) -> Result<()> {
    for round in 0..6 {
        story.append(log, 900 * round)?;
        story.append_batch(log, 3, 1500)?;
        story.sync(log)?;
    }
    Ok(())
}

/// How the life before the stranger came ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Closed,
    Killed,
}

fn filled(case: &mut LogCase<'_>, ended: Ended) -> Result<Story, Saw> {
    case.renew();
    let (log, mut story) = (case.open()?, Story::new());
    fill(&log, &mut story)?;
    match ended {
        Ended::Closed => log.close()?,
        Ended::Killed => case.inflict(Harm::Kill)?,
    }
    Ok(story)
}

/// What a person, a script or a restore does to this file.
fn deeds(name: &str, ended: Ended, files: &Files, of_another: &Files) -> Vec<Stranger> {
    let bytes = &files[name];
    let put = |bytes: &[u8]| Stranger::Puts(name.to_owned(), bytes.to_vec());
    let mut deeds = vec![put(&[]), put(TEXT), put(&vec![0; bytes.len()])];
    if ended == Ended::Closed {
        // What is cut elsewhere may look like what was never written: only a store that promises its
        // space can tell.
        deeds.push(put(&bytes[..bytes.len().min(100)]));
    }
    deeds.extend(of_another.get(name).map(|bytes| put(bytes)));
    let next = files.keys().find(|other| other.as_str() > name && files[*other] != *bytes);
    deeds.extend(next.map(|next| Stranger::Swaps(name.to_owned(), next.clone())));
    let stem = name.split('.').next().unwrap_or(name);
    for ending in ["old", "new", "bak"] {
        deeds.push(Stranger::Puts(format!("{stem}.{ending}"), TEXT.to_vec()));
        deeds.push(Stranger::Links(name.to_owned(), format!("{stem}.{ending}")));
    }
    deeds
}

pub(super) fn strangers_are_named_or_left_alone(case: &mut LogCase<'_>) -> Outcome {
    filled(case, Ended::Closed)?;
    let of_another = case.files()?;
    for ended in [Ended::Closed, Ended::Killed] {
        filled(case, ended)?;
        let ours = case.files()?;
        let alike = ours.iter().filter(|(name, _)| is_a_segment(name)).any(|(name, bytes)| {
            bytes.iter().any(|byte| *byte != 0) && of_another.get(name) == Some(bytes)
        });
        if ended == Ended::Closed && alike {
            let what =
                "two logs, made at two places, have the same files: give each its own chance";
            return Err(Saw::new(what));
        }
        let mut names: Vec<_> = case.files()?.into_keys().collect();
        // The first, the last and one between: a log of many segments has more of the same.
        let middle = names.get(names.len() / 2).cloned();
        let ends = [names.first().cloned(), middle, names.pop()];
        let names: BTreeSet<_> = ends.into_iter().flatten().collect();
        for name in names {
            let (mut at, mut more) = (0, true);
            while more {
                let story = filled(case, ended)?;
                let own = case.files()?;
                let Some(deed) = own
                    .get(&name)
                    .and_then(|_| deeds(&name, ended, &own, &of_another).into_iter().nth(at))
                else {
                    more = false;
                    continue;
                };
                at += 1;
                case.stranger(deed)?;
                judged(case, &story, &of_another)?;
            }
        }
        beside(case, ended)?;
    }
    Ok(())
}

/// Other logs' files under numbers that this one does not have.
fn beside(case: &mut LogCase<'_>, ended: Ended) -> Outcome {
    case.renew();
    let (log, mut story) = (case.open()?, Story::new());
    fill(&log, &mut story)?;
    fill(&log, &mut story)?;
    log.close()?;
    let of_another = case.files()?;
    filled(case, ended)?;
    let taken = case.files()?;
    let free = of_another.iter().filter(|(name, _)| !taken.contains_key(*name));
    for (name, bytes) in free.take(3) {
        let story = filled(case, ended)?;
        case.stranger(Stranger::Puts(name.clone(), bytes.clone()))?;
        judged(case, &story, &of_another)?;
    }
    Ok(())
}

/// An error, or every record; and what the stranger left is there either way.
fn judged(case: &LogCase<'_>, story: &Story, of_another: &Files) -> Outcome {
    let left = case.files()?;
    for _ in 0..2 {
        let (opened, lost) = match case.open() {
            Ok(log) => {
                let lost = match log.entries(Lsn::FIRST) {
                    Ok(entries) => story.check_entries(&entries).err(),
                    Err(_) => None,
                };
                // What an open may put off, a rotation does.
                drop(log.close());
                (true, lost)
            }
            Err(_) => (false, None),
        };
        if let Some(lost) = lost {
            return Err(Saw::new(format!("opened without a word, and {lost}")));
        }
        case.inflict(Harm::Kill)?;
        let after = case.files()?;
        for (name, bytes) in &left {
            let theirs = bytes == TEXT
                || (!bytes.is_empty() && of_another.values().any(|other| other == bytes));
            if theirs {
                let same = after.get(name) == Some(bytes);
                saw(&format!("{name} is as the stranger left it"), same, true)?;
            } else if !opened {
                saw(
                    &format!("{name} is there after a failed open"),
                    after.contains_key(name),
                    true,
                )?;
            }
        }
    }
    Ok(())
}

/// `rm *.wal`, and the log was clean and empty; the next record had the first one's LSN.
pub(super) fn a_log_that_vanished_is_no_new_one(case: &mut LogCase<'_>) -> Outcome {
    let ways = [Ended::Closed, Ended::Killed].map(|ended| [(ended, 1), (ended, usize::MAX)]);
    for (ended, most) in ways.concat() {
        let story = filled(case, ended)?;
        let segments = case.files()?.into_keys().filter(|name| is_a_segment(name));
        let gone: Vec<_> = segments.rev().take(most).collect();
        for name in &gone {
            case.stranger(Stranger::Removes(name.clone()))?;
        }
        for _ in 0..2 {
            match case.open() {
                Ok(log) => {
                    let entries = log.entries(Lsn::FIRST)?;
                    story
                        .check_entries(&entries)
                        .map_err(|saw| Saw::new(format!("opened without {gone:?}, and {saw}")))?;
                }
                Err(error) => drop(error),
            }
            case.inflict(Harm::Kill)?;
        }
    }
    Ok(())
}

/// What is called by a number, and not by chance or by a word.
fn is_a_segment(name: &str) -> bool {
    let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    name.split('.').any(number)
}
