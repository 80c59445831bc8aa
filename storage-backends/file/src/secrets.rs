//! Files as a source of secrets: a directory of one file a value, or one file in PEM.
//!
//! ```text
//!  kernel ─ notify ─▶ inbox: what is pending, and when it is ripe ─┐
//!                                                                  ▼
//!  watch ◀─ told, if news ─ slot ◀─ reading: look, read, look again ─ register: which secrets it is about
//! ```
//!
//! What is guaranteed:
//!
//! - A root that is absent, unreadable or a bare mount point is a failure; so is a file that cannot be read, is empty,
//!   a link to nothing, or larger than 1 MiB. What is missing below a root that is there is known to be absent.
//! - All values of a listing are of one moment: what changes while it is read is read again. What was written in one
//!   go is told in one go: a listing waits until events have paused, a tenth of a second at least, and for a file
//!   that is open for writing.
//! - Every place on the way is watched before it is read, each link included, so that no swap of a link and no rename
//!   falls between. An overflow of the kernel's queue leads to reading all.
//! - What is asked for cannot lead out of the root by `..` or as an absolute path. Links may lead anywhere: who may
//!   write into the root decides what is in it.
//!
//! What cannot be: a tool that writes a certificate and pauses for a second before it writes the key is told of by
//! halves. Whoever uses a pair has to refuse one that does not match.

mod fault;
mod look;
mod options;
mod pem;
mod reading;
mod register;
mod root;
mod shared;
mod slot;
mod state;
mod watch;

use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use biplane_source::{Secret, SecretOptions, SecretRequest, SecretSource, SourceError, SourceState, Watch};

pub use options::FileSecretOptions;
use shared::Shared;

/// Secrets in the files below one directory. Clones share what is watched.
#[derive(Clone)]
pub struct FileSecrets {
    shared: Arc<Shared>,
}

impl FileSecrets {
    /// A source of what is below the options' root, which need not exist yet: it is looked at, and no secret is read
    /// before it is asked for.
    pub fn open(options: FileSecretOptions) -> Self {
        // Only a process without a working directory cannot tell; the path is of no use then either.
        let root = std::path::absolute(&options.root).unwrap_or_else(|_| options.root.clone());
        Self { shared: Shared::new(FileSecretOptions { root, ..options }) }
    }

    /// The path below the root that is asked for.
    fn path_of(&self, request: &SecretRequest) -> Result<PathBuf, SourceError> {
        let name = &self.shared.options.name;
        let SecretRequest::Path(path) = request else {
            return Err(SourceError::invalid(format!("{name} is a source of files, and this is no path"))
                .hint("name a source that is a Vault, or write `file: {path: ..}`"));
        };
        let is_below = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
        if path.contains('\0') || !Path::new(path).components().all(is_below) {
            return Err(SourceError::invalid(format!(
                "the path {path:?} is not below the directory of {name}"
            ))
            .hint("write a path that starts at the directory of the source, without .."));
        }
        // Without `.` and doubled slashes: one secret has one name.
        Ok(Path::new(path).components().filter(|part| *part != Component::CurDir).collect())
    }
}

/// Where it reads.
impl fmt::Debug for FileSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSecrets").field("options", &self.shared.options).finish_non_exhaustive()
    }
}

#[async_trait]
impl SecretSource for FileSecrets {
    fn name(&self) -> String {
        self.shared.options.name.clone()
    }

    fn kind(&self) -> &'static str {
        "files"
    }

    fn required(&self) -> bool {
        self.shared.options.required
    }

    fn has_objects(&self) -> bool {
        false
    }

    fn state(&self) -> tokio::sync::watch::Receiver<SourceState> {
        self.shared.state.subscribe()
    }

    async fn read(&self, request: &SecretRequest) -> Result<Option<Secret>, SourceError> {
        self.shared.read(self.path_of(request)?).await
    }

    fn watch(&self, request: &SecretRequest, options: SecretOptions) -> Watch<Option<Secret>> {
        let refresh = options.refresh.unwrap_or(self.shared.options.refresh);
        match self.path_of(request) {
            Ok(path) => watch::watch(self.shared.clone(), path, refresh),
            Err(error) => watch::refusal(error),
        }
    }

    fn refresh(&self) {
        self.shared.asked.send_modify(|count| *count = count.wrapping_add(1));
    }
}
