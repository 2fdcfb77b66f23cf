//! A law about what is acknowledged and the names of the files.

use super::story::Story;
use super::{LogCase, Outcome};
use crate::law::Saw;

/// Records of a life. They go through several of the smallest segments, whose ends come anywhere in
/// them.
const ROUNDS: usize = 40;

/// Looks at the files after each acknowledgement: what is in a file that lost its name, or never got
/// one, is lost with the handle, and neither a reader nor a crash of the same life tells.
///
/// A log that keeps its records in another form than they came in is not held to it; the first record
/// tells.
pub(super) fn what_is_acknowledged_is_in_a_file_with_a_name(case: &mut LogCase<'_>) -> Outcome {
    case.renew();
    let mut story = Story::new();
    for life in 0..2 {
        let log = case.open()?;
        for round in 0..ROUNDS {
            // Long enough not to be found by chance.
            let length = 30 + round * round * 37 % 6000;
            let lsn = match round % 3 {
                0 => story.append_batch(&log, 2, length)?,
                _ => story.append(&log, length)?,
            };
            story.wait(&log, lsn)?;
            let payload = story.newest();
            let held = case.files()?.values().any(|bytes| holds(bytes, payload));
            if !held && (life, round) == (0, 0) {
                return Ok(());
            }
            if !held {
                let what =
                    format!("record {lsn} was acknowledged, and no file with a name holds it");
                return Err(Saw::new(what));
            }
        }
        log.close()?;
    }
    Ok(())
}

fn holds(bytes: &[u8], wanted: &[u8]) -> bool {
    let begins = wanted.first();
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| Some(byte) == begins) {
        if rest[at..].starts_with(wanted) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}
