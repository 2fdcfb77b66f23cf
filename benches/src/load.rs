//! [`load`]: how busy the machine is.

use std::fs;
use std::thread;

/// How busy the machine is, in words: its cores, and how many threads wanted one during the last
/// minute. Numbers from a run that began or ended with more than one of them are not worth quoting.
pub fn load() -> String {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let average = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let minute = average.split(' ').next().filter(|minute| !minute.is_empty()).unwrap_or("?");
    format!("{cores} cores, load {minute}")
}
