//! [`Trace`]: what strace wrote down, and where in it a fault is to go.

use super::{RECORDS, mark};

/// The system calls of a run, one a line, in their order.
#[derive(Clone, Debug)]
pub(super) struct Trace {
    calls: Vec<Call>,
}

/// The beginning of a call.
#[derive(Clone, Debug)]
struct Call {
    thread: u32,
    name: String,
    line: String,
}

/// One call of a run: the `nth` of that name in its thread, which is how strace counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) call: String,
    pub(super) nth: usize,
}

/// Calls that make bytes durable.
pub(super) const SYNCS: [&str; 5] = ["fdatasync", "fsync", "msync", "sync_file_range", "syncfs"];

/// Calls that hand bytes to the kernel.
pub(super) const WRITES: [&str; 6] =
    ["write", "pwrite64", "writev", "pwritev", "pwritev2", "io_uring_enter"];

impl Trace {
    pub(super) fn parse(text: &str) -> Self {
        Self { calls: text.lines().filter_map(Call::parse).collect() }
    }

    /// The first sync while this record is being appended.
    pub(super) fn sync_of(&self, record: u32) -> Option<Place> {
        self.place(record, |call| SYNCS.contains(&call.name.as_str()))
    }

    /// The first write of this record's bytes.
    pub(super) fn write_of(&self, record: u32) -> Option<Place> {
        let mark = mark(record);
        self.place(record, |call| WRITES.contains(&call.name.as_str()) && call.line.contains(&mark))
    }

    fn place(&self, record: u32, wanted: impl Fn(&Call) -> bool) -> Option<Place> {
        let (began, ended) = (self.line("begin", record)?, self.line("ok", record)?);
        let at = (began..ended).find(|&at| wanted(&self.calls[at]))?;
        let Call { thread, name, .. } = &self.calls[at];
        let same = |call: &&Call| call.thread == *thread && call.name == *name;
        let nth = self.calls[..=at].iter().filter(same).count();
        Some(Place { call: name.clone(), nth })
    }

    /// Where the child said this of a record.
    fn line(&self, word: &str, record: u32) -> Option<usize> {
        let said = format!("write(1, \"{word} {record}\\n\"");
        self.calls.iter().position(|call| call.line.contains(&said))
    }

    /// Whether exactly one call was made to fail, while this record was being appended.
    pub(super) fn failed_in(&self, record: u32) -> bool {
        let injected = |call: &Call| call.line.contains("(INJECTED)");
        let Some(began) = self.line("begin", record) else { return false };
        let next = (record < RECORDS).then(|| self.line("begin", record + 1)).flatten();
        let within = &self.calls[began..next.unwrap_or(self.calls.len())];
        let (all, here) = (self.calls.iter(), within.iter());
        all.filter(|call| injected(call)).count() == 1
            && here.filter(|call| injected(call)).count() == 1
    }

    /// How often each of the calls that sync was made from the beginning of the first of these
    /// records to the end of the last.
    pub(super) fn syncs(&self, first: u32, last: u32) -> Vec<(&'static str, usize)> {
        let (Some(began), Some(ended)) = (self.line("begin", first), self.line("ok", last)) else {
            return Vec::new();
        };
        let count = |name| self.calls[began..ended].iter().filter(|call| call.name == name).count();
        SYNCS.iter().map(|&name| (name, count(name))).filter(|(_, count)| *count > 0).collect()
    }

    /// Whether a file was opened so that every write of it is a sync.
    pub(super) fn syncs_by_writing(&self) -> bool {
        let opens = self.calls.iter().filter(|call| call.name.starts_with("open"));
        let mut opens = opens.map(|call| &call.line);
        opens.any(|line| line.contains("O_SYNC") || line.contains("O_DSYNC"))
    }
}

impl Call {
    /// A line is `THREAD NAME(ARGUMENTS`, and its result; what strace has to say of the rest of a
    /// call that it has begun already is not the beginning of one.
    fn parse(line: &str) -> Option<Self> {
        let (thread, rest) = line.split_once(' ')?;
        let rest = rest.trim_start();
        // The result of a call that was interrupted by another thread's comes on a line of its own.
        let name = match rest.strip_prefix("<... ") {
            Some(_) if !rest.contains("(INJECTED)") => return None,
            Some(_) => "",
            None => rest.split_once('(')?.0,
        };
        Some(Self { thread: thread.parse().ok()?, name: name.into(), line: rest.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"10 openat(AT_FDCWD, "/x/log", O_RDWR|O_CREAT|O_CLOEXEC, 0666) = 3
10 write(1, "begin 5\n", 8) = 8
10 pwrite64(3, "<record 05>", 11, 0) = 11
11 fdatasync(3) = 0
10 write(1, "ok 5\n", 5) = 5
10 write(1, "begin 6\n", 8) = 8
10 pwrite64(3, "\1\0<record 06>", 13, 11 <unfinished ...>
11 fsync(9) = 0
10 <... pwrite64 resumed>) = 13
11 fdatasync(3) = 0
10 write(1, "ok 6\n", 5) = 5
"#;

    #[test]
    fn a_fault_is_placed_by_record_and_counted_by_thread() {
        let trace = Trace::parse(TEXT);
        let place = |call: &str, nth| Some(Place { call: call.into(), nth });
        assert_eq!(trace.write_of(6), place("pwrite64", 2));
        assert_eq!(trace.sync_of(6), place("fsync", 1));
        assert_eq!(trace.sync_of(5), place("fdatasync", 1));
        assert_eq!(trace.write_of(7), None);
        assert_eq!(trace.syncs(5, 6), [("fdatasync", 2), ("fsync", 1)]);
        assert!(!trace.syncs_by_writing());
    }

    /// A fault that hit another call than the one it was meant for says nothing about the log.
    #[test]
    fn a_fault_elsewhere_or_twice_is_not_taken_for_the_one_wanted() {
        let fails = |line: &str| {
            let failed = line.rsplit_once(" = ").unwrap().0.to_owned() + " = -1 EIO (INJECTED)";
            Trace::parse(&TEXT.replacen(line, &failed, 1))
        };
        assert!(fails("11 fsync(9) = 0").failed_in(6));
        assert!(fails("10 <... pwrite64 resumed>) = 13").failed_in(6));
        assert!(!fails("10 pwrite64(3, \"<record 05>\", 11, 0) = 11").failed_in(6));
        assert!(!Trace::parse(TEXT).failed_in(6));
    }
}
