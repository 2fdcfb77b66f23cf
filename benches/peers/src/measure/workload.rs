//! [`Workload`]: what all logs are asked to do.

/// What all logs are asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// So many threads append a record of 100 bytes each, wait for it, and append the next.
    Durable(usize),
    /// The same by so many tasks on two workers of tokio.
    Tasks(usize),
    /// One thread appends records of so many bytes without waiting, and waits once at the end.
    Pipelined(usize),
}

/// All of them, in the order of tables and charts.
pub const WORKLOADS: [Workload; 6] = [
    Workload::Durable(1),
    Workload::Durable(8),
    Workload::Durable(64),
    Workload::Tasks(1024),
    Workload::Pipelined(100),
    Workload::Pipelined(1024),
];

/// Bytes of a record where each is waited for.
const RECORD_LEN: usize = 100;

impl Workload {
    /// The workload of this name: `durable-N`, `tasks-N` or `pipelined-N`, whatever the number.
    pub fn of(name: &str) -> Option<Self> {
        let (kind, number) = name.rsplit_once('-')?;
        let number = number.parse().ok().filter(|number| (1..=65_536).contains(number))?;
        match kind {
            "durable" => Some(Self::Durable(number)),
            "tasks" => Some(Self::Tasks(number)),
            "pipelined" => Some(Self::Pipelined(number)),
            _ => None,
        }
    }

    /// Its name in rows and on the command line.
    pub fn name(self) -> String {
        match self {
            Self::Durable(threads) => format!("durable-{threads}"),
            Self::Tasks(tasks) => format!("tasks-{tasks}"),
            Self::Pipelined(bytes) => format!("pipelined-{bytes}"),
        }
    }

    /// What it is, for the heading of a table.
    pub fn what(self) -> String {
        match self {
            Self::Durable(1) => "one thread, which waits for each record of 100 B".into(),
            Self::Durable(threads) => {
                format!("{threads} threads, each waits for each of its records of 100 B")
            }
            Self::Tasks(tasks) => format!(
                "{tasks} async tasks on 2 tokio workers, each waits for each of its records of 100 B"
            ),
            Self::Pipelined(bytes) => {
                format!("one thread, records of {bytes} B without waiting, one wait at the end")
            }
        }
    }

    /// Bytes of a record.
    pub fn record_len(self) -> usize {
        match self {
            Self::Durable(_) | Self::Tasks(_) => RECORD_LEN,
            Self::Pipelined(bytes) => bytes,
        }
    }

    /// How many threads or tasks append at once.
    pub fn writers(self) -> usize {
        match self {
            Self::Durable(writers) | Self::Tasks(writers) => writers,
            Self::Pipelined(_) => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_is_found_by_its_name() {
        for workload in WORKLOADS.into_iter().chain([Workload::Tasks(256), Workload::Durable(1)]) {
            assert_eq!(Workload::of(&workload.name()), Some(workload));
        }
        for name in ["", "durable", "durable-", "durable-0", "tasks-x", "tasks-65537", "other-1"] {
            assert_eq!(Workload::of(name), None, "{name}");
        }
    }
}
