//! Making a directory so that it is still there after a power cut.

use std::fs;
use std::io;
use std::path::Path;

use super::os::cannot;
use super::platform;

/// Makes `dir`, an absolute path, and what is missing above it; each is durable before anything is
/// made in it.
pub(super) fn create(dir: &Path) -> io::Result<()> {
    create_with(dir, &mut sync)
}

/// Whether the entry that a sync is for was made just now.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Entry {
    Made,
    Found,
}

type Sync<'a> = &'a mut dyn FnMut(&Path, Entry) -> io::Result<()>;

fn create_with(dir: &Path, sync: Sync<'_>) -> io::Result<()> {
    match fs::metadata(dir) {
        // Whoever made it may have died before the sync.
        Ok(found) if found.is_dir() => dir.parent().map_or(Ok(()), |dir| sync(dir, Entry::Found)),
        Ok(_) => Err(cannot("open", dir, &io::ErrorKind::NotADirectory.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => create_missing(dir, sync),
        Err(error) => Err(cannot("open", dir, &error)),
    }
}

fn create_missing(dir: &Path, sync: Sync<'_>) -> io::Result<()> {
    let Some(parent) = dir.parent() else {
        return Err(cannot("create", dir, &io::ErrorKind::NotFound.into()));
    };
    if let Some(dangling) = dangling(dir) {
        return Err(dangling);
    }
    create_with(parent, sync)?;
    match fs::create_dir(dir) {
        // Another process may be making the same directory: then both sync it.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => {}
        made => made.map_err(|error| cannot("create", dir, &error))?,
    }
    sync(parent, Entry::Made)
}

/// That `dir`, of which the system says that it is not there, is a link that leads nowhere, if it is one.
pub(super) fn dangling(dir: &Path) -> Option<io::Error> {
    let target = fs::read_link(dir).ok()?;
    let what = format!("it is a link to {}, which is not there", target.display());
    Some(cannot("open", dir, &io::Error::new(io::ErrorKind::NotFound, what)))
}

/// Syncs the directory `dir` for an entry in it. One that we may not read is not where we made
/// anything.
fn sync(dir: &Path, entry: Entry) -> io::Result<()> {
    match platform::open_dir(dir) {
        Ok(handle) => platform::sync_dir(&handle).map_err(|error| cannot("sync", dir, &error)),
        Err(error) if denied(&error) && entry == Entry::Found => Ok(()),
        Err(error) => Err(cannot("open", dir, &error)),
    }
}

fn denied(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory that is made inside one that is not durable yet goes with it, and with it every
    /// record acknowledged until the power cut.
    #[test]
    fn each_directory_is_synced_before_the_next_is_made_in_it() {
        let root = tempfile::tempdir().unwrap();
        let [a, b, c] = ["a", "a/b", "a/b/c"].map(|path| root.path().join(path));
        let mut synced = Vec::new();
        create_with(&c, &mut |dir, _| {
            synced.push((dir.to_path_buf(), [&a, &b, &c].map(|path| path.exists())));
            Ok(())
        })
        .unwrap();
        let above = root.path().parent().unwrap().to_path_buf();
        let expected = [
            (above, [false; 3]),
            (root.path().to_path_buf(), [true, false, false]),
            (a.clone(), [true, true, false]),
            (b.clone(), [true; 3]),
        ];
        assert_eq!(synced, expected);
    }

    #[test]
    fn a_directory_that_is_there_is_synced_all_the_same() {
        let root = tempfile::tempdir().unwrap();
        let mut synced = Vec::new();
        create_with(root.path(), &mut |dir, _| {
            synced.push(dir.to_path_buf());
            Ok(())
        })
        .unwrap();
        assert_eq!(synced, [root.path().parent().unwrap()]);
    }

    #[test]
    fn a_failed_sync_stops_the_making() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("a/b");
        create_with(&dir, &mut |_, entry| match entry {
            Entry::Found => Ok(()),
            Entry::Made => Err(io::ErrorKind::BrokenPipe.into()),
        })
        .unwrap_err();
        assert!(root.path().join("a").is_dir());
        assert!(!dir.exists());
    }
}
