//! What has to be done to get from what is stored to what is wanted. Decides and does no I/O.

use std::collections::{BTreeMap, BTreeSet};

use biplane_admin_api::resources::{Action, ChangeResult, Expect, Problem, Prune};
use biplane_core::key::ObjectKey;
use biplane_core::location::Location;
use biplane_store::{Author, Batch, Precondition, Revision, StoredObject};
use bytes::Bytes;

use crate::request::{Wanted, Wish};
use crate::{document, name, problems, redact};

/// What a store holds of what a request may touch, read strongly.
pub(crate) struct Current {
    /// The revision of the store that this was read at.
    pub(crate) revision: Revision,
    /// The objects that there are.
    pub(crate) objects: BTreeMap<ObjectKey, StoredObject>,
    /// The create revision of objects that are new, where the store counts such.
    pub(crate) created: Option<u64>,
}

/// What becomes of one object. It may hold secrets, so it has no `Debug`.
#[derive(Clone)]
pub(crate) struct Planned {
    pub(crate) key: ObjectKey,
    pub(crate) action: Action,
    pub(crate) before: Option<StoredObject>,
    /// The object as it will be, at the place that the caller has it from; `None`: gone.
    pub(crate) after: Option<StoredObject>,
}

/// Compares what is wanted with what there is; sorted by key.
pub(crate) fn plan(
    wanted: &[Wanted],
    prune: Option<&Prune>,
    current: &Current,
) -> Result<Vec<Planned>, Problem> {
    let mut planned: Vec<_> =
        wanted.iter().map(|wanted| one(wanted, current)).collect::<Result<_, Problem>>()?;
    if let Some(prune) = prune {
        planned.extend(pruned(wanted, prune, current));
    }
    planned.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(planned)
}

fn one(wanted: &Wanted, current: &Current) -> Result<Planned, Problem> {
    let key = &wanted.key;
    let before = current.objects.get(key);
    expected(wanted, before)?;
    match &wanted.wish {
        Wish::Delete if before.is_none() => Err(problems::not_found(key)),
        Wish::Delete => Ok(Planned::gone(key, Action::Deleted, before)),
        Wish::Put { text, location, stored } => {
            let value = value(key, text, *stored, before)?;
            Ok(put(key, value, location, current))
        }
    }
}

fn expected(wanted: &Wanted, before: Option<&StoredObject>) -> Result<(), Problem> {
    let found = before.map(|object| object.revision);
    let holds = match wanted.expect {
        Expect::Anything => true,
        Expect::Absent => found.is_none(),
        Expect::Revision(revision) => found == Some(Revision(revision)),
    };
    if holds { Ok(()) } else { Err(problems::conflict(&wanted.key, found)) }
}

/// What is to be written for a text.
fn value(key: &ObjectKey, text: &str, stored: bool, before: Option<&StoredObject>) -> Result<Bytes, Problem> {
    let present = before.and_then(|object| std::str::from_utf8(&object.value).ok());
    let filled = if stored { None } else { redact::filled(key, text, present)? };
    Ok(filled.map_or_else(|| Bytes::copy_from_slice(text.as_bytes()), Bytes::from))
}

fn put(key: &ObjectKey, value: Bytes, location: &Location, current: &Current) -> Planned {
    let before = current.objects.get(key);
    let action = match before {
        None => Action::Created,
        Some(before) if before.value == value => Action::Unchanged,
        Some(_) => Action::Changed,
    };
    let after = StoredObject {
        key: key.clone(),
        value,
        location: location.clone(),
        revision: before.map_or(current.revision, |object| object.revision),
        created: before.map_or(current.created, |object| object.created),
    };
    Planned { key: key.clone(), action, before: before.cloned(), after: Some(after) }
}

/// The objects that go because nobody mentions them.
fn pruned(wanted: &[Wanted], prune: &Prune, current: &Current) -> Vec<Planned> {
    let mentioned: BTreeSet<_> = wanted.iter().map(|wanted| &wanted.key).collect();
    let kind = |key: &ObjectKey| {
        if prune.kinds.is_empty() {
            return mentioned.iter().any(|mentioned| mentioned.kind == key.kind);
        }
        prune.kinds.contains(&key.kind)
    };
    let namespace = |key: &ObjectKey| {
        if prune.namespaces.is_empty() {
            return mentioned.iter().any(|mentioned| mentioned.namespace == key.namespace);
        }
        prune.namespaces.contains(&key.namespace)
    };
    let selected = |object: &StoredObject| {
        prune.selector.as_ref().is_none_or(|selector| selector.matches(&labels(object)))
    };
    let meant = |(key, object): &(&ObjectKey, &StoredObject)| {
        !mentioned.contains(key) && kind(key) && namespace(key) && selected(object)
    };
    let gone = current.objects.iter().filter(meant);
    gone.map(|(key, object)| Planned::gone(key, Action::Pruned, Some(object))).collect()
}

fn labels(object: &StoredObject) -> BTreeMap<String, String> {
    let Ok(text) = std::str::from_utf8(&object.value) else { return BTreeMap::new() };
    document::parse(text).map(|document| document::labels(&document, text)).unwrap_or_default()
}

/// The writes of a plan, each under the condition that its object is still what the plan was made from.
pub(crate) fn batch(planned: &[Planned], author: &Author) -> Batch {
    let changes = planned.iter().filter(|planned| planned.action != Action::Unchanged);
    changes.fold(Batch::new().by(author.clone()), |batch, planned| {
        let before = planned.before.as_ref();
        let precondition = before.map_or(Precondition::Absent, |object| Precondition::At(object.revision));
        match &planned.after {
            Some(after) => batch.put(planned.key.clone(), after.value.clone(), precondition),
            None => batch.delete(planned.key.clone(), precondition),
        }
    })
}

impl Planned {
    fn gone(key: &ObjectKey, action: Action, before: Option<&StoredObject>) -> Self {
        Self { key: key.clone(), action, before: before.cloned(), after: None }
    }

    /// As the API tells it.
    pub(crate) fn result(&self, diff: String) -> ChangeResult {
        let before = self.before.as_ref().map(|object| object.revision.0);
        ChangeResult { key: name(&self.key), action: self.action, before, diff }
    }
}
