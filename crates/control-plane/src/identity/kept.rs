//! The issuers' keys on disk, so that a restart lets nodes in while an issuer is away. They are public.
//!
//! Invariant: keys count for the place that they were read from, and for a week after that.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use anyhow::Context as _;
use biplane_core::scalars::Timestamp;
use biplane_identity::KeySet;
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;
use tracing::warn;

use crate::snapshot::write_durably;

/// How many seconds keys of an earlier run count: longer than anybody leaves an issuer alone that is down, and not for
/// ever, since one of them may have been withdrawn.
const KEPT: i64 = 7 * 24 * 3600;

/// How many seconds old what is on disk may get while the keys stay the same.
const REWRITE: i64 = 3600;

const FILE: &str = "issuer-keys.json";

/// What is on disk.
type Records = BTreeMap<String, Record>;

/// The keys of one issuer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    /// Where they were read.
    place: String,
    read_at: Timestamp,
    /// The text there.
    keys: String,
}

/// Keys of earlier runs, and what is kept of this one. Without a directory nothing is.
#[derive(Debug, Default)]
pub(super) struct KeptKeys(OnceLock<Arc<Drawer>>);

/// The file, for threads that may wait for a disk. One writes at a time.
#[derive(Debug)]
struct Drawer {
    directory: PathBuf,
    records: Mutex<Option<Records>>,
}

impl KeptKeys {
    /// Keeps them there from now on.
    pub(super) fn keep_in(&self, directory: &Path) {
        // The process has one for all its life.
        let _ = self.0.set(Arc::new(Drawer { directory: directory.to_owned(), records: Mutex::default() }));
    }

    /// The keys that an issuer had in an earlier run, and until when they count.
    pub(super) async fn find(
        &self,
        issuer: &str,
        place: &str,
        now: Timestamp,
    ) -> Option<(KeySet, Timestamp)> {
        let (drawer, issuer) = (self.0.get()?.clone(), issuer.to_owned());
        let record = spawn_blocking(move || drawer.find(&issuer)).await.expect("reading does not panic")?;
        if record.place != place || age(&record, now) > KEPT {
            return None;
        }
        Some((KeySet::parse(record.keys.as_bytes()).ok()?, Timestamp(record.read_at.0.saturating_add(KEPT))))
    }

    /// Keeps keys that were just read. What cannot be written is tried again with the next reading.
    pub(super) async fn keep(&self, issuer: &str, place: &str, text: &[u8], now: Timestamp) {
        let Some(drawer) = self.0.get().cloned() else { return };
        let keys = String::from_utf8_lossy(text).into_owned();
        let record = Record { place: place.to_owned(), read_at: now, keys };
        let owner = issuer.to_owned();
        let kept = spawn_blocking(move || drawer.keep(owner, record)).await.expect("writing does not panic");
        if let Err(error) = kept {
            warn!(issuer, error = format!("{error:#}"), "keys are not kept for a restart");
        }
    }
}

impl Drawer {
    fn find(&self, issuer: &str) -> Option<Record> {
        self.records().get_or_insert_with(|| load(&self.directory)).get(issuer).cloned()
    }

    fn keep(&self, issuer: String, new: Record) -> anyhow::Result<()> {
        let mut records = self.records();
        let kept = records.get_or_insert_with(|| load(&self.directory));
        let now = new.read_at;
        let is_kept =
            |old: &Record| (&old.place, &old.keys) == (&new.place, &new.keys) && age(old, now) < REWRITE;
        if kept.get(&issuer).is_some_and(is_kept) {
            return Ok(());
        }
        let mut next = kept.clone();
        next.retain(|_, record| age(record, now) <= KEPT);
        next.insert(issuer, new);
        write(&self.directory, &next)?;
        *kept = next;
        Ok(())
    }

    fn records(&self) -> MutexGuard<'_, Option<Records>> {
        // What is there was written as a whole.
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// By the wall clock, in seconds: keys of the future are as good as those of now.
const fn age(record: &Record, now: Timestamp) -> i64 {
    now.0.saturating_sub(record.read_at.0)
}

/// Nothing where there is nothing of use: keys can be read again.
fn load(directory: &Path) -> Records {
    let path = directory.join(FILE);
    let read = match fs::read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Records::new(),
        read => read.map_err(anyhow::Error::from),
    };
    let records = read.and_then(|text| Ok(serde_json::from_slice(&text)?));
    records.unwrap_or_else(|error| {
        warn!(path = %path.display(), %error, "keys of the last run cannot be read");
        Records::new()
    })
}

fn write(directory: &Path, records: &Records) -> anyhow::Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.with_context(|| format!("making {}", directory.display()))?;
    let text = serde_json::to_vec(records)?;
    let (path, temporary) = (directory.join(FILE), directory.join(format!("{FILE}.tmp")));
    Ok(write_durably(&path, &temporary, |out| out.write_all(&text))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000);
    const TEXT: &str =
        r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

    fn kept_in(directory: &Path) -> KeptKeys {
        let kept = KeptKeys::default();
        kept.keep_in(directory);
        kept
    }

    #[tokio::test]
    async fn keys_count_for_their_place_and_for_a_week() {
        let directory = tempfile::tempdir().expect("a directory");
        let state = directory.path().join("state");
        kept_in(&state).keep("nomad", "https://a", TEXT.as_bytes(), NOW).await;
        let later = |seconds: i64| Timestamp(NOW.0 + seconds);
        let next = kept_in(&state);
        let found = next.find("nomad", "https://a", later(KEPT)).await.expect("still good");
        assert_eq!(found, (KeySet::parse(TEXT.as_bytes()).expect("keys"), later(KEPT)));
        for (issuer, place, now) in [
            ("nomad", "https://a", later(KEPT + 1)),
            ("nomad", "https://b", NOW),
            ("consul", "https://a", NOW),
        ] {
            assert!(next.find(issuer, place, now).await.is_none(), "{issuer} {place} {now}");
        }
    }

    #[tokio::test]
    async fn keys_that_stay_the_same_are_written_once_an_hour_and_those_of_nobody_go() {
        let directory = tempfile::tempdir().expect("a directory");
        let kept = kept_in(directory.path());
        let on_disk = || load(directory.path());
        let later = |hours: i64| Timestamp(NOW.0 + hours * 3600);
        kept.keep("gone", "https://b", TEXT.as_bytes(), NOW).await;
        kept.keep("nomad", "https://a", TEXT.as_bytes(), NOW).await;
        kept.keep("nomad", "https://a", TEXT.as_bytes(), Timestamp(NOW.0 + 300)).await;
        assert_eq!(on_disk()["nomad"].read_at, NOW);
        kept.keep("nomad", "https://a", TEXT.as_bytes(), later(1)).await;
        assert_eq!(on_disk()["nomad"].read_at, later(1));
        kept.keep("nomad", "https://a", TEXT.as_bytes(), later(24 * 8)).await;
        assert_eq!(on_disk().into_keys().collect::<Vec<_>>(), ["nomad"]);
    }

    #[tokio::test]
    async fn a_file_that_is_something_else_is_no_keys_and_is_written_anew() {
        let directory = tempfile::tempdir().expect("a directory");
        fs::write(directory.path().join(FILE), "nonsense").expect("writable");
        let kept = kept_in(directory.path());
        assert!(kept.find("nomad", "https://a", NOW).await.is_none());
        kept.keep("nomad", "https://a", TEXT.as_bytes(), NOW).await;
        assert!(kept_in(directory.path()).find("nomad", "https://a", NOW).await.is_some());
    }
}
