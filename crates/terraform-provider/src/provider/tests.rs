//! Plans and applies against a store of a few lines, which counts revisions as a real one does.

use std::collections::BTreeMap;

use async_trait::async_trait;
use biplane_admin_api::ProblemKind;
use biplane_admin_api::resources::{
    ApplyRequest, ApplyResult, Events, Expect, Filter, Name, Operation, Resource, ResourceList, Version,
};
use serde_json::{Value as Json, json};

use super::*;
use crate::wire::calls::{ApplyRequest as Apply, PlanRequest, ReadRequest};

const TYPE: &str = "biplane_upstream";

/// Texts by key, each with its revision.
#[derive(Debug, Default)]
struct Store {
    objects: Mutex<BTreeMap<ObjectKey, (u64, String)>>,
}

#[async_trait]
impl Resources for Store {
    async fn get(&self, key: &ObjectKey) -> Result<Resource, Problem> {
        let objects = self.objects.lock().unwrap();
        let (revision, text) =
            objects.get(key).ok_or_else(|| Problem::new(ProblemKind::NotFound, "not there"))?;
        Ok(Resource {
            kind: key.kind,
            namespace: key.namespace.clone(),
            name: key.name.clone(),
            revision: *revision,
            location: String::new(),
            labels: BTreeMap::new(),
            text: text.clone(),
            redacted: false,
            document: serde_json::from_str(text).ok(),
        })
    }

    async fn apply(&self, request: &ApplyRequest) -> Result<ApplyResult, Problem> {
        let mut objects = self.objects.lock().unwrap();
        let revision = 1 + objects.values().map(|(revision, _)| *revision).max().unwrap_or_default();
        for change in &request.changes {
            let (Operation::Put { key: Some(name), .. } | Operation::Delete { key: name }) =
                &change.operation
            else {
                panic!("a change names its object")
            };
            let key = ObjectKey::from(name);
            let found = objects.get(&key).map(|(revision, _)| *revision);
            let holds = match change.expect {
                Expect::Anything => true,
                Expect::Absent => found.is_none(),
                Expect::Revision(revision) => found == Some(revision),
            };
            if !holds {
                let object = Some(Name::from(&key));
                return Err(Problem { object, found, ..Problem::new(ProblemKind::Conflict, "a conflict") });
            }
            match &change.operation {
                _ if request.dry_run => {}
                Operation::Put { text, .. } => drop(objects.insert(key, (revision, text.clone()))),
                Operation::Delete { .. } => drop(objects.remove(&key)),
            }
        }
        Ok(ApplyResult { revision, ..ApplyResult::default() })
    }

    async fn list(&self, _: &Filter) -> Result<ResourceList, Problem> {
        unreachable!("the provider reads one by one")
    }

    async fn history(&self, _: &ObjectKey) -> Result<Vec<Version>, Problem> {
        unreachable!("the provider does not look back")
    }

    async fn rollback(&self, _: &ObjectKey, _: u64, _: &str, _: bool) -> Result<ApplyResult, Problem> {
        unreachable!("the provider does not look back")
    }

    async fn watch(&self, _: &Filter) -> Result<Events, Problem> {
        unreachable!("the provider does not wait")
    }

    async fn init(&self) -> Result<String, Problem> {
        unreachable!("stores are made by others")
    }
}

impl Store {
    /// Somebody else writes the object anew, changed or not.
    fn rewrite(&self, change: impl Fn(&str) -> String) {
        for (revision, text) in self.objects.lock().unwrap().values_mut() {
            *revision += 10;
            *text = change(text);
        }
    }
}

struct Bench {
    provider: Provider,
    store: Arc<Store>,
}

fn bench() -> Bench {
    let (provider, store) = (Provider::new(), Arc::new(Store::default()));
    let connection = provider.connect(store.clone(), "test");
    *provider.connection.lock().unwrap() = Some(Arc::new(connection));
    Bench { provider, store }
}

fn upstream(port: u16) -> Json {
    json!({ "name": "u", "namespace": "default", "static": { "hosts": [{ "addr": "a", "port": port }] } })
}

impl Bench {
    fn value(&self, json: Json) -> Value {
        settled(self.provider.form(TYPE).expect("a type").attributes(), Value::of_json(json))
    }

