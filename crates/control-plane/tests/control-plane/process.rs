//! Whole processes on loopback over stores in memory: what an operator sees and does on a store's bad day.

mod newcomers;
mod nothing;
mod secrets;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use biplane_admin_api::resources::ApplyRequest;
use biplane_admin_api::status::{SourceState, SourceStatus, StatusSummary};
use biplane_admin_api::{Client, ProblemKind, Resources, Status};
use biplane_control_plane::{Server, Settings};
use biplane_core::key::{Kind, ObjectKey};
use biplane_store::faulty::Mode;
use biplane_store::{
    Author, Batch, FaultyStore, Intent, MemoryStore, Precondition, Store, StoreError, StoreExt as _, intent,
};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use nothing::{Deleting, Nothing, WithoutRecords};

const OBJECTS: usize = 8;

fn upstream(number: usize) -> ObjectKey {
    ObjectKey::new(Kind::Upstream, "default", format!("u{number}"))
}

fn all(mut batch: Batch, change: impl Fn(Batch, ObjectKey, String) -> Batch) -> Batch {
    for number in 0..OBJECTS {
        let text = format!(
            "metadata: {{name: u{number}, namespace: default}}\nstatic: {{hosts: [{{addr: 127.0.0.1, port: 9000}}]}}\n"
        );
        batch = change(batch, upstream(number), text);
    }
    batch
}

async fn filled(name: &str) -> MemoryStore {
    let store = MemoryStore::new(name);
    let batch = all(Batch::new(), |batch, key, text| batch.put(key, text, Precondition::Any));
    store.commit(batch).await.unwrap();
    store
}

fn deletion() -> Batch {
    all(Batch::new(), |batch, key, _| batch.delete(key, Precondition::Any))
}

