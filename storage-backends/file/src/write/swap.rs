//! Changing files together: every new file is written and synced beside its place first, under a name that no
//! reader reads; what is to be done is [noted](Journal); then all are renamed in one go. Should that fail
//! half-way, what was there is put back in the same manner.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tracing::{error, warn};

use super::journal::{Journal, Step, ready_in, sync_folders};

/// What others may do with a new file, and with one that holds a secret.
const MODE: u32 = 0o644;
const SECRET_MODE: u32 = 0o600;

/// What failed, and where.
pub(super) type Failure = (PathBuf, io::Error);

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

/// New files that lie ready. They go, unless a journal that is to be carried out names them.
#[derive(Debug, Default)]
struct Ready {
    steps: Vec<Step>,
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
}

impl Ready {
    /// Lets the file of each of these hold its content: writes what is new, and does nothing else yet.
    fn of<'a>(wanted: impl Iterator<Item = (&'a Swap, Option<&'a [u8]>)>) -> Result<Self, Failure> {
        let mut ready = Self::default();
        for (swap, content) in wanted {
            ready.add(swap, content).map_err(|error| (swap.path.clone(), error))?;
        }
        Ok(ready)
    }

    fn add(&mut self, swap: &Swap, content: Option<&[u8]>) -> io::Result<()> {
        let Some(content) = content else {
            self.steps.push(Step::new(None, &swap.path));
            return Ok(());
        };
        let directory = folder(&swap.path);
        fs::create_dir_all(directory)?;
        let path = ready_in(directory);
        self.steps.push(Step::new(Some(path.clone()), &swap.path));
        write(&path, content, swap.mode)
    }

    /// From now on they are to be carried out, and the journal names them if there is one.
    fn noted(mut self, journal: Option<&Journal>) -> Result<Vec<Step>, Failure> {
        journal.map_or(Ok(()), |journal| journal.open(&self.steps))?;
        Ok(std::mem::take(&mut self.steps))
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        discard(&self.steps);
    }
}

/// Carries out all of them, or none.
pub(super) fn all(swaps: &[Swap], journal: &Journal) -> Result<(), Failure> {
    // One rename is all or nothing by itself.
    let journal = Some(journal).filter(|_| swaps.len() > 1);
    let steps = Ready::of(swaps.iter().map(|swap| (swap, swap.new.as_deref())))?.noted(journal)?;
    for (n, step) in steps.iter().enumerate() {
        if let Err(error) = step.carry_out() {
            if let Err((path, error)) = put_back(&swaps[..n], &steps[n..], journal) {
                error!(path = %path.display(), %error, "a batch failed and could not be put back");
            }
            return Err((step.target.clone(), error));
        }
    }
    finish(&steps, journal);
    Ok(())
}

/// Puts back what was there; `rest` is what has not been done. The journal of the way back takes the place of the
/// other one, so that a crash on that way leads back too.
fn put_back(done: &[Swap], rest: &[Step], journal: Option<&Journal>) -> Result<(), Failure> {
    let back = done.iter().rev().map(|swap| (swap, swap.old.as_deref()));
    let steps = Ready::of(back)?.noted(journal)?;
    discard(rest);
    for step in &steps {
        step.carry_out().map_err(|error| (step.target.clone(), error))?;
    }
    finish(&steps, journal);
    Ok(())
}

/// All of it is done. It is in place whether or not this works.
fn finish(steps: &[Step], journal: Option<&Journal>) {
    let synced = sync_folders(steps.iter().map(|step| &*step.target));
    if let Err(error) = synced.and_then(|()| journal.map_or(Ok(()), Journal::close)) {
        warn!(%error, "what was written may not survive a power cut");
    }
}

fn discard(steps: &[Step]) {
    for ready in steps.iter().filter_map(|step| step.ready.as_ref()) {
        // What was renamed is not there any more.
        let _ = fs::remove_file(ready);
    }
}

/// Writes a new file, on to the disk.
pub(super) fn write(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    file.write_all(content)?;
    file.sync_all()
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
        let (path, _) = all(&swaps, &Journal::of(directory.path())).expect_err("a directory is no file");
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
        let swaps = [swap(at("old"), Some("new")), swap(at("new"), Some("new")), secret];
        all(&swaps, &Journal::of(directory.path())).expect("they are written");
        assert_eq!((mode("old"), mode("new"), mode("secret")), (0o640, 0o644, 0o600));
    }
}