    async fn plan(&self, before: &Value, wanted: Json) -> Result<Value, String> {
        let config = self.value(wanted);
        let mut proposed = config.clone();
        proposed.set("revision", before.get("revision").clone());
        let answer = self.provider.plan(PlanRequest {
            type_name: TYPE.to_owned(),
            prior_state: Some(before.encode()),
            proposed_new_state: Some(proposed.encode()),
            config: Some(config.encode()),
            ..PlanRequest::default()
        });
        let answer = answer.await;
        first(&answer.diagnostics)?;
        Ok(Value::decode(answer.planned_state.as_ref()).expect("a state"))
    }

    async fn apply(&self, before: &Value, after: &Value) -> Result<Value, String> {
        let answer = self.provider.apply(Apply {
            type_name: TYPE.to_owned(),
            prior_state: Some(before.encode()),
            planned_state: Some(after.encode()),
            ..Apply::default()
        });
        let answer = answer.await;
        first(&answer.diagnostics)?;
        Ok(Value::decode(answer.new_state.as_ref()).expect("a state"))
    }

    async fn create(&self) -> Value {
        let planned = self.plan(&Value::Null, upstream(80)).await.expect("it is new");
        self.apply(&Value::Null, &planned).await.expect("it is new")
    }

    async fn read(&self, before: &Value) -> Value {
        let request = ReadRequest {
            type_name: TYPE.to_owned(),
            current_state: Some(before.encode()),
            ..ReadRequest::default()
        };
        Value::decode(self.provider.read(request).await.new_state.as_ref()).expect("a state")
    }
}

fn first(diagnostics: &[Diagnostic]) -> Result<(), String> {
    diagnostics.first().map_or(Ok(()), |diagnostic| Err(diagnostic.summary.clone()))
}

#[tokio::test(start_paused = true)]
async fn what_was_applied_reads_as_it_was_planned_and_a_plan_changes_nothing() {
    let bench = bench();
    let state = bench.create().await;
    assert_eq!(state.get("revision"), &1.into());
    assert_eq!(bench.read(&state).await, state);
    assert_eq!(bench.plan(&state, upstream(80)).await, Ok(state));
}

#[tokio::test(start_paused = true)]
async fn what_is_there_already_is_found_in_the_plan_unless_it_is_to_be_replaced() {
    let bench = bench();
    let state = bench.create().await;
    let other = Bench { provider: Provider::new(), store: bench.store.clone() };
    let connection = other.provider.connect(other.store.clone(), "test");
    *other.provider.connection.lock().unwrap() = Some(Arc::new(connection));
    let refused = other.plan(&Value::Null, upstream(80)).await;
    assert_eq!(refused, Err("Upstream default/u exists already".to_owned()));
    other.plan(&state, upstream(80)).await.expect("it is in the state");
    other.plan(&Value::Null, upstream(80)).await.expect("it is replaced");
}

#[tokio::test(start_paused = true)]
async fn an_object_that_says_the_same_at_another_revision_is_changed_and_another_one_is_not() {
    let bench = bench();
    let state = bench.create().await;
    bench.store.rewrite(str::to_owned);
    let planned = bench.plan(&state, upstream(81)).await.expect("a change");
    let state = bench.apply(&state, &planned).await.expect("it says the same");

    bench.store.rewrite(|text| text.replace("81", "99"));
    let planned = bench.plan(&state, upstream(82)).await.expect("a change");
    let refused = bench.apply(&state, &planned).await;
    assert_eq!(refused, Err("Upstream default/u was changed by somebody else since the plan".to_owned()));
    assert_eq!(bench.read(&state).await.get("static"), bench.value(upstream(99)).get("static"));
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_is_deleted_and_what_others_changed_is_not() {
    let bench = bench();
    let state = bench.create().await;
    bench.store.rewrite(|text| text.replace("80", "99"));
    let refused = bench.apply(&state, &Value::Null).await;
    assert_eq!(refused, Err("Upstream default/u was changed by somebody else since the plan".to_owned()));
    bench.store.objects.lock().unwrap().clear();
    assert_eq!(bench.apply(&state, &Value::Null).await, Ok(Value::Null));
    assert_eq!(bench.read(&state).await, Value::Null);
}
