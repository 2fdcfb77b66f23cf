//! [`markdown`]: the findings as a table, and what the logs said.

use std::fmt::Write;

use super::experiment::{Damaged, Faulted, Findings, Regrown, Syncs};
use super::told::{Answer, Ended, Told};
use super::{RECORDS, TARGET};

const HEADINGS: [&str; 9] = [
    "log",
    "killed, nothing else",
    "one sync fails (EIO)",
    "one write fails (ENOSPC)",
    "one write is short",
    "one bit flipped, record 6 of 12",
    "file cut in record 12, then 2 more",
    "second process opens",
    "syncs per durable append",
];

/// A table of all logs, and below it their own words.
pub fn markdown(findings: &[Findings]) -> String {
    let lines: Vec<_> = findings.iter().map(cells).collect();
    let mut text = String::new();
    let mut line = |cells: &[String; 9]| {
        // Nothing to fail: a `String` takes all there is.
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    };
    line(&HEADINGS.map(String::from));
    line(&HEADINGS.map(|_| "---".into()));
    lines.iter().for_each(line);
    text.push_str("\nWhat they said:\n\n");
    for found in findings {
        let words = words(found);
        if !words.is_empty() {
            let _ = writeln!(text, "- {}: {}", found.entrant.name, words.join("; "));
        }
    }
    text
}

fn cells(found: &Findings) -> [String; 9] {
    fn cell<T>(result: &Result<T, String>, of: impl Fn(&T) -> String) -> String {
        result.as_ref().map_or_else(|why| format!("not run: {why}"), of)
    }
    [
        if found.entrant.durable() {
            found.entrant.name.into()
        } else {
            format!("{} (not durable)", found.entrant.name)
        },
        cell(&found.kill, killed),
        cell(&found.sync_error, sync_error),
        cell(&found.no_space, faulted),
        cell(&found.short_write, faulted),
        cell(&found.flip, flip),
        cell(&found.cut, cut),
        cell(&found.second_opener, |told| match (&told.refused, &told.ended) {
            (Some(_), _) => "refused".into(),
            (None, Ended::Done) => "**allowed**".into(),
            (None, _) => "does not get in, and does not end well".into(),
        }),
        cell(&found.syncs, syncs),
    ]
}

