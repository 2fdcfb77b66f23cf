//! [`Search`]: numbered jobs shared out to threads, with progress, until one fails.

use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use wal_testkit::model::Failure;

/// A search under way.
#[derive(Debug)]
pub(crate) struct Search {
    began: Instant,
    next: AtomicU64,
    images: AtomicU64,
    stop: AtomicBool,
    found: Mutex<Option<(u64, Box<Failure>)>>,
}

/// When a search ends by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    /// After so many jobs.
    Jobs(u64),
    /// After so much time.
    Time(Duration),
}

/// What came of a search.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) jobs: u64,
    pub(crate) images: u64,
    pub(crate) took: Duration,
    /// The number of a job that failed, and how.
    pub(crate) found: Option<(u64, Box<Failure>)>,
}

impl Search {
    /// Runs `job` with the numbers from 0 on, until the end or the first failure. A job says how
    /// many images it has checked.
    pub(crate) fn run(
        what: &str,
        threads: usize,
        end: End,
        job: impl Fn(u64) -> Result<u64, Box<Failure>> + Sync,
    ) -> Outcome {
        let search = Self {
            began: Instant::now(),
            next: AtomicU64::new(0),
            images: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            found: Mutex::default(),
        };
        thread::scope(|scope| {
            let workers: Vec<_> =
                (0..threads).map(|_| scope.spawn(|| search.work(end, &job))).collect();
            let mut shown = Instant::now();
            while !workers.iter().all(thread::ScopedJoinHandle::is_finished) {
                thread::sleep(Duration::from_millis(20));
                let every = if io::stderr().is_terminal() { 1 } else { 15 };
                if shown.elapsed() >= Duration::from_secs(every) {
                    shown = Instant::now();
                    search.show(what, end);
                }
            }
        });
        let took = search.began.elapsed();
        let jobs = search.next.load(Ordering::Relaxed);
        let found = search.found.into_inner().unwrap_or_else(PoisonError::into_inner);
        Outcome { jobs, images: search.images.into_inner(), took, found }
    }

    fn work(&self, end: End, job: &(impl Fn(u64) -> Result<u64, Box<Failure>> + Sync)) {
        while !self.stop.load(Ordering::Relaxed) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let over = match end {
                End::Jobs(jobs) => number >= jobs,
                End::Time(time) => self.began.elapsed() >= time,
            };
            if over {
                self.next.fetch_sub(1, Ordering::Relaxed);
                return;
            }
            match job(number) {
                Ok(images) => {
                    self.images.fetch_add(images, Ordering::Relaxed);
                }
                Err(failure) => {
                    self.stop.store(true, Ordering::Relaxed);
                    let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
                    // Of several the first, so that a search by one seed finds the same one.
                    if found.as_ref().is_none_or(|(other, _)| number < *other) {
                        *found = Some((number, failure));
                    }
                }
            }
        }
    }

    fn show(&self, what: &str, end: End) {
        let took = self.began.elapsed();
        let (jobs, images) =
            (self.next.load(Ordering::Relaxed), self.images.load(Ordering::Relaxed));
        let of = match end {
            End::Jobs(all) => format!("{jobs} of {all}"),
            End::Time(time) => format!("{jobs} in {} of {} s", took.as_secs(), time.as_secs()),
        };
        let mark = if io::stderr().is_terminal() { "\r\x1b[K" } else { "" };
        let line = if io::stderr().is_terminal() { "" } else { "\n" };
        let rate = a_minute(images, took);
        let mut stderr = io::stderr().lock();
        // Who does not look at the progress does not miss it.
        let _ = write!(stderr, "{mark}{what}: {of}, {images} images, {rate} a minute{line}");
        let _ = stderr.flush();
    }
}

/// So many in so much time, by the minute.
pub(crate) fn a_minute(count: u64, took: Duration) -> u64 {
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
    count.saturating_mul(60_000) / millis
}
