//! Changing files together: every new file is written and synced beside its place first, under a name that no
//! reader reads; then all are renamed in one go. Should that fail half-way, what was there is put back.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use biplane_store::sentinel::random_id;
use tracing::{error, warn};

/// What others may do with a new file, and with one that holds a secret.
const MODE: u32 = 0o644;
const SECRET_MODE: u32 = 0o600;

/// What failed, and where.
type Failure = (PathBuf, io::Error);

/// What becomes of one file.
#[derive(Debug)]
pub(crate) struct Swap {
    path: PathBuf,
    /// What was there.
    old: Option<Vec<u8>>,
    /// `None`: the file goes.
    new: Option<Vec<u8>>,
    mode: u32,
}

/// A new file beside its place; it goes when it was not put there.
#[derive(Debug)]
struct Beside {
    path: PathBuf,
}

impl Swap {
    /// A change of the file at `path`. What is there is read, so that it can be put back.
    pub(super) fn new(path: PathBuf, new: Option<Vec<u8>>, is_secret: bool) -> Result<Self, Failure> {
        let found = fs::read(&path).and_then(|content| Ok((content, path.metadata()?.permissions().mode())));
        let (old, mode) = match found {
            Ok((content, mode)) => (Some(content), mode & 0o777),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                (None, if is_secret { SECRET_MODE } else { MODE })
            }
            Err(error) => return Err((path, error)),
        };
        Ok(Self { path, old, new, mode })
    }

    fn beside(&self, content: &[u8]) -> Result<Beside, Failure> {
        let directory = folder(&self.path);
        fs::create_dir_all(directory).map_err(|error| (directory.to_owned(), error))?;
        let beside = Beside { path: directory.join(format!(".biplane-{}.tmp", random_id())) };
        write(&beside.path, content, self.mode).map_err(|error| (self.path.clone(), error))?;
        Ok(beside)
    }

    fn put(&self, beside: Option<&Beside>) -> io::Result<()> {
        match beside {
            Some(beside) => fs::rename(&beside.path, &self.path),
            None => fs::remove_file(&self.path),
        }
    }

    fn undo(&self) -> Result<(), Failure> {
        let back = match &self.old {
            Some(old) => self.put(Some(&self.beside(old)?)),
            None => self.put(None),
        };
        back.map_err(|error| (self.path.clone(), error))
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // After a rename there is nothing to remove.
        let _ = fs::remove_file(&self.path);
    }
}

/// Carries out all of them, or none.
pub(super) fn all(swaps: &[Swap]) -> Result<(), Failure> {
    let beside = |swap: &Swap| swap.new.as_deref().map(|content| swap.beside(content)).transpose();
    let besides: Vec<_> = swaps.iter().map(beside).collect::<Result<_, _>>()?;
    for (n, (swap, beside)) in swaps.iter().zip(&besides).enumerate() {
        if let Err(error) = swap.put(beside.as_ref()) {
            swaps[..n].iter().rev().for_each(put_back);
            return Err((swap.path.clone(), error));
        }
    }
    sync_folders(swaps);
    Ok(())
}

fn put_back(swap: &Swap) {
    if let Err((path, error)) = swap.undo() {
        error!(path = %path.display(), %error, "a file could not be put back after a batch that failed");
    }
}

fn write(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    file.write_all(content)?;
    file.sync_all()
}

/// Lets the names survive a power cut. They are in place whether or not this works.
fn sync_folders(swaps: &[Swap]) {
    let mut folders: Vec<_> = swaps.iter().flat_map(|swap| swap.path.ancestors().skip(1).take(3)).collect();
    folders.sort_unstable();
    folders.dedup();
    for folder in folders {
        if let Err(error) = File::open(folder).and_then(|folder| folder.sync_all()) {
            warn!(path = %folder.display(), %error, "what was written may not survive a power cut");
        }
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().expect("a file lies in a directory")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn swap(path: PathBuf, new: Option<&str>) -> Swap {
        Swap::new(path, new.map(Into::into), false).expect("it can be read")
    }

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).expect("it is there");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("text")).collect();
        names.sort();
        names
    }

    #[test]
    fn what_fails_half_way_leaves_everything_as_it_was() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let at = |name: &str| directory.path().join(name);
        fs::write(at("changes"), "old").expect("write");
        fs::write(at("goes"), "old").expect("write");
        fs::create_dir_all(at("taken/below")).expect("create");
        let taken = Swap { path: at("taken"), old: None, new: Some(b"new".into()), mode: MODE };
        let swaps = vec![
            swap(at("changes"), Some("new")),
            swap(at("goes"), None),
            swap(at("comes"), Some("new")),
            taken,
        ];
        let (path, _) = all(&swaps).expect_err("a directory is no file");
        assert_eq!(path, at("taken"));
        assert_eq!(names(directory.path()), ["changes", "goes", "taken"]);
        assert_eq!(fs::read_to_string(at("changes")).expect("read"), "old");
        assert_eq!(fs::read_to_string(at("goes")).expect("read"), "old");
    }

    #[test]
    fn a_file_keeps_its_mode_and_a_new_secret_is_private() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let at = |name: &str| directory.path().join(name);
        let mode = |name: &str| at(name).metadata().expect("it is there").permissions().mode() & 0o777;
        fs::write(at("old"), "old").expect("write");
        fs::set_permissions(at("old"), Permissions::from_mode(0o640)).expect("chmod");
        let secret = Swap::new(at("secret"), Some(b"new".into()), true).expect("nothing is there");
        all(&[swap(at("old"), Some("new")), swap(at("new"), Some("new")), secret]).expect("they are written");
        assert_eq!((mode("old"), mode("new"), mode("secret")), (0o640, 0o644, 0o600));
    }
}
