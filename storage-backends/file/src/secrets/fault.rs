//! What is said when something cannot be read: which file, why, and what to do. Never what is in it.

use std::io;
use std::path::Path;

use biplane_source::SourceError;

/// A file or directory is there, or should be, and cannot be read.
pub(super) fn unreadable(path: &Path, error: &io::Error) -> SourceError {
    let shown = path.display();
    let message = format!("{shown} cannot be read: {error}");
    match error.kind() {
        io::ErrorKind::PermissionDenied => SourceError::denied(message).hint(format!(
            "let the user that Biplane runs as read {shown} and enter the directories above it"
        )),
        io::ErrorKind::NotFound => {
            SourceError::new(message).hint(format!("create {shown}, mount it, or name another directory"))
        }
        _ => SourceError::new(message).hint(format!("look at {shown} with ls -l")),
    }
}

/// A link leads nowhere: what it led to may only be away.
pub(super) fn dangling(path: &Path) -> SourceError {
    let shown = path.display();
    SourceError::new(format!("{shown} is a link to nothing"))
        .hint(format!("put back what it leads to, or remove {shown} if the secret is to go"))
}

/// The file system that belongs here is not mounted.
pub(super) fn bare(path: &Path) -> SourceError {
    let shown = path.display();
    SourceError::new(format!("{shown} is now on another device, which holds nothing"))
        .hint(format!("is the file system that belongs at {shown} mounted?"))
}

/// Values are in files of a directory.
pub(super) fn no_directory(path: &Path) -> SourceError {
    let shown = path.display();
    SourceError::invalid(format!("{shown} is no directory"))
        .hint("name the directory that holds the secrets' files and directories")
}

/// A write that failed leaves such a file.
pub(super) fn empty(path: &Path) -> SourceError {
    let shown = path.display();
    SourceError::new(format!("{shown} is empty"))
        .hint("write the value, or remove the file if the value is to go")
}

/// It is no secret.
pub(super) fn too_large(path: &Path, size: u64, limit: u64) -> SourceError {
    let shown = path.display();
    SourceError::invalid(format!("{shown} has {size} bytes, more than the limit of {limit}"))
        .hint("keep nothing but secrets in the directory")
}

/// It is no directory of secrets.
pub(super) fn too_many(path: &Path, limit: usize) -> SourceError {
    let shown = path.display();
    SourceError::invalid(format!("{shown} holds more than {limit} files"))
        .hint("name a directory that holds the values of one secret, or one file")
}

/// Every value needs a name that can be written in an object.
pub(super) fn odd_name(path: &Path) -> SourceError {
    SourceError::invalid(format!("the name of {} is no UTF-8", path.display())).hint("rename the file")
}

/// Somebody writes all the time.
pub(super) fn restless(path: &Path) -> SourceError {
    SourceError::new(format!("{} changes while it is read", path.display()))
        .hint("nothing has to be done, it is read again")
}

/// The file holds PEM that makes no sense.
pub(super) fn bad_pem(path: &Path, why: &str) -> SourceError {
    SourceError::invalid(format!("{}: {why}", path.display()))
        .hint("a file in PEM holds a certificate chain and its private key, or certificates alone")
}

/// The disk hangs.
pub(super) fn hangs(name: &str) -> SourceError {
    SourceError::new(format!("{name} does not answer")).hint("does the file system hang?")
}
