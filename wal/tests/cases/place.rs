//! A process that dies, as far as one test can have that.

use std::fs;
use std::path::Path;

use wal::Wal;

/// The log in `dir` from here on is what `wal` would leave behind by dying now: its files are copied,
/// and the handle is never dropped, with its lock on the files that it had.
pub(crate) fn dies(wal: Wal, dir: &Path) {
    std::mem::forget(wal);
    let copy = dir.with_extension("copy");
    fs::create_dir(&copy).unwrap();
    for file in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        fs::copy(file.path(), copy.join(file.file_name())).unwrap();
    }
    fs::remove_dir_all(dir).unwrap();
    fs::rename(&copy, dir).unwrap();
}

/// Bytes of all files of the log, as long as they say they are.
pub(crate) fn bytes(dir: &Path) -> u64 {
    let files = fs::read_dir(dir).unwrap().map(Result::unwrap);
    files.map(|file| file.metadata().unwrap().len()).sum()
}
