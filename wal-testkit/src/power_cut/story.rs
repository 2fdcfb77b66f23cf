//! [`Story`]: what was appended, so that what is found can be told from what was never there.

use crate::chance::Chance;

/// The records that the sessions of one log append, one session after the other.
///
/// A record's bytes follow from the seed, its LSN and its session. So a record that was lost and
/// whose LSN was used again by a later session is told from the later one.
#[derive(Clone, Debug)]
pub struct Story {
    seed: u64,
    /// The last LSN before each session.
    starts: Vec<u64>,
}

impl Story {
    /// A log with no sessions yet.
    pub fn new(seed: u64) -> Self {
        Self { seed, starts: Vec::new() }
    }

    /// A session begins, on a log that ends with this LSN; 0 is a log with no records.
    pub fn begin(&mut self, last: u64) {
        self.starts.push(last);
    }

    /// The record that has this LSN, by the last session that began before it.
    pub fn record(&self, lsn: u64) -> Vec<u8> {
        let session = self.starts.iter().rposition(|start| *start < lsn).unwrap_or(0);
        record(self.seed, session as u64, lsn)
    }

    /// Whether these are the first records of the log. The error says which is not, and how.
    pub fn compare(&self, found: &[Vec<u8>]) -> Result<(), String> {
        for (lsn, record) in (1..).zip(found) {
            if *record != self.record(lsn) {
                return Err(format!("the record with LSN {lsn} is {}", self.name(record)));
            }
        }
        Ok(())
    }

    /// What these bytes are, if they are not what they should be.
    fn name(&self, bytes: &[u8]) -> String {
        let lsns = 1..=self.starts.last().map_or(0, |last| last + 10_000);
        for lsn in lsns {
            for session in 0..self.starts.len() {
                if bytes == record(self.seed, session as u64, lsn) {
                    return format!("the one that session {session} gave LSN {lsn}");
                }
            }
        }
        let start = bytes[..bytes.len().min(24)].escape_ascii();
        format!("{} bytes that nobody appended: {start}", bytes.len())
    }
}

/// Mostly a line of text, at times several blocks of the file system; no newlines.
fn record(seed: u64, session: u64, lsn: u64) -> Vec<u8> {
    let mut chance = Chance::new(seed ^ lsn.rotate_left(32) ^ session.rotate_left(56));
    let longest = if chance.below(40) == 0 { 7000 } else { 300 };
    let mut bytes = vec![0; chance.below(longest) as usize];
    chance.fill(&mut bytes);
    for byte in bytes.iter_mut().filter(|byte| **byte == b'\n') {
        *byte = b' ';
    }
    [format!("{lsn}/{session} ").as_bytes(), &bytes].concat()
}

#[cfg(test)]
mod tests {
    use super::Story;

    fn found(story: &Story, count: u64) -> Vec<Vec<u8>> {
        (1..=count).map(|lsn| story.record(lsn)).collect()
    }

    #[test]
    fn a_log_equals_its_own_story_and_no_other() {
        let mut story = Story::new(5);
        story.begin(0);
        let mut records = found(&story, 40);
        story.compare(&records).unwrap();
        records.remove(20);
        let said = story.compare(&records).unwrap_err();
        assert_eq!(said, "the record with LSN 21 is the one that session 0 gave LSN 22");
        records[20] = b"alien".to_vec();
        assert!(story.compare(&records).unwrap_err().contains("nobody appended: alien"));
    }

    /// A lost tail that comes back after its LSNs were used again is the worst kind of record.
    #[test]
    fn a_record_that_comes_back_is_told_from_the_one_that_took_its_place() {
        let mut story = Story::new(5);
        story.begin(0);
        let before = found(&story, 12);
        story.begin(10);
        story.compare(&before[..10]).unwrap();
        let said = story.compare(&before).unwrap_err();
        assert_eq!(said, "the record with LSN 11 is the one that session 0 gave LSN 11");
    }

    #[test]
    fn no_record_has_a_newline() {
        let mut story = Story::new(1);
        story.begin(0);
        assert!(found(&story, 2000).iter().all(|record| !record.contains(&b'\n')));
    }
}
