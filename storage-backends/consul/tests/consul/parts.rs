//! Large prefixes: what a change costs, what is found beside the parts, what stays together.

use biplane_core::key::{Kind, ObjectKey};
use biplane_store::conformance::{Harness as _, document, key};
use biplane_store::{Batch, Change, FaultKind, Precondition, StoreError};

use crate::harness::{Marked, tuning};

fn service(namespace: &str, name: &str) -> ObjectKey {
    ObjectKey::new(Kind::VirtualService, namespace, name)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_in_one_of_many_namespaces_costs_a_small_part_of_the_whole() {
    let harness = Marked::tuned(tuning()).await;
    let note = "x".repeat(400);
    let object = |n: usize| service(&format!("team-{}", n % 50), &format!("s{n}"));
    for chunk in (0..2000).collect::<Vec<_>>().chunks(64) {
        harness.write(chunk.iter().map(|n| (object(*n), document(&object(*n), &note))).collect()).await;
    }
    let mut follower = harness.follow().await;
    let listed = harness.proxy.counters().to_client;
    harness.write(vec![(object(7), document(&object(7), "changed"))]).await;
    follower.until_note(&object(7), "changed").await;
    let cost = harness.proxy.counters().to_client - listed;
    assert!(cost * 10 < listed, "a change costs {cost} bytes, and all of it {listed}");
    let connections = harness.proxy.connections();
    assert!(connections < 80, "{connections} connections: an agent takes 200 from one client");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_outgrows_one_part_is_cut_without_anybody_noticing() {
    let harness = Marked::tuned(biplane_store_consul::Tuning { whole_bytes: 2_000, ..tuning() }).await;
    let mut follower = harness.follow().await;
    for n in 0..40 {
        let object = service(&format!("team-{}", n % 4), &format!("s{n}"));
        harness.write(vec![(object.clone(), document(&object, &"x".repeat(200)))]).await;
    }
    follower.until("all of them", |seen| seen.objects.len() == 40).await;
    let object = service("team-2", "s2");
    harness.write(vec![(object.clone(), document(&object, "changed"))]).await;
    follower.until_note(&object, "changed").await;
    harness.remove(object.clone()).await;
    follower.until("the deletion", |seen| seen.objects.len() == 39).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_kinds_namespaces_and_strays_are_seen_beside_the_parts() {
    let harness = Marked::in_parts().await;
    for namespace in ["a", "b"] {
        let object = service(namespace, "x");
        harness.write(vec![(object.clone(), document(&object, "1"))]).await;
    }
    let mut follower = harness.follow().await;
    let new = [
        service("c", "x"),
        ObjectKey::new(Kind::Secret, "a", "x"),
        ObjectKey::new(Kind::VirtualHostOption, "a", "x"),
    ];
    for object in &new {
        harness.write(vec![(object.clone(), document(object, "new"))]).await;
        follower.until_note(object, "new").await;
    }
    harness.put("VirtualService/stray", "typo").await;
    harness.put("stray", "typo").await;
    follower.until("two faults", |seen| seen.faults.len() == 2).await;
    assert!(follower.faults.iter().all(|fault| fault.kind == FaultKind::Unidentified));
    harness.delete("VirtualService/stray").await;
    harness.delete("stray").await;
    follower.until("no fault", |seen| seen.faults.is_empty()).await;
    for object in &new {
        harness.remove(object.clone()).await;
    }
    follower.until("the first two", |seen| seen.objects.len() == 2).await;
    // What went may come again.
    harness.write(vec![(new[1].clone(), document(&new[1], "again"))]).await;
    follower.until_note(&new[1], "again").await;
}

/// Consul 1.20 does not wake each query whose keys are deleted by a shorter prefix than its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_deleted_by_a_prefix_that_is_shorter_than_a_part_is_told() {
    let harness = Marked::in_parts().await;
    let object = |kind, namespace: &str| ObjectKey::new(kind, namespace, "x");
    let mut objects = vec![object(Kind::VirtualService, "a")];
    for kind in [Kind::Upstream, Kind::UpstreamGroup] {
        objects.extend(["a", "b"].map(|namespace| object(kind, namespace)));
    }
    harness.write(objects.iter().map(|object| (object.clone(), document(object, "1"))).collect()).await;
    let mut follower = harness.follow().await;
    for prefix in ["Up", "VirtualService/"] {
        // The queries are under way when the first change has been told.
        harness.write(vec![(objects[0].clone(), document(&objects[0], prefix))]).await;
        follower.until_note(&objects[0], prefix).await;
        harness.server.consul.kv_delete_prefix(&harness.config(prefix)).await.expect("a deletion");
        let left = usize::from(prefix == "Up");
        follower.until("the deletion", |seen| seen.objects.len() == left).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wipe_by_a_shorter_prefix_than_the_store_ends_the_watch() {
    for harness in [Marked::new().await, Marked::in_parts().await] {
        harness.put_service("a", "1").await;
        let mut follower = harness.follow().await;
        harness.put_service("a", "2").await;
        follower.until_note(&key("a"), "\"2\"").await;
        harness.server.consul.kv_delete_prefix(&format!("{}/", harness.root)).await.expect("a deletion");
        let told = follower.until_end().await;
        assert!(told.iter().all(|told| told.changes.is_empty()), "{told:?}");
        assert!(matches!(follower.ended, Some(StoreError::Unmarked { .. })), "{:?}", follower.ended);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_own_batches_over_several_folders_are_told_together() {
    let harness = Marked::in_parts().await;
    let objects: Vec<_> = ["a", "b", "c", "d"].iter().map(|namespace| service(namespace, "x")).collect();
    let commit = async |note: &str| {
        let batch = objects.iter().fold(Batch::new(), |batch, object| {
            batch.put(object.clone(), document(object, note), Precondition::Any)
        });
        harness.store().commit(batch).await.expect("a batch")
    };
    commit("first").await;
    let mut follower = harness.follow().await;
    for round in 0..20 {
        let note = format!("round {round}.");
        let revision = commit(&note).await;
        follower.until_note(&objects[0], &note).await;
        let last = follower.told.last().expect("it was told");
        assert_eq!((last.changes.len(), last.revision), (4, revision), "round {round}: {last:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_own_batches_into_new_folders_are_told_together() {
    let harness = Marked::in_parts().await;
    for namespace in ["a", "b"] {
        harness.write(vec![(service(namespace, "x"), document(&service(namespace, "x"), "1"))]).await;
    }
    let mut follower = harness.follow().await;
    for round in 0..20 {
        let note = format!("round {round}.");
        let new =
            ObjectKey::new([Kind::Upstream, Kind::VirtualService][round % 2], format!("new-{round}"), "x");
        let objects = [service("a", "x"), service("b", "x"), new.clone()];
        let batch = objects.iter().fold(Batch::new(), |batch, object| {
            batch.put(object.clone(), document(object, &note), Precondition::Any)
        });
        let revision = harness.store().commit(batch).await.expect("a batch");
        follower.until_note(&objects[0], &note).await;
        let last = follower.told.last().expect("it was told");
        assert_eq!((last.changes.len(), last.revision), (3, revision), "round {round}: {last:?}");
        harness.remove(new).await;
        follower.until("its end", |seen| seen.objects.len() == 2).await;
    }
}

/// A part that is slow to answer, and one that is quick: what is told later is never from before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_change_is_told_after_a_later_revision() {
    let harness = Marked::in_parts().await;
    let large = |n: usize| ObjectKey::new(Kind::Upstream, "large", format!("u{n}"));
    let value = |n: usize, note: &str| document(&large(n), &format!("{note}{}", "x".repeat(60_000)));
    for n in 0..10 {
        harness.write(vec![(large(n), value(n, "0"))]).await;
    }
    harness.put_service("small", "0").await;
    let mut follower = harness.follow().await;
    harness.proxy.throttle(4_000_000);
    for round in 1..6 {
        let note = format!("round {round}.");
        let new = ObjectKey::new(Kind::Secret, format!("new-{round}"), "x");
        harness.write(vec![(new.clone(), document(&new, &note))]).await;
        harness.write(vec![(large(0), value(0, &note))]).await;
        harness.put_service("small", &note).await;
        let head = harness.store().head().await.expect("a revision");
        follower.until("the store's revision", |seen| seen.revision >= head).await;
        for object in [&new, &large(0), &key("small")] {
            let told = follower.objects.get(object).is_some_and(|told| contains(&told.value, &note));
            assert!(told, "round {round}: {object} is missing at {head}");
        }
    }
    for pair in follower.told.windows(2) {
        let late = pair[1].changes.iter().filter_map(|change| match change {
            Change::Put(object) => Some(object.revision).filter(|revision| *revision <= pair[0].revision),
            Change::Deleted(_) => None,
        });
        assert_eq!(late.collect::<Vec<_>>(), [], "told after {}", pair[0].revision);
    }
}

fn contains(value: &[u8], text: &str) -> bool {
    String::from_utf8_lossy(value).contains(text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn folders_that_people_make_in_the_web_interface_are_no_faults() {
    let harness = Marked::new().await;
    for folder in ["VirtualService/", "VirtualService/default/"] {
        harness.put(folder, "").await;
    }
    harness.put_service("a", "1").await;
    let listing = harness.store().list().await.expect("the store lists");
    assert_eq!((listing.items.len(), listing.faults), (1, Vec::new()));
    let mut follower = harness.follow().await;
    harness.put("Upstream/", "").await;
    harness.put_service("a", "2").await;
    follower.until_note(&key("a"), "\"2\"").await;
    assert_eq!(follower.faults, []);
}
