//! [`Told`]: what a child said, and how it ended.

/// What a child said, and how it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// Why the log did not open.
    pub(super) refused: Option<String>,
    /// Records that were read back; `None` for bytes that are no record.
    pub(super) read: Vec<Option<u32>>,
    /// What ended the reading before the end.
    pub(super) unreadable: Option<String>,
    /// Appends, in order.
    pub(super) appends: Vec<(u32, Answer)>,
    /// How the process ended.
    pub(super) ended: Ended,
}

/// What an append returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The record is acknowledged.
    Ok,
    /// It is not.
    Err(String),
    /// It returned nothing: the process ended in it.
    Nothing,
}

/// How a process ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Ended {
    /// It did all it was asked.
    #[default]
    Done,
    /// It was killed because it did not go on.
    Hung,
    /// It died, and said this.
    Died(String),
}

impl Told {
    pub(super) fn parse(lines: &str, ended: Ended) -> Self {
        let mut told = Self { ended, ..Self::default() };
        for line in lines.lines() {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            let (number, text) = rest.split_once(' ').unwrap_or((rest, ""));
            let number = number.parse().ok();
            match (word, number) {
                ("refused", _) => told.refused = Some(rest.into()),
                ("unreadable", _) => told.unreadable = Some(rest.into()),
                ("stranger", _) => told.read.push(None),
                ("record", number) => told.read.push(number),
                ("begin", Some(number)) => told.appends.push((number, Answer::Nothing)),
                ("ok", Some(_)) => told.answer(Answer::Ok),
                ("err", Some(_)) => told.answer(Answer::Err(text.into())),
                _ => {}
            }
        }
        told
    }

    fn answer(&mut self, answer: Answer) {
        if let Some(last) = self.appends.last_mut() {
            last.1 = answer;
        }
    }

    /// Records that were acknowledged.
    pub(super) fn acknowledged(&self) -> Vec<u32> {
        let ok = |(number, answer): &(u32, Answer)| (*answer == Answer::Ok).then_some(*number);
        self.appends.iter().filter_map(ok).collect()
    }

    /// What the append of this record returned.
    pub(super) fn answer_to(&self, number: u32) -> &Answer {
        let found = self.appends.iter().find(|(of, _)| *of == number);
        found.map_or(&Answer::Nothing, |(_, answer)| answer)
    }

    /// Everything that went wrong, as it was worded.
    pub(super) fn complaints(&self) -> Vec<String> {
        let mut complaints: Vec<String> = Vec::new();
        complaints.extend(self.refused.clone());
        complaints.extend(self.unreadable.clone());
        for (_, answer) in &self.appends {
            if let Answer::Err(error) = answer {
                complaints.push(error.clone());
            }
        }
        if let Ended::Died(words) = &self.ended {
            complaints.push(words.clone());
        }
        complaints.dedup();
        complaints
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_a_child_is_understood() {
        let lines = "opened\nrecord 1\nstranger\nunreadable bad crc\nbegin 5\nok 5\nbegin 6\n\
                     err 6 no space\nbegin 7\n";
        let told = Told::parse(lines, Ended::Hung);
        assert_eq!(told.read, [Some(1), None]);
        assert_eq!(told.acknowledged(), [5]);
        assert_eq!(told.answer_to(6), &Answer::Err("no space".into()));
        assert_eq!(told.answer_to(7), &Answer::Nothing);
        assert_eq!(told.complaints(), ["bad crc", "no space"]);
        let refused = Told::parse("refused frame is damaged\nend\n", Ended::Done);
        assert_eq!(refused.refused.as_deref(), Some("frame is damaged"));
    }
}
