//! Resources in memory: small, and faithful in what the server and its client can tell.
//!
//! Documents are JSON here, with kind and metadata; what a Secret holds is redacted.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use biplane_admin_api::resources::{
    Action, ApplyRequest, ApplyResult, Change, ChangeResult, Events, Expect, Filter, Name, Operation,
    Resource, ResourceEvent, ResourceList, Version,
};
use biplane_admin_api::{Problem, ProblemKind, Resources};
use biplane_core::key::{Kind, ObjectKey};
use biplane_core::scalars::Timestamp;
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::sync::broadcast;

#[derive(Debug)]
pub(crate) struct Shelf {
    state: Mutex<State>,
    events: broadcast::Sender<ResourceEvent>,
    /// Changes wait for it: a test that holds it is a slow store.
    pub(crate) pace: tokio::sync::Mutex<()>,
    waiting: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    revision: u64,
    objects: BTreeMap<ObjectKey, Version>,
    versions: BTreeMap<ObjectKey, Vec<Version>>,
    /// What every call fails with.
    problem: Option<Problem>,
    /// Who changed something last.
    author: String,
}

impl Default for Shelf {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            events: broadcast::channel(64).0,
            pace: tokio::sync::Mutex::default(),
            waiting: AtomicBool::new(false),
        }
    }
}

/// A document with a value in it that must not be seen where the kind is secret.
pub(crate) fn document(kind: Kind, name: &str, value: &str) -> String {
    let labels = json!({ "app": name });
    json!({ "kind": kind, "metadata": { "name": name, "namespace": "default", "labels": labels }, "value": value })
        .to_string()
}

pub(crate) fn key(kind: Kind, name: &str) -> ObjectKey {
    ObjectKey::new(kind, "default", name)
}

impl Shelf {
    /// Every call fails from now on.
    pub(crate) fn fail(&self, problem: Problem) {
        self.state().problem = Some(problem);
    }

    pub(crate) fn remember(&self, author: &str) {
        author.clone_into(&mut self.state().author);
    }

    pub(crate) fn author(&self) -> String {
        self.state().author.clone()
    }

    /// Whether a change waits for [`Self::pace`].
    pub(crate) fn waiting(&self) -> bool {
        self.waiting.load(Ordering::Relaxed)
    }

    pub(crate) fn revision(&self) -> u64 {
        self.state().revision
    }

    /// Puts an object there without the server.
    pub(crate) async fn put(&self, kind: Kind, name: &str, value: &str) {
        let text = document(kind, name, value);
        let operation = Operation::Put { text, origin: String::new(), line: 0, key: None };
        let changes = vec![Change { operation, expect: Expect::Anything }];
        self.apply(&ApplyRequest { changes, ..ApplyRequest::default() }).await.expect("applied");
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn working(&self) -> Result<MutexGuard<'_, State>, Problem> {
        let state = self.state();
        state.problem.clone().map_or(Ok(state), Err)
    }
}

#[async_trait]
impl Resources for Shelf {
    async fn list(&self, filter: &Filter) -> Result<ResourceList, Problem> {
        let state = self.working()?;
        let items = state.objects.iter().map(|(key, version)| resource(key, version));
        let items = items.filter(|item| filter.matches(&item.key(), &item.labels)).collect();
        Ok(ResourceList { revision: state.revision, items })
    }

    async fn get(&self, key: &ObjectKey) -> Result<Resource, Problem> {
        let state = self.working()?;
        state.objects.get(key).map(|version| resource(key, version)).ok_or_else(|| missing(key))
    }

    async fn apply(&self, request: &ApplyRequest) -> Result<ApplyResult, Problem> {
        self.waiting.store(true, Ordering::Relaxed);
        let _pace = self.pace.lock().await;
        self.waiting.store(false, Ordering::Relaxed);
        let mut state = self.working()?;
        let plan: Vec<_> =
            request.changes.iter().map(|change| planned(&state, change)).collect::<Result<_, _>>()?;
        let revision = if request.dry_run { state.revision } else { state.revision + 1 };
        let changes = plan.iter().map(|(result, _)| result.clone()).collect();
        if !request.dry_run {
            for (result, text) in plan {
                state.write(&(&result.key).into(), text, request, revision, &self.events);
            }
        }
        Ok(ApplyResult { revision, dry_run: request.dry_run, changes, findings: Vec::new() })
    }

    async fn history(&self, key: &ObjectKey) -> Result<Vec<Version>, Problem> {
        let state = self.working()?;
        let versions = state.versions.get(key).ok_or_else(|| missing(key))?;
        Ok(versions.iter().rev().map(|version| redacted(key, version)).collect())
    }

    async fn rollback(
        &self,
        key: &ObjectKey,
        revision: u64,
        author: &str,
        dry_run: bool,
    ) -> Result<ApplyResult, Problem> {
        let text = {
            let state = self.working()?;
            let versions = state.versions.get(key).into_iter().flatten();
            let version = versions.into_iter().find(|version| version.revision == revision);
            version.ok_or_else(|| missing(key))?.text.clone()
        };
        let operation = Operation::Put { text, origin: String::new(), line: 0, key: Some(key.into()) };
        let changes = vec![Change { operation, expect: Expect::Anything }];
        self.apply(&ApplyRequest { changes, dry_run, author: author.into(), ..ApplyRequest::default() }).await
    }

