//! Reading one file: whole, within the limit, and without ever waiting for a pipe's writer.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::OFlags;
use zeroize::Zeroizing;

/// A file that is written to while it is read is read again, this often.
const ATTEMPTS: usize = 3;

/// Time stamps are as coarse as a kernel tick. What changed this shortly before it was read may have
/// changed again without another stamp.
const TICK: Duration = Duration::from_millis(100);

/// So much more than a file is said to hold is looked for.
const SPARE: usize = 64;

/// What tells a file that has changed from one that has not, without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// What reading a file gave.
#[derive(Debug)]
pub(crate) enum Read {
    /// The file still has the stamp that was given.
    Unchanged,
    /// The content, and the stamp to know it by where that can be trusted.
    Content(Zeroizing<Vec<u8>>, Option<Stamp>),
    /// There is no such file.
    Missing,
    /// It is larger than the limit.
    TooLarge(u64),
    /// It is there and cannot be read.
    Failed(io::Error),
}

/// Reads the file at `path` unless it still has the stamp `known`.
pub(crate) fn read(path: &Path, known: Option<&Stamp>, limit: u64) -> Read {
    try_read(path, known, limit).unwrap_or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Read::Missing,
        _ => Read::Failed(error),
    })
}

/// Whether the file has not changed for so long. Waiting is no use for one that is not there, or whose
/// clock is ahead of ours.
pub(crate) fn has_rested(path: &Path, grace: Duration) -> bool {
    let age = path.metadata().ok().and_then(|metadata| Stamp::of(&metadata).age(SystemTime::now()));
    age.is_none_or(|age| age >= grace)
}

fn try_read(path: &Path, known: Option<&Stamp>, limit: u64) -> io::Result<Read> {
    let mut file = open(path)?;
    let mut before = file.metadata()?;
    if !before.is_file() {
        return Ok(Read::Failed(io::Error::other("it is not a regular file")));
    }
    if known == Some(&Stamp::of(&before)) {
        return Ok(Read::Unchanged);
    }
    if before.len() > limit {
        return Ok(Read::TooLarge(before.len()));
    }
    // Large enough from the start: what a buffer leaves behind when it grows is not wiped.
    let mut content =
        Zeroizing::new(Vec::with_capacity(usize::try_from(before.len()).unwrap_or_default() + SPARE));
    for _ in 0..ATTEMPTS {
        content.clear();
        let size = (&mut file).take(limit + 1).read_to_end(&mut content)? as u64;
        if size > limit {
            return Ok(Read::TooLarge(before.len().max(size)));
        }
        let after = file.metadata()?;
        if Stamp::of(&after) == Stamp::of(&before) {
            return Ok(Read::Content(content, Stamp::of(&after).trusted(SystemTime::now())));
        }
        before = after;
        file = open(path)?;
    }
    Ok(Read::Content(content, None))
}

/// Opens without blocking, as a pipe that nobody writes to would.
fn open(path: &Path) -> io::Result<File> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).expect("open flags are ints");
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

impl Stamp {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// The stamp, if the file had rested for a while at `now`.
    fn trusted(self, now: SystemTime) -> Option<Self> {
        self.age(now).is_some_and(|age| age > TICK).then_some(self)
    }

    /// How long before `now` the file changed; `None` if that is not in the past.
    pub(crate) fn age(&self, now: SystemTime) -> Option<Duration> {
        let seconds = u64::try_from(self.changed.0).ok()?;
        let nanos = u32::try_from(self.changed.1).ok()?;
        now.duration_since(UNIX_EPOCH + Duration::new(seconds, nanos)).ok()
    }
}
