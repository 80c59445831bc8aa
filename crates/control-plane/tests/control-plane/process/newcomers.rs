//! Replicas without a memory of their own, over stores that had a bad day before they came.

use super::*;

/// Waits until the leader has written down what it serves and holds.
async fn until_told(store: &MemoryStore, objects: usize, held: u64) {
    let began = Instant::now();
    loop {
        let record = store.records().unwrap().read("status/_summary").await.unwrap();
        let summary = record.map(|record| serde_json::from_slice::<StatusSummary>(&record.value).unwrap());
        let in_use = summary.as_ref().and_then(|summary| summary.objects.get("Upstream").copied());
        if summary.as_ref().is_some_and(|summary| summary.held == held) && in_use == Some(objects as u64) {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{summary:?}");
        sleep(Duration::from_millis(10)).await;
    }
}

fn gone(range: std::ops::Range<usize>) -> Batch {
    range.fold(Batch::new(), |batch, number| batch.delete(upstream(number), Precondition::Any))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replica_without_memory_does_not_believe_a_store_that_lacks_what_the_leader_holds() {
    let store = filled("held").await;
    let one = Process::start(store.clone(), None).await;
    one.until_in_use(OBJECTS).await;
    store.commit(gone(0..6)).await.unwrap();
    one.until_state(SourceState::Suspect).await;
    until_told(&store, OBJECTS, 6).await;
    let two = Process::start(store.clone(), None).await;
    let source = two.until_state(SourceState::Suspect).await;
    assert!(source.reason.is_some_and(|reason| reason.contains("6 of its objects are held back elsewhere")));
    assert!(source.hint.is_some_and(|hint| hint.contains("biplane source accept")));
    assert!(!two.client.status().await.unwrap().ready, "no Envoy is answered");
    // What is meant there is believed here.
    one.client.accept("memory://held", None, "ann").await.unwrap();
    two.until_in_use(OBJECTS - 6).await;
    assert_eq!(two.until_state(SourceState::Complete).await.held, []);
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replica_without_memory_does_not_believe_a_store_that_was_wiped_while_nobody_ran() {
    let store = filled("nobody").await;
    let one = Process::start(store.clone(), None).await;
    one.until_in_use(OBJECTS).await;
    until_told(&store, OBJECTS, 0).await;
    one.stop().await;
    store.commit(gone(0..6)).await.unwrap();
    let two = Process::start(store.clone(), None).await;
    let source = two.until_state(SourceState::Suspect).await;
    assert!(source.reason.is_some_and(|reason| reason.contains("6 of 8 Upstream objects went")));
    // Put back, or meant: either will do.
    store
        .commit(all(Batch::new(), |batch, key, text| batch.put(key, text, Precondition::Any)))
        .await
        .unwrap();
    two.until_in_use(OBJECTS).await;
    until_told(&store, OBJECTS, 0).await;
    two.stop().await;
    store.commit(gone(0..6)).await.unwrap();
    let three = Process::start(store.clone(), None).await;
    let shown = three.until_state(SourceState::Suspect).await.held_tag;
    assert!(shown.is_some());
    three.client.accept("memory://nobody", shown.as_deref(), "ann").await.unwrap();
    three.until_in_use(OBJECTS - 6).await;
    until_told(&store, OBJECTS - 6, 0).await;
    three.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replica_without_memory_believes_what_was_deleted_in_somebody_s_name() {
    let store = filled("meant").await;
    let one = Process::start(store.clone(), None).await;
    one.until_in_use(OBJECTS).await;
    until_told(&store, OBJECTS, 0).await;
    one.stop().await;
    let author = Author { name: "ann".to_owned(), message: "moving out".to_owned() };
    store.commit(gone(0..6).by(author)).await.unwrap();
    let two = Process::start(store.clone(), None).await;
    two.until_in_use(OBJECTS - 6).await;
    two.stop().await;
}
