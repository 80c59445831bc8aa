//! What becomes of batches, with a Biplane of a few lines: it refuses texts that say `bad`.

use async_trait::async_trait;
use biplane_admin_api::key::Kind;
use biplane_admin_api::resources::{
    Action, ApplyResult, ChangeResult, Events, Filter, Operation, Resource, ResourceList, Version,
};
use biplane_admin_api::status::{ObjectReport, Severity};

use super::*;

#[derive(Debug, Default)]
struct Fake {
    requests: Mutex<Vec<(bool, Vec<String>)>>,
}

fn key(name: &str) -> ObjectKey {
    ObjectKey::new(Kind::Upstream, "default", name)
}

fn put(name: &str, text: &str) -> (ObjectKey, Change) {
    let key = key(name);
    let operation =
        Operation::Put { text: text.to_owned(), origin: String::new(), line: 0, key: Some((&key).into()) };
    (key, Change { operation, expect: Expect::Anything })
}

fn delete(name: &str) -> (ObjectKey, Change) {
    let key = key(name);
    let operation = Operation::Delete { key: (&key).into() };
    (key, Change { operation, expect: Expect::Revision(1) })
}

#[async_trait]
impl Resources for Fake {
    async fn apply(&self, request: &ApplyRequest) -> Result<ApplyResult, Problem> {
        let mut names = Vec::new();
        let mut findings = Vec::new();
        let mut changes = Vec::new();
        for change in &request.changes {
            let (name, text) = match &change.operation {
                Operation::Put { key: Some(key), text, .. } => (key, text.as_str()),
                Operation::Delete { key } => {
                    return Err(Problem::new(ProblemKind::NotFound, "not there").of(key.clone()));
                }
                Operation::Put { .. } => panic!("a change names its object"),
            };
            names.push(name.name.clone());
            let action = if text == "same" { Action::Unchanged } else { Action::Changed };
            changes.push(ChangeResult { key: name.clone(), action, before: Some(3), diff: String::new() });
            let object = Some(ObjectKey::from(name).to_string());
            let report = ObjectReport { object, severity: Severity::Error, ..ObjectReport::default() };
            findings.extend((text == "bad").then_some(ValidationFinding { new: true, report }));
            if text == "down" {
                return Err(Problem::new(ProblemKind::Unavailable, "the store is down"));
            }
        }
        if findings.is_empty() {
            self.requests.lock().unwrap().push((request.dry_run, names));
            return Ok(ApplyResult { revision: 9, changes, ..ApplyResult::default() });
        }
        Err(Problem { findings, ..Problem::new(ProblemKind::Invalid, "refused") })
    }

    async fn list(&self, _: &Filter) -> Result<ResourceList, Problem> {
        unreachable!("batches only write")
    }

    async fn get(&self, _: &ObjectKey) -> Result<Resource, Problem> {
        unreachable!("batches only write")
    }

    async fn history(&self, _: &ObjectKey) -> Result<Vec<Version>, Problem> {
        unreachable!("batches only write")
    }

    async fn rollback(&self, _: &ObjectKey, _: u64, _: &str, _: bool) -> Result<ApplyResult, Problem> {
        unreachable!("batches only write")
    }

    async fn watch(&self, _: &Filter) -> Result<Events, Problem> {
        unreachable!("batches only write")
    }

    async fn init(&self) -> Result<String, Problem> {
        unreachable!("batches only write")
    }
}

struct Bench {
    fake: Arc<Fake>,
    activity: Arc<Activity>,
    batches: Batches,
}

fn bench() -> Bench {
    let (fake, activity) = (Arc::new(Fake::default()), Arc::new(Activity::new()));
    let resources: Arc<dyn Resources> = fake.clone();
    let batches = Batches::start(&resources, &activity, "test");
    Bench { fake, activity, batches }
}

impl Bench {
    async fn all(&self, changes: Vec<(ObjectKey, Change)>, dry: bool) -> Vec<Outcome> {
        let calls = changes.into_iter().map(|(key, change)| async {
            let _call = self.activity.begin();
            if dry {
                self.batches.try_out(key, change, true).await
            } else {
                self.batches.write(key, change).await
            }
        });
        futures::future::join_all(calls).await
    }

    fn requests(&self) -> Vec<(bool, Vec<String>)> {
        self.fake.requests.lock().unwrap().clone()
    }
}

fn kinds(outcomes: &[Outcome]) -> Vec<Result<u64, ProblemKind>> {
    outcomes
        .iter()
        .map(|outcome| outcome.as_ref().map(|done| done.revision).map_err(|problem| problem.kind))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn changes_of_the_same_time_are_one_request() {
    let bench = bench();
    let outcomes = bench.all(vec![put("a", ""), put("b", "same"), put("c", "")], false).await;
    assert_eq!(kinds(&outcomes), [Ok(9), Ok(3), Ok(9)]);
    assert_eq!(bench.requests(), [(false, ["a", "b", "c"].map(String::from).to_vec())]);
}

#[tokio::test(start_paused = true)]
async fn each_error_goes_to_its_own_resource_and_the_rest_is_done() {
    let bench = bench();
    let outcomes = bench.all(vec![put("a", ""), put("b", "bad"), put("c", ""), delete("d")], false).await;
    assert_eq!(kinds(&outcomes), [Ok(9), Err(ProblemKind::Invalid), Ok(9), Ok(0)]);
    assert_eq!(bench.requests(), [(false, ["a", "c"].map(String::from).to_vec())]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_down_is_told_to_all() {
    let outcomes = bench().all(vec![put("a", ""), put("b", "down")], false).await;
    assert_eq!(kinds(&outcomes), [Err(ProblemKind::Unavailable); 2]);
}

#[tokio::test(start_paused = true)]
async fn two_resources_that_are_one_object_are_found() {
    let outcomes = bench().all(vec![put("a", ""), put("a", "")], false).await;
    assert_eq!(kinds(&outcomes), [Ok(9), Err(ProblemKind::BadRequest)]);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_builds_on_what_was_planned_and_not_yet_written() {
    let bench = bench();
    bench.all(vec![put("a", ""), put("b", "bad")], true).await;
    bench.all(vec![put("c", "")], true).await;
    bench.all(vec![put("a", "")], false).await;
    bench.all(vec![put("d", "")], true).await;
    let names: Vec<_> = bench.requests().into_iter().map(|(_, names)| names.join(" ")).collect();
    assert_eq!(names, ["a", "a c", "a", "c d"]);
}
