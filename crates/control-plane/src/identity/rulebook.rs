//! The rules in force, and where they come from.
//!
//! Invariant: a file that is wrong changes nothing: the last rules that could be carried out stay in force.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use biplane_identity::{Identity, Rules};
use biplane_tls::{Stamps, Watched};
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::settings;

/// The largest file of rules.
const LARGEST: u64 = 1024 * 1024;

/// How long a file must not change until it is read.
const MOMENT: Duration = Duration::from_millis(100);

/// Rules as written and as compiled.
#[derive(Clone, Debug, Default)]
pub(super) struct Book {
    pub(super) identity: Arc<Identity>,
    pub(super) rules: Arc<Rules>,
}

/// The rules in force.
#[derive(Debug)]
pub(super) struct Rulebook {
    origin: settings::Rules,
    book: watch::Sender<Book>,
    /// How the file looked when it was read last, whatever came of it.
    stamps: Mutex<Stamps>,
}

impl Rulebook {
    /// Reads the rules, which must be without a fault.
    pub(super) fn open(origin: &settings::Rules) -> anyhow::Result<Self> {
        let (book, stamps) = match origin {
            settings::Rules::None => (Book::default(), Stamps::default()),
            settings::Rules::Inline(identity) => (compile(identity.clone())?, Stamps::default()),
            settings::Rules::File(path) => {
                let stamps = Stamps::of([path.as_path()]);
                (read(path).with_context(|| path.display().to_string())?, stamps)
            }
        };
        let (book, stamps) = (watch::Sender::new(book), Mutex::new(stamps));
        Ok(Self { origin: origin.clone(), book, stamps })
    }

    /// Whether there are to be rules.
    pub(super) fn is_set(&self) -> bool {
        self.origin != settings::Rules::None
    }

    /// Whether a certificate can let somebody in.
    pub(super) fn use_certificates(&self) -> bool {
        self.now().rules.use_certificates()
    }

    /// Whether somebody without a certificate may ever be let in; a file can come to say so at any time.
    pub(super) fn may_admit_without_certificate(&self) -> bool {
        match &self.origin {
            settings::Rules::None => false,
            settings::Rules::Inline(_) => self.now().rules.admit_without_certificate(),
            settings::Rules::File(_) => true,
        }
    }

    /// The rules in force.
    pub(super) fn now(&self) -> Book {
        self.book.borrow().clone()
    }

    /// The rules from now on.
    pub(super) fn watch(&self) -> watch::Receiver<Book> {
        self.book.subscribe()
    }

    /// Reads the file as soon as it changes, until shutdown.
    pub(super) async fn follow(&self, shutdown: &CancellationToken) {
        let settings::Rules::File(path) = &self.origin else { return shutdown.cancelled().await };
        let mut watched = Watched::new("identity", [path.as_path()]);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = watched.changed() => {
                    at_rest(path).await;
                    self.refresh(path);
                }
            }
        }
    }

    fn refresh(&self, path: &Path) {
        let mut stamps = self.stamps.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Stamps::of([path]);
        if now == *stamps {
            return;
        }
        *stamps = now;
        match read(path) {
            Ok(book) => {
                info!(file = %path.display(), rules = book.identity.rules.len(), "new rules of identity are in force");
                self.book.send_replace(book);
            }
            Err(error) => {
                let error = format!("{error:#}");
                warn!(file = %path.display(), error, "new rules of identity are not used; the last good ones stay in force");
            }
        }
    }
}

/// Ends when a file has not changed for a moment: half of what somebody writes may be rules as well.
async fn at_rest(path: &Path) {
    let mut before = Stamps::of([path]);
    loop {
        sleep(MOMENT).await;
        let now = Stamps::of([path]);
        if now == before {
            return;
        }
        before = now;
    }
}

fn read(path: &Path) -> anyhow::Result<Book> {
    if std::fs::metadata(path)?.len() > LARGEST {
        bail!("it is larger than 1 MiB");
    }
    let text = std::fs::read_to_string(path)?;
    // The parser's message quotes the line; nothing in the file is secret but hashes.
    let identity: Option<Identity> = serde_saphyr::from_str(&text).map_err(|error| {
        let line = error.location().map_or(1, |location| location.line());
        anyhow!("line {line}: {}", error.without_snippet())
    })?;
    // An editor that has emptied a file and not yet filled it must not shut everybody out.
    match identity {
        Some(identity) if !identity.rules.is_empty() => compile(identity),
        _ => bail!("it has no rules, and nobody would be let in"),
    }
}

fn compile(identity: Identity) -> anyhow::Result<Book> {
    let rules = Rules::compile(&identity).map_err(|faults| anyhow!(faults.join("\n")))?;
    Ok(Book { identity: Arc::new(identity), rules: Arc::new(rules) })
}