/// What came back from the append that was hit, and from those behind it.
fn answers(told: &Told) -> String {
    let hit = match (told.answer_to(TARGET), &told.ended) {
        (Answer::Ok, _) => "Ok",
        (Answer::Err(_), _) => "Err",
        (Answer::Nothing, Ended::Hung) => return "**hangs**".into(),
        (Answer::Nothing, _) => return "the process panics".into(),
    };
    let behind: Vec<_> = told.appends.iter().filter(|(number, _)| *number > TARGET).collect();
    let ok = behind.iter().filter(|(_, answer)| *answer == Answer::Ok).count();
    let err = behind.iter().filter(|(_, answer)| matches!(answer, Answer::Err(_))).count();
    let rest = match (ok, err) {
        (0, 0) => String::new(),
        (_, 0) => "then Ok".into(),
        (0, _) => "then Err".into(),
        (ok, err) => format!("then {ok} Ok, {err} Err"),
    };
    let end = match told.ended {
        Ended::Done => "",
        Ended::Hung => "then **hangs**",
        Ended::Died(_) => "then the process panics",
    };
    [hit, &rest, end].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

fn killed(told: &Told) -> String {
    match (&told.refused, told.read.len()) {
        (Some(_), _) => "**does not open again**".into(),
        (None, read) if read == RECORDS as usize => format!("{RECORDS} readable"),
        (None, read) => format!("**{read} of {RECORDS} readable**"),
    }
}

fn sync_error(faulted: &Faulted) -> String {
    let behind = faulted.run.acknowledged().into_iter().filter(|&number| number >= TARGET).count();
    let kept = faulted.later.read.contains(&Some(TARGET));
    let verdict = match behind {
        0 => "nothing acknowledged behind it".into(),
        behind if kept => format!("**{behind} acknowledged behind it, and record 6 kept**"),
        behind => format!("{behind} acknowledged behind it, record 6 taken back"),
    };
    format!("{}; {verdict}{}", answers(&faulted.run), lost(faulted))
}

fn faulted(faulted: &Faulted) -> String {
    let acknowledged = faulted.run.acknowledged().len();
    let read = match &faulted.later.refused {
        Some(_) => "does not open again".into(),
        None => format!("{} readable", faulted.later.read.len()),
    };
    let answers = answers(&faulted.run);
    format!("{answers}; {acknowledged} acknowledged, {read}{}", lost(faulted))
}

/// What was acknowledged and is not there.
fn lost(faulted: &Faulted) -> String {
    if faulted.later.refused.is_some() {
        // Nobody can tell yet.
        return String::new();
    }
    let read = &faulted.later.read;
    let acknowledged = faulted.run.acknowledged();
    let lost = acknowledged.iter().filter(|number| !read.contains(&Some(**number))).count();
    let strangers = read.iter().filter(|record| record.is_none()).count();
    let mut text = String::new();
    if lost > 0 {
        let _ = write!(text, ", **{lost} acknowledged lost**");
    }
    if strangers > 0 {
        let _ = write!(text, ", **{strangers} that nobody wrote**");
    }
    text
}

fn flip(damaged: &Damaged) -> String {
    let told = &damaged.later;
    let len = match damaged.len {
        (before, after) if before == after => "file as it was".into(),
        (Some(before), Some(after)) => format!("file {before} → {after} bytes"),
        _ => "file gone".into(),
    };
    let strangers = told.read.iter().filter(|record| record.is_none()).count();
    let read = told.read.len() - strangers;
    let what = match (&told.refused, &told.unreadable, &told.ended) {
        (_, _, Ended::Died(_)) => "the process panics".into(),
        (_, _, Ended::Hung) => "**hangs**".into(),
        (Some(_), ..) => "refuses to open".into(),
        (None, Some(_), _) => format!("opens, {read} readable, then an error"),
        (None, None, _) if strangers > 0 => {
            format!("**opens, gives {strangers} record with the damage in it, no error**")
        }
        (None, None, _) if read < RECORDS as usize => {
            format!("**opens with {read} of {RECORDS}, no error**")
        }
        (None, None, _) => format!("opens, all {RECORDS} readable"),
    };
    format!("{what}; {len}")
}

fn cut(regrown: &Regrown) -> String {
    let Regrown { append, later } = regrown;
    if append.refused.is_some() {
        return "refuses to open".into();
    }
    let begins = append.read.len();
    let expected: Vec<_> =
        append.read.iter().copied().chain(append.acknowledged().into_iter().map(Some)).collect();
    let ends = match (&later.refused, &later.unreadable) {
        (Some(_), _) => "**then does not open**".into(),
        (None, Some(_)) => format!("**then {} readable and an error**", later.read.len()),
        (None, None) if later.read == expected && later.read.len() == begins + 2 => {
            format!("then {}", later.read.len())
        }
        (None, None) => format!("**then {} of {}**", later.read.len(), expected.len()),
    };
    format!("opens with {begins}, {ends}")
}

fn syncs(syncs: &Syncs) -> String {
    let share = |count: usize| {
        let tenths = count * 10 / syncs.records as usize;
        format!("{}.{}", tenths / 10, tenths % 10)
    };
    let mut parts: Vec<_> =
        syncs.calls.iter().map(|(name, count)| format!("{} {name}", share(*count))).collect();
    if parts.is_empty() {
        parts.push("none".into());
    }
    if syncs.by_writing {
        parts.push("every write O_SYNC or O_DSYNC".into());
    }
    parts.join(", ")
}

/// The words of a log about each fault, each only once.
fn words(found: &Findings) -> Vec<String> {
    let mut said: Vec<(&str, Vec<String>)> = Vec::new();
    let mut hear = |about, told: Option<Vec<String>>| said.extend(told.map(|told| (about, told)));
    let faulted = |result: &Result<Faulted, String>| {
        let faulted = result.as_ref().ok()?;
        Some([faulted.run.complaints(), faulted.later.complaints()].concat())
    };
    hear("sync", faulted(&found.sync_error));
    hear("ENOSPC", faulted(&found.no_space));
    hear("short write", faulted(&found.short_write));
    hear("flip", found.flip.as_ref().ok().map(|damaged| damaged.later.complaints()));
    hear(
        "cut",
        found
            .cut
            .as_ref()
            .ok()
            .map(|regrown| [regrown.append.complaints(), regrown.later.complaints()].concat()),
    );
    hear("second process", found.second_opener.as_ref().ok().map(Told::complaints));
    let mut lines = Vec::new();
    for (about, mut told) in said {
        told.dedup();
        let told: Vec<_> = told.iter().map(|words| format!("`{}`", shortened(words))).collect();
        if !told.is_empty() {
            lines.push(format!("{about} {}", told.join(" ")));
        }
    }
    lines
}

fn shortened(words: &str) -> String {
    const MOST: usize = 100;
    // Where a file lies is of no interest, its name is.
    let name = |word: &str| match word.rsplit_once('/') {
        Some((before, name)) if before.contains('/') => name.to_owned(),
        _ => word.to_owned(),
    };
    let words: Vec<_> = words.split(' ').map(name).collect();
    let words = words.join(" ").replace('`', "'");
    let mut short: String = words.chars().take(MOST).collect();
    if short.len() < words.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(lines: &str, ended: Ended) -> Told {
        let before: Vec<_> = (1..TARGET).map(|n| format!("begin {n}\nok {n}\n")).collect();
        Told::parse(&(before.concat() + lines), ended)
    }

    fn readable(records: u32) -> Told {
        Told::parse(&lines(1..=records), Ended::Done)
    }

    fn lines(records: impl Iterator<Item = u32>) -> String {
        records.map(|n| format!("record {n}\n")).collect::<Vec<_>>().concat()
    }

    #[test]
    fn an_acknowledgement_behind_a_failed_sync_stands_out() {
        let lines = "begin 6\nerr 6 EIO\nbegin 7\nok 7\n";
        let bad = Faulted { run: run(lines, Ended::Done), later: readable(7) };
        assert_eq!(
            sync_error(&bad),
            "Err, then Ok; **1 acknowledged behind it, and record 6 kept**"
        );
        let later = Told::parse("record 5\nrecord 7\n", Ended::Done);
        let undone = Faulted { run: run(lines, Ended::Done), later };
        assert!(!sync_error(&undone).contains("**1 acknowledged behind"));
        let lines = "begin 6\nerr 6 EIO\nbegin 7\nerr 7 poisoned\n";
        let good = Faulted { run: run(lines, Ended::Done), later: readable(6) };
        assert_eq!(sync_error(&good), "Err, then Err; nothing acknowledged behind it");
        let lines = "begin 6\nerr 6 EIO\nbegin 7\n";
        let hangs = Faulted { run: run(lines, Ended::Hung), later: readable(6) };
        assert_eq!(sync_error(&hangs), "Err, then **hangs**; nothing acknowledged behind it");
    }

    #[test]
    fn what_was_acknowledged_and_is_gone_is_counted() {
        let lines = "begin 6\nok 6\nbegin 7\nok 7\n";
        let lost = Faulted { run: run(lines, Ended::Done), later: readable(4) };
        let wanted = "Ok, then Ok; 7 acknowledged, 4 readable, **3 acknowledged lost**";
        assert_eq!(faulted(&lost), wanted);
    }

    #[test]
    fn a_silent_cut_is_told_from_a_refusal() {
        let refused = Told::parse("refused damaged\n", Ended::Done);
        let damaged = Damaged { later: refused, len: (Some(9), Some(9)) };
        assert_eq!(flip(&damaged), "refuses to open; file as it was");
        let damaged = Damaged { later: readable(5), len: (Some(9), Some(4)) };
        assert_eq!(flip(&damaged), "**opens with 5 of 12, no error**; file 9 → 4 bytes");
    }

    #[test]
    fn a_log_that_grows_again_must_keep_what_it_opened_with() {
        let told = lines(1..=11) + "begin 13\nok 13\nbegin 14\nok 14\n";
        let append = Told::parse(&told, Ended::Done);
        let later = Told::parse(&lines((1..=11).chain(13..=14)), Ended::Done);
        let regrown = Regrown { append: append.clone(), later };
        assert_eq!(cut(&regrown), "opens with 11, then 13");
        let regrown = Regrown { append, later: readable(11) };
        assert_eq!(cut(&regrown), "opens with 11, **then 11 of 13**");
    }
}