/// A process in this one.
struct Process {
    client: Client,
    shutdown: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Process {
    async fn start(store: impl Store, state: Option<&Path>) -> Self {
        Self::start_with(store, state, Arc::new(Nothing)).await
    }

    async fn start_with(store: impl Store, state: Option<&Path>, resources: Arc<dyn Resources>) -> Self {
        let server = Server::bind(settings(state), Arc::new(store), resources).await.unwrap();
        let shutdown = CancellationToken::new();
        let client = Client::new(server.admin);
        Self { client, task: tokio::spawn(server.run(shutdown.clone())), shutdown }
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap();
    }

    /// Waits for a status.
    async fn until(&self, what: &str, is: impl Fn(&Status) -> bool) -> Status {
        let began = Instant::now();
        loop {
            let status = self.client.status().await;
            match status {
                Ok(status) if is(&status) => return status,
                last => assert!(began.elapsed() < Duration::from_secs(20), "waited for {what}: {last:#?}"),
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    async fn until_in_use(&self, objects: usize) -> Status {
        let in_use = |status: &Status| status.objects.get("Upstream").copied().unwrap_or_default();
        self.until("objects in use", |status| status.ready && in_use(status) == objects as u64).await
    }

    async fn until_state(&self, state: SourceState) -> SourceStatus {
        let status = self.until("a state", |status| status.sources[0].state == state).await;
        status.sources.into_iter().next().unwrap()
    }
}

fn settings(state: Option<&Path>) -> Settings {
    let access = biplane_admin::AccessOptions { anonymous_write: true, ..Default::default() };
    Settings {
        xds: ([127, 0, 0, 1], 0).into(),
        admin: ([127, 0, 0, 1], 0).into(),
        access,
        state_dir: state.map(Path::to_owned),
        ..Settings::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mass_deletion_by_hand_is_held_shown_and_carried_out_by_an_operator_on_every_replica() {
    let store = filled("by-hand").await;
    let (one, two) = (Process::start(store.clone(), None).await, Process::start(store.clone(), None).await);
    one.until_in_use(OBJECTS).await;
    two.until_in_use(OBJECTS).await;
    store.commit(deletion()).await.unwrap();
    let source = one.until_state(SourceState::Suspect).await;
    two.until_state(SourceState::Suspect).await;
    assert_eq!(source.held.len(), OBJECTS);
    assert_eq!(source.reason.as_deref(), Some("it is empty, but held 8 objects before"));
    assert!(source.hint.unwrap().contains("biplane source accept memory://by-hand"));
    assert!(source.since.is_some());
    let status = one.until_in_use(OBJECTS).await;
    assert!(
        status.problems[0].contains("8 objects that it lacks stay in use (hint: "),
        "{:?}",
        status.problems
    );
    let metrics = String::from_utf8(one.client.get("/metrics").await.unwrap().body.to_vec()).unwrap();
    assert!(metrics.contains("biplane_guard_held_removals 8\n"), "{metrics}");
    assert!(metrics.contains("biplane_source_suspect 1\n"), "{metrics}");

    let accepted = one.client.accept("memory://by-hand", None, "ann").await.unwrap();
    assert_eq!((accepted.removals, accepted.objects.len()), (8, OBJECTS));
    let status = one.until_in_use(0).await;
    assert_eq!((status.sources[0].state, status.problems), (SourceState::Complete, Vec::new()));
    two.until_in_use(0).await;
    assert_eq!(one.client.accept("memory://by-hand", None, "ann").await.unwrap().removals, 0);
    assert!(one.client.accept("memory://other", None, "ann").await.is_err());
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mass_deletion_in_somebody_s_name_needs_no_second_word() {
    let store = filled("by-name").await;
    let process = Process::start(store.clone(), None).await;
    process.until_in_use(OBJECTS).await;
    let author = Author { name: "ann".to_owned(), message: "moving out".to_owned() };
    store.commit(deletion().by(author)).await.unwrap();
    let status = process.until_in_use(0).await;
    assert_eq!(status.sources[0].state, SourceState::Complete);
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mass_deletion_through_the_api_needs_no_second_word_where_intents_have_no_room() {
    let store = filled("api").await;
    let resources = Arc::new(Deleting { store: store.clone(), batch: deletion() });
    let process = Process::start_with(WithoutRecords(store), None, resources).await;
    process.until_in_use(OBJECTS).await;
    process.client.apply(&ApplyRequest::default()).await.unwrap();
    let status = process.until_in_use(0).await;
    assert_eq!(status.sources[0].state, SourceState::Complete);
    assert_eq!(status.leader, None, "nobody leads where there is nothing to write");
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wiped_store_is_unmarked_and_an_operator_s_word_marks_it_anew() {
    let store = filled("wiped").await;
    let process = Process::start(store.clone(), None).await;
    process.until_in_use(OBJECTS).await;
    store.wipe();
    let source = process.until_state(SourceState::Unmarked).await;
    assert!(source.hint.is_some_and(|hint| hint.contains("biplane init")));
    process.until_in_use(OBJECTS).await;
    let accepted = process.client.accept("memory://wiped", None, "ann").await.unwrap();
    assert_eq!(accepted.removals, 8);
    let status = process.until_in_use(0).await;
    assert_eq!(status.sources[0].state, SourceState::Complete);
    let found = store.records().unwrap().read_below(&intent::folder()).await.unwrap();
    let left = Intent::decode(&found.last().unwrap().1.value).unwrap();
    assert_eq!(left.deletes.len(), OBJECTS);
    assert!(left.author.message.contains("accepted"));
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restored_backup_takes_nothing_away_until_accepted_on_any_replica() {
    let store = filled("backup").await;
    let backup = store.backup();
    let (one, two) = (Process::start(store.clone(), None).await, Process::start(store.clone(), None).await);
    let text =
        "metadata: {name: u99, namespace: default}\nstatic: {hosts: [{addr: 127.0.0.1, port: 9000}]}\n";
    store.put(upstream(99), text.into(), Precondition::Any).await.unwrap();
    one.until_in_use(OBJECTS + 1).await;
    two.until_in_use(OBJECTS + 1).await;
    // Status and history have been written since, so that the store is far behind now.
    one.until("a leader", |status| status.leader.as_ref().is_some_and(|leader| leader.name.is_some())).await;
    store.restore(backup);
    let source = one.until_state(SourceState::Suspect).await;
    assert!(source.reason.is_some_and(|reason| reason.contains("went back")));
    two.until_state(SourceState::Suspect).await;
    one.until_in_use(OBJECTS + 1).await;
    assert_eq!(two.client.accept("memory://backup", None, "ann").await.unwrap().removals, 1);
    one.until_in_use(OBJECTS).await;
    two.until_in_use(OBJECTS).await;
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operator_accepts_what_was_shown_and_nothing_else() {
    let store = filled("shown").await;
    let process = Process::start(store.clone(), None).await;
    assert_eq!(process.until_in_use(OBJECTS).await.sources[0].held_tag, None);
    let gone = |range: std::ops::Range<usize>| {
        range.fold(Batch::new(), |batch, number| batch.delete(upstream(number), Precondition::Any))
    };
    store.commit(gone(0..5)).await.unwrap();
    let shown = process.until_state(SourceState::Suspect).await.held_tag;
    // The rest is wiped while the operator thinks about it.
    store.commit(gone(5..8)).await.unwrap();
    let status = process.until("all are held", |status| status.sources[0].held.len() == OBJECTS).await;
    let refused = process.client.accept("memory://shown", shown.as_deref(), "ann").await.unwrap_err();
    assert_eq!(refused.kind, ProblemKind::Conflict, "{refused}");
    process.until_in_use(OBJECTS).await;
    let shown = status.sources[0].held_tag.as_deref();
    assert_eq!(process.client.accept("memory://shown", shown, "ann").await.unwrap().removals, 8);
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn store_that_denies_is_told_as_such_and_followed_again_without_a_restart() {
    let store = filled("denied").await;
    let broken = FaultyStore::new(Arc::new(store.clone()));
    let faults = broken.faults();
    let process = Process::start(broken, None).await;
    process.until_in_use(OBJECTS).await;
    faults.take_down(&StoreError::denied("the token may not read it").with_hint("grant it"));
    let source = process.until_state(SourceState::Denied).await;
    assert_eq!(source.hint.as_deref(), Some("grant it"));
    let status = process.until_in_use(OBJECTS).await;
    let expected = "source memory://denied is denied: the token may not read it (hint: grant it)";
    assert!(status.problems.iter().any(|problem| problem == expected), "{:?}", status.problems);
    let refused = process.client.accept("memory://denied", None, "ann").await.unwrap_err();
    assert!(refused.message.contains("may not read"), "{refused}");
    faults.heal();
    process.until_state(SourceState::Complete).await;
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restart_without_its_store_says_how_old_it_is_and_holds_what_is_missing_later() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let store = filled("restart").await;
    let first = Process::start(store.clone(), Some(&state)).await;
    first.until_in_use(OBJECTS).await;
    first.stop().await;

    let broken = FaultyStore::new(Arc::new(store.clone()));
    let faults = broken.faults();
    faults.on_list(Mode::Fail(StoreError::unavailable("down")));
    let second = Process::start(broken, Some(&state)).await;
    let source = second.until_state(SourceState::Restored).await;
    assert!(source.age_seconds.is_some_and(|age| age < 60), "{source:#?}");
    let status = second.until_in_use(OBJECTS).await;
    assert!(status.problems[0].contains("served is what it held"), "{:?}", status.problems);
    // What was deleted meanwhile, by no name, is missed when the store is back.
    store.commit(deletion()).await.unwrap();
    faults.heal();
    assert_eq!(second.until_state(SourceState::Suspect).await.held.len(), OBJECTS);
    second.stop().await;

    // Another restart forgets nothing of it.
    let third = Process::start(store, Some(&state)).await;
    assert_eq!(third.until_state(SourceState::Suspect).await.held.len(), OBJECTS);
    third.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn store_that_does_not_answer_at_the_start_is_not_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let store = filled("silent").await;
    let first = Process::start(store.clone(), Some(&state)).await;
    first.until_in_use(OBJECTS).await;
    first.stop().await;
    let broken = FaultyStore::new(Arc::new(store));
    let faults = broken.faults();
    faults.on_list(Mode::Hang);
    let second = Process::start(broken, Some(&state)).await;
    let source = second.until_state(SourceState::Restored).await;
    assert_eq!(source.last_error.as_deref(), Some("it has not answered yet"));
    second.until_in_use(OBJECTS).await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn state_directory_of_another_process_is_refused_with_a_hint() {
    let directory = tempfile::tempdir().unwrap();
    let first = Process::start(filled("a").await, Some(directory.path())).await;
    let second =
        Server::bind(settings(Some(directory.path())), Arc::new(filled("a").await), Arc::new(Nothing));
    let error = format!("{:#}", second.await.expect_err("it is in use"));
    assert!(error.contains("another Biplane process") && error.contains("hint: "), "{error}");
    first.stop().await;
    Process::start(filled("a").await, Some(directory.path())).await.stop().await;
}
