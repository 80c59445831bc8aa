//! Versions of an object: what is still known of them, and the way back.

use biplane_admin_api::resources::{Expect, Problem, ProblemKind, Version};
use biplane_core::key::ObjectKey;
use biplane_core::location::Location;
use biplane_store::{Author, Revision, StoredObject, clock, history};

use crate::apply::Job;
use crate::problems::{not_found, reading};
use crate::reach::{READ, Reach, within};
use crate::request::{Wanted, Wish};
use crate::{name, view};

/// All versions that are known, the latest first. The leader writes them down a moment after they are made, so
/// the present one may be known from the store alone.
pub(crate) async fn versions(store: &Reach, key: &ObjectKey) -> Result<Vec<Version>, Problem> {
    let present = store.get(key).await.map_err(reading)?;
    let mut entries = recorded(store, key).await?;
    entries.sort_by_key(|(revision, _)| std::cmp::Reverse(*revision));
    let latest = entries.first().map(|(revision, entry)| (*revision, entry.value.is_none()));
    let unrecorded = match (&present, latest) {
        (None, None) => return Err(not_found(key)),
        (Some(object), latest) if latest.is_none_or(|(latest, _)| latest < object.revision) => {
            Some(now(object))
        }
        (None, Some((_, false))) => Some(absent(store).await?),
        _ => None,
    };
    Ok(unrecorded.into_iter().chain(entries.iter().map(|entry| version(key, entry))).collect())
}

/// What the leader has written down.
async fn recorded(store: &Reach, key: &ObjectKey) -> Result<Vec<(Revision, history::Entry)>, Problem> {
    let Some(records) = store.records() else { return Ok(Vec::new()) };
    let folder = history::folder(key);
    let below = within(READ, "read the history", records.read_below(&folder)).await.map_err(reading)?;
    let entry = |(path, record): &(String, biplane_store::Record)| {
        Some((history::revision(path)?, history::Entry::decode(&record.value)?))
    };
    Ok(below.iter().filter_map(entry).collect())
}

fn version(key: &ObjectKey, (revision, entry): &(Revision, history::Entry)) -> Version {
    let shown = entry.value.as_ref().map(|value| view::show(key, value.as_bytes()));
    Version {
        revision: revision.0,
        at: entry.at,
        author: entry.author.clone(),
        message: entry.message.clone(),
        deleted: shown.is_none(),
        redacted: shown.as_ref().is_some_and(|shown| shown.redacted),
        text: shown.map(|shown| shown.text).unwrap_or_default(),
    }
}

/// The present version, seen only now.
fn now(object: &StoredObject) -> Version {
    let view::Shown { text, redacted, .. } = view::show(&object.key, &object.value);
    Version { revision: object.revision.0, text, redacted, ..nothing() }
}

/// An absence that is not written down: it is known only that it is older than the store's revision.
async fn absent(store: &Reach) -> Result<Version, Problem> {
    let revision = store.head().await.map_err(reading)?.0;
    Ok(Version { revision, deleted: true, ..nothing() })
}

fn nothing() -> Version {
    Version {
        revision: 0,
        at: clock::now(),
        author: String::new(),
        message: String::new(),
        deleted: false,
        text: String::new(),
        redacted: false,
    }
}

/// The job that makes an earlier version the present one.
pub(crate) async fn rollback(
    store: &Reach,
    key: &ObjectKey,
    revision: u64,
    author: &str,
) -> Result<Job, Problem> {
    let present = store.get(key).await.map_err(reading)?;
    let expect = present.as_ref().map_or(Expect::Absent, |object| Expect::Revision(object.revision.0));
    let wish = match value_at(store, key, revision, present.as_ref()).await? {
        Some(text) => {
            let location = Location::file(format!("{key} at revision {revision}"), 1);
            Some(Wish::Put { text, location, stored: true })
        }
        None if present.is_some() => Some(Wish::Delete),
        // It was not there then, and is not there now.
        None => None,
    };
    let wanted = wish.map(|wish| Wanted { key: key.clone(), wish, expect });
    Ok(Job {
        wanted: wanted.into_iter().collect(),
        prune: None,
        dry_run: false,
        force: false,
        author: Author { name: author.to_owned(), message: format!("rolled back to revision {revision}") },
    })
}

/// What the object was at a revision; `None`: it was not there.
async fn value_at(
    store: &Reach,
    key: &ObjectKey,
    revision: u64,
    present: Option<&StoredObject>,
) -> Result<Option<String>, Problem> {
    let entries = recorded(store, key).await?;
    let entry = entries.into_iter().find(|(at, _)| at.0 == revision);
    if let Some((_, entry)) = entry {
        return Ok(entry.value);
    }
    let text = |object: &StoredObject| String::from_utf8(object.value.to_vec()).ok();
    let same = present.filter(|object| object.revision.0 == revision).and_then(text);
    same.map(Some).ok_or_else(|| unknown(store, key, revision))
}

fn unknown(store: &Reach, key: &ObjectKey, revision: u64) -> Problem {
    let message = format!("no version of {key} at revision {revision} is known");
    let hint = match store.records() {
        Some(_) => format!("its history names those that are; the latest {} are kept", history::KEPT),
        None => format!("{} keeps no history", store.name()),
    };
    Problem::new(ProblemKind::NotFound, message).hint(hint).of(name(key))
}
