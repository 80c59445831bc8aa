//! What is left to do of a batch that has begun: one hidden file in the directory that is written, which names
//! the new files that lie ready and where each of them belongs, and the files that go.
//!
//! Invariant: from the first rename of a batch to its last one the journal is on disk, and so is everything that
//! it names. So a crash in between costs nothing: whoever has the turn next does the rest. To do it twice does
//! no harm; a file that somebody has edited since is left as it is, for the edit came after the batch.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use biplane_store::sentinel::random_id;
use tracing::warn;

use super::swap::{Failure, write};

/// The name is hidden from readers of resources.
const NAME: &str = ".biplane.journal";

/// How the names of new files begin and end that lie ready beside their places.
const READY: (&str, &str) = (".biplane-", ".tmp");

/// The first line; another version's journal is not guessed at.
const FORMAT: &[u8] = b"biplane journal 1";

/// Nobody else needs to read it.
const MODE: u32 = 0o600;

/// What is to be done to one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// The new file, which lies ready; `None`: the file goes.
    pub(super) ready: Option<PathBuf>,
    pub(super) target: PathBuf,
    /// What tells the file that was there from an edited one; empty: there was none.
    pub(super) before: String,
}

/// The journal of one directory.
#[derive(Clone, Debug)]
pub(crate) struct Journal {
    directory: PathBuf,
}

impl Step {
    /// What is to be done to the file at `target`, as it is now.
    pub(super) fn new(ready: Option<PathBuf>, target: &Path) -> Self {
        Self { ready, target: target.to_owned(), before: state(target) }
    }

    pub(super) fn carry_out(&self) -> io::Result<()> {
        match &self.ready {
            Some(ready) => fs::rename(ready, &self.target),
            None => fs::remove_file(&self.target),
        }
    }

    /// The same where it may have been done before, or overtaken by an edit.
    fn finish(&self) -> io::Result<()> {
        if self.ready.as_ref().is_some_and(|ready| ready.symlink_metadata().is_err()) {
            return Ok(());
        }
        if state(&self.target) != self.before {
            warn!(path = %self.target.display(), "edited after a batch that was cut off, left as it is");
            return self.ready.as_ref().map_or(Ok(()), fs::remove_file);
        }
        match self.carry_out() {
            Err(error) if self.ready.is_none() && error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }

    fn parts(&self) -> [&[u8]; 3] {
        let ready = self.ready.as_ref().map_or(OsStr::new(""), |ready| ready.as_os_str());
        [ready.as_bytes(), self.target.as_os_str().as_bytes(), self.before.as_bytes()]
    }
}

impl Journal {
    pub(crate) fn of(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.join(NAME)
    }

    /// Whether a batch has begun and has not come to its end.
    pub(crate) fn is_open(&self) -> bool {
        self.path().symlink_metadata().is_ok()
    }

    /// Notes what is to be done, in place of what was noted before. What lies ready is on disk by then.
    pub(super) fn open(&self, steps: &[Step]) -> Result<(), Failure> {
        let ready = steps.iter().filter_map(|step| step.ready.as_deref());
        sync_folders(ready).map_err(|error| (self.path(), error))?;
        let beside = ready_in(&self.directory);
        let written = write(&beside, &encode(steps), MODE).and_then(|()| fs::rename(&beside, self.path()));
        let noted = written.inspect_err(|_| drop(fs::remove_file(&beside))).and_then(|()| {
            // What is not certain to last is not begun.
            sync_folder(&self.directory).inspect_err(|_| drop(fs::remove_file(self.path())))
        });
        noted.map_err(|error| (self.path(), error))
    }

