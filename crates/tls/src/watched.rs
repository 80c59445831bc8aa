//! Tells when something may have happened to files. What has happened is seen by looking.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;
use tracing::warn;

/// Watches the directories of files, since files are replaced more often than they are written, and those that links
/// lead to.
#[derive(Debug)]
pub struct Watched {
    news: Arc<Notify>,
    /// Kept, since it watches for as long as it lives.
    _watcher: Option<RecommendedWatcher>,
}

impl Watched {
    /// Watches from now on. Where that cannot be done, that is said, and nothing will be heard. `what` is whose
    /// files they are, for the log.
    pub fn new<'a>(what: &str, paths: impl IntoIterator<Item = &'a Path>) -> Self {
        let news = Arc::new(Notify::new());
        // What happened before is seen with the first look.
        news.notify_one();
        let heard = news.clone();
        let tell = move |event: notify::Result<notify::Event>| {
            if !event.is_ok_and(|event| event.kind.is_access()) {
                heard.notify_one();
            }
        };
        let watching = notify::recommended_watcher(tell).and_then(|mut watcher| {
            for directory in directories(paths) {
                watcher.watch(&directory, RecursiveMode::NonRecursive)?;
            }
            Ok(watcher)
        });
        let watcher = watching.inspect_err(|error| {
            warn!(what, %error, "files are not watched: a change is noticed with the next connection");
        });
        Self { news, _watcher: watcher.ok() }
    }

    /// Ends when something may have happened since the last time.
    pub async fn changed(&mut self) {
        self.news.notified().await;
    }
}

fn directories<'a>(paths: impl IntoIterator<Item = &'a Path>) -> BTreeSet<PathBuf> {
    let directory = |path: &Path| {
        let parent = path.parent().unwrap_or(Path::new("."));
        if parent.as_os_str().is_empty() { PathBuf::from(".") } else { parent.to_owned() }
    };
    let mut directories = BTreeSet::new();
    for path in paths {
        directories.insert(directory(path));
        if let Ok(target) = path.canonicalize() {
            directories.insert(directory(&target));
        }
    }
    directories
}
