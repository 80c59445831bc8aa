//! Noticing a git that is at work: it holds a lock file for as long as it writes the working tree, so
//! that a checkout or a pull can be let finish and be told as one change.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A lock older than this was left behind by a git that died.
const STALE: Duration = Duration::from_secs(10);

/// The lock file of the working tree that holds `directory`, if it is in one.
pub(crate) fn lock_file(directory: &Path) -> Option<PathBuf> {
    directory
        .ancestors()
        .find_map(|ancestor| git_directory(&ancestor.join(".git")))
        .map(|git| git.join("index.lock"))
}

/// Whether a git holds the lock now.
pub(crate) fn is_held(lock: &Path) -> bool {
    let modified = lock.symlink_metadata().and_then(|metadata| metadata.modified());
    modified.is_ok_and(|modified| SystemTime::now().duration_since(modified).is_ok_and(|age| age < STALE))
}

/// `.git` is a directory, or in worktrees and submodules a file that names one.
fn git_directory(dot_git: &Path) -> Option<PathBuf> {
    if dot_git.is_dir() {
        return Some(dot_git.to_owned());
    }
    let text = std::fs::read_to_string(dot_git).ok()?;
    let named = text.strip_prefix("gitdir:")?.trim();
    Some(dot_git.parent()?.join(named))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_of_a_submodule_is_where_its_git_file_says() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let inside = directory.path().join("etc/resources");
        std::fs::create_dir_all(&inside).expect("create");
        std::fs::write(directory.path().join(".git"), "gitdir: /repo/.git/modules/w\n").expect("write");
        assert_eq!(lock_file(&inside), Some(PathBuf::from("/repo/.git/modules/w/index.lock")));
    }

    #[test]
    fn a_lock_counts_while_it_is_fresh() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let lock = directory.path().join("index.lock");
        assert!(!is_held(&lock));
        let file = std::fs::File::create(&lock).expect("create");
        assert!(is_held(&lock));
        file.set_modified(SystemTime::now() - Duration::from_mins(1)).expect("set the time");
        assert!(!is_held(&lock));
    }
}