    async fn watch(&self, filter: &Filter) -> Result<Events, Problem> {
        let filter = filter.clone();
        let receiver = self.events.subscribe();
        let ResourceList { revision, items } = self.list(&filter).await?;
        let there = items.into_iter().map(|item| ResourceEvent::Put { resource: Box::new(item) });
        let listed = there.chain([ResourceEvent::Listed { revision }]).map(Ok);
        let changes = stream::unfold(receiver, |mut receiver| async move {
            let event = match receiver.recv().await {
                Ok(ResourceEvent::Listed { .. }) => {
                    Err(Problem::new(ProblemKind::Unavailable, "the store is away"))
                }
                Ok(event) => Ok(event),
                Err(broadcast::error::RecvError::Lagged(_)) => {
                    Err(Problem::new(ProblemKind::Unavailable, "lagged"))
                }
                Err(broadcast::error::RecvError::Closed) => return None,
            };
            Some((event, receiver))
        });
        Ok(stream::iter(listed).chain(changes).boxed())
    }

    async fn init(&self) -> Result<String, Problem> {
        drop(self.working()?);
        Ok("identity-1".to_owned())
    }
}

impl Shelf {
    /// Ends every watch with a problem.
    pub(crate) fn break_watches(&self) {
        let _ = self.events.send(ResourceEvent::Listed { revision: 0 });
    }

    pub(crate) fn watchers(&self) -> usize {
        self.events.receiver_count()
    }
}

impl State {
    fn write(
        &mut self,
        key: &ObjectKey,
        text: Option<String>,
        request: &ApplyRequest,
        revision: u64,
        events: &broadcast::Sender<ResourceEvent>,
    ) {
        self.revision = revision;
        self.author.clone_from(&request.author);
        let version = Version {
            revision,
            at: Timestamp(1_795_000_000),
            author: request.author.clone(),
            message: request.message.clone(),
            deleted: text.is_none(),
            text: text.unwrap_or_default(),
            redacted: false,
        };
        let event = if version.deleted {
            self.objects.remove(key);
            let Name { kind, namespace, name } = key.into();
            ResourceEvent::Deleted { kind, namespace, name, revision }
        } else {
            self.objects.insert(key.clone(), version.clone());
            ResourceEvent::Put { resource: Box::new(resource(key, &version)) }
        };
        self.versions.entry(key.clone()).or_default().push(version);
        let _ = events.send(event);
    }
}

/// What a change would do; the text is none for a deletion.
fn planned(state: &State, change: &Change) -> Result<(ChangeResult, Option<String>), Problem> {
    let (key, text) = match &change.operation {
        Operation::Put { text, key, .. } => (named(text, key.as_ref())?, Some(text.clone())),
        Operation::Delete { key } => (key.into(), None),
    };
    let before = state.objects.get(&key).map(|version| version.revision);
    let held = match change.expect {
        Expect::Anything => true,
        Expect::Absent => before.is_none(),
        Expect::Revision(revision) => before == Some(revision),
    };
    if !held {
        let problem = Problem::new(ProblemKind::Conflict, format!("{key} is not as was expected"));
        return Err(Problem { found: before, ..problem.of((&key).into()) });
    }
    let action = match (before, &text) {
        (None, None) => return Err(missing(&key)),
        (Some(_), None) => Action::Deleted,
        (None, Some(_)) => Action::Created,
        (Some(_), Some(_)) => Action::Changed,
    };
    Ok((ChangeResult { key: (&key).into(), action, before, diff: String::new() }, text))
}

fn named(text: &str, expected: Option<&Name>) -> Result<ObjectKey, Problem> {
    let bad = |message: &str| Problem::new(ProblemKind::Invalid, message);
    let document: Value = serde_json::from_str(text).map_err(|_| bad("it is not JSON"))?;
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let kind = word(&document["kind"]).parse().map_err(|_| bad("it has no kind"))?;
    let metadata = &document["metadata"];
    let key = ObjectKey::new(kind, word(&metadata["namespace"]), word(&metadata["name"]));
    match expected {
        Some(expected) if ObjectKey::from(expected) != key => Err(bad("it is another object")),
        _ => Ok(key),
    }
}

fn redacted(key: &ObjectKey, version: &Version) -> Version {
    let redacted = key.kind == Kind::Secret && !version.deleted;
    let text = if redacted { "[redacted]".to_owned() } else { version.text.clone() };
    Version { text, redacted, ..version.clone() }
}

fn resource(key: &ObjectKey, version: &Version) -> Resource {
    let Name { kind, namespace, name } = key.into();
    let Version { text, redacted, .. } = redacted(key, version);
    let document = serde_json::from_str(&text).ok();
    let labels = BTreeMap::from([("app".to_owned(), name.clone())]);
    let location = format!("memory at revision {}", version.revision);
    Resource { kind, namespace, name, revision: version.revision, location, labels, text, redacted, document }
}

fn missing(key: &ObjectKey) -> Problem {
    Problem::new(ProblemKind::NotFound, format!("{key} is not there")).of(key.into())
}
