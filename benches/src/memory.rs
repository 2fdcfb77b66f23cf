//! How much memory a piece of work takes, as the system counts it.

use std::fs;
use std::sync::{Mutex, PoisonError};

use anyhow::Result;

/// Does the work, and says how many bytes of memory the process had at the most meanwhile; `None`
/// where the system does not tell (Linux does).
///
/// What was freed before and is still the allocator's counts as had, and so hides as much of what the
/// work takes. A count of allocations would be exact, but slows down whatever is measured beside it.
pub(crate) fn at_most<T>(work: impl FnOnce() -> Result<T>) -> Result<(T, Option<u64>)> {
    // The most is the process's: a second count at the same time would begin the first one anew.
    static COUNTING: Mutex<()> = Mutex::new(());
    let _alone = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    // Forgets the most that there was until now.
    let begun = fs::write("/proc/self/clear_refs", "5").is_ok();
    let value = work()?;
    Ok((value, begun.then(|| status("VmHWM:")).flatten()))
}

/// How many bytes of memory the process has now.
pub(crate) fn resident() -> Option<u64> {
    status("VmRSS:")
}

fn status(field: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_had_for_a_moment_counts() {
        let before = resident().unwrap();
        let (len, most) = at_most(|| Ok(std::hint::black_box(vec![7_u8; 64 << 20]).len())).unwrap();
        // The system counts by batches of pages, a few on each processor.
        assert!(most.unwrap() + (8 << 20) > before + len as u64);
    }
}
