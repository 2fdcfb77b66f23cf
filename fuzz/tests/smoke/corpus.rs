//! The seed corpus on disk.
//!
//! `WAL_BLESS=1` writes the seeds anew, for a change that is meant to change what they are made of;
//! a log's bytes change more often than what it is worth as a seed. Other files there are findings
//! that are kept, and are left alone.

use std::env;
use std::fs;

use wal_fuzz::TARGETS;
use wal_fuzz::seeds::{folder, seeds};

/// The inputs of a target's corpus, with the names of their files.
pub(crate) fn read(target: &str) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder(target)).expect("a target has a corpus");
    let mut inputs: Vec<_> = entries
        .map(|entry| entry.expect("the folder can be read").path())
        .map(|path| {
            let name = path.file_name().expect("an entry has a name").to_string_lossy().into();
            (name, fs::read(&path).expect("an input can be read"))
        })
        .collect();
    inputs.sort();
    inputs
}

#[test]
fn every_seed_is_in_the_corpus() {
    for (target, _) in TARGETS {
        let folder = folder(target);
        let seeds = seeds(target);
        assert!(!seeds.is_empty(), "{target} has no seeds");
        for (name, input) in seeds {
            let path = folder.join(&name);
            if env::var_os("WAL_BLESS").is_some() {
                fs::create_dir_all(&folder).unwrap();
                fs::write(&path, &input).unwrap();
            }
            assert!(path.is_file(), "{} is missing", path.display());
        }
    }
}