    /// All of it is done, and lasts.
    pub(super) fn close(&self) -> io::Result<()> {
        match fs::remove_file(self.path()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Does what is left to do. Needs the turn.
    pub(crate) fn roll_forward(&self) -> Result<(), Failure> {
        let content = match fs::read(self.path()) {
            Ok(content) => content,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err((self.path(), error)),
        };
        let steps = decode(&content).ok_or_else(|| {
            let why = "it is no journal of a batch that this version understands";
            (self.path(), io::Error::new(io::ErrorKind::InvalidData, why))
        })?;
        for step in &steps {
            step.finish().map_err(|error| (step.target.clone(), error))?;
        }
        sync_folders(steps.iter().map(|step| &*step.target)).map_err(|error| (self.path(), error))?;
        self.close().map_err(|error| (self.path(), error))?;
        warn!(path = %self.path().display(), files = steps.len(), "a batch that was cut off is finished");
        Ok(())
    }

    /// Removes the new files that a crash has left without a journal: they may hold secrets. Needs the turn.
    pub(crate) fn sweep(&self) {
        sweep(&self.directory);
    }
}

/// A name for a new file in the directory.
pub(super) fn ready_in(directory: &Path) -> PathBuf {
    directory.join(format!("{}{}{}", READY.0, random_id(), READY.1))
}

/// Lets the names in the folders of these files survive a power cut.
pub(super) fn sync_folders<'a>(files: impl Iterator<Item = &'a Path>) -> io::Result<()> {
    // A folder may be new as well, and so may the one above it.
    let mut folders: Vec<_> = files.flat_map(|file| file.ancestors().skip(1).take(3)).collect();
    folders.sort_unstable();
    folders.dedup();
    folders.into_iter().try_for_each(sync_folder)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// What changes with the content of a file; empty: it is not there.
fn state(path: &Path) -> String {
    let of = |found: Metadata| {
        format!("{} {} {} {}", found.ino(), found.size(), found.mtime(), found.mtime_nsec())
    };
    path.symlink_metadata().map_or_else(|_| String::new(), of)
}

/// Parts end with a zero byte, which no path has.
fn encode(steps: &[Step]) -> Vec<u8> {
    let parts = std::iter::once(FORMAT).chain(steps.iter().flat_map(Step::parts));
    parts.flat_map(|part| [part, b"\0"].concat()).collect()
}

fn decode(content: &[u8]) -> Option<Vec<Step>> {
    let body = content.strip_prefix(FORMAT)?.strip_prefix(b"\0")?;
    if body.is_empty() {
        return Some(Vec::new());
    }
    let parts: Vec<_> = body.strip_suffix(b"\0")?.split(|byte| *byte == 0).collect();
    let path = |part: &[u8]| PathBuf::from(OsStr::from_bytes(part));
    let step = |parts: &[&[u8]]| {
        let [ready, target, before] = parts else { return None };
        let ready = (!ready.is_empty()).then(|| path(ready));
        Some(Step { ready, target: path(target), before: str::from_utf8(before).ok()?.to_owned() })
    };
    parts.chunks(3).map(step).collect()
}

fn sweep(directory: &Path) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_directory {
            sweep(&path);
        } else if name.to_str().is_some_and(|name| name.starts_with(READY.0) && name.ends_with(READY.1)) {
            match fs::remove_file(&path) {
                Ok(()) => warn!(path = %path.display(), "removed what a write that was cut off had left"),
                Err(error) => warn!(path = %path.display(), %error, "what a write left cannot be removed"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Begun {
        directory: tempfile::TempDir,
        journal: Journal,
        steps: Vec<Step>,
    }

    /// A batch of two new contents and one file that goes, noted and not begun.
    fn begun() -> Begun {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let at = |name: &str| directory.path().join(name);
        fs::write(at("old"), "1").expect("write");
        fs::write(at("goes"), "1").expect("write");
        let ready = |name: &str| {
            let ready = ready_in(directory.path());
            fs::write(&ready, "2").expect("write");
            Step::new(Some(ready), &at(name))
        };
        let steps = vec![ready("old"), ready("new"), Step::new(None, &at("goes"))];
        let journal = Journal::of(directory.path());
        journal.open(&steps).expect("noted");
        Begun { directory, journal, steps }
    }

    fn content(begun: &Begun) -> Vec<(String, String)> {
        let entries = fs::read_dir(begun.directory.path()).expect("it is there");
        let mut content: Vec<_> = entries
            .map(|entry| {
                let entry = entry.expect("an entry");
                let text = fs::read_to_string(entry.path()).expect("text");
                (entry.file_name().into_string().expect("text"), text)
            })
            .collect();
        content.sort();
        content
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn wherever_a_batch_was_cut_off_the_rest_is_done() {
        for done in 0..=3 {
            let begun = begun();
            begun.steps[..done].iter().for_each(|step| step.carry_out().expect("done"));
            assert!(begun.journal.is_open());
            begun.journal.roll_forward().expect("done");
            assert_eq!(content(&begun), pairs(&[("new", "2"), ("old", "2")]), "cut off after {done}");
            assert!(!begun.journal.is_open());
        }
    }

    #[test]
    fn what_somebody_edited_after_the_crash_stays() {
        let begun = begun();
        let at = |name: &str| begun.directory.path().join(name);
        for name in ["old", "new", "goes"] {
            fs::write(at("beside"), "by hand").expect("write");
            fs::rename(at("beside"), at(name)).expect("rename");
        }
        begun.journal.roll_forward().expect("done");
        let by_hand = [("goes", "by hand"), ("new", "by hand"), ("old", "by hand")];
        assert_eq!(content(&begun), pairs(&by_hand));
    }

    #[test]
    fn a_journal_that_is_not_understood_changes_nothing() {
        let begun = begun();
        fs::write(begun.journal.path(), "biplane journal 9\0").expect("write");
        let before = content(&begun);
        begun.journal.roll_forward().expect_err("it is another version's");
        assert_eq!(content(&begun), before);
    }

    #[test]
    fn what_was_noted_is_what_is_read() {
        let begun = begun();
        assert_eq!(decode(&encode(&begun.steps)), Some(begun.steps.clone()));
        assert_eq!(decode(&encode(&[])), Some(Vec::new()));
        let whole = encode(&begun.steps);
        assert!((0..whole.len()).all(|end| decode(&whole[..end]).is_none_or(|steps| steps.len() < 3)));
    }
}
