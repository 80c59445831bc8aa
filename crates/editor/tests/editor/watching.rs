//! Watches: what there is, what becomes of it, and when they end.

use std::time::Duration;

use biplane_admin_api::resources::{Events, Filter, ProblemKind, ResourceEvent, Resources as _};
use biplane_core::key::Kind;
use biplane_store::StoreError;
use biplane_store::faulty::{Cut, Mode};
use futures::StreamExt as _;
use tokio::time::{Instant, timeout};

use crate::world::{apply, delete, faulty, gateway, key, put, shop, upstream, write};

/// The next events as lines; signs of life are read past.
async fn lines(events: &mut Events, count: usize) -> Vec<String> {
    let mut lines = Vec::new();
    while lines.len() < count {
        match next(events).await {
            ResourceEvent::Put { resource } => lines.push(format!("put {}/{}", resource.kind, resource.name)),
            ResourceEvent::Deleted { kind, name, .. } => lines.push(format!("deleted {kind}/{name}")),
            ResourceEvent::Listed { .. } => lines.push("listed".to_owned()),
            ResourceEvent::Alive => {}
        }
    }
    lines
}

async fn next(events: &mut Events) -> ResourceEvent {
    let event = timeout(Duration::from_mins(1), events.next()).await.expect("a watch tells something");
    event.expect("a watch does not end silently").unwrap()
}

fn upstreams() -> Filter {
    Filter { kind: Some(Kind::Upstream), ..Filter::default() }
}

#[tokio::test]
async fn a_watch_tells_what_there_is_and_then_what_becomes_of_it() {
    let (_, editor) = shop();
    let mut events = editor.watch(&Filter::default()).await.unwrap();
    let there = ["put Gateway/edge", "put VirtualService/shop", "put Upstream/cart", "listed"];
    assert_eq!(lines(&mut events, 4).await, there);
    apply(&editor, [put(&upstream("new"))]).await.unwrap();
    apply(&editor, [delete(Kind::Upstream, "new")]).await.unwrap();
    assert_eq!(lines(&mut events, 2).await, ["put Upstream/new", "deleted Upstream/new"]);
}

#[tokio::test]
async fn what_no_longer_matches_is_gone_for_the_watcher() {
    let (store, editor) = shop();
    let label = |label: &str| {
        upstream("cart")
            .replace("namespace: default", &format!("namespace: default, labels: {{app: {label}}}"))
    };
    write(&store, &key(Kind::Upstream, "cart"), &label("a"));
    let filter = Filter { selector: Some("app=a".parse().unwrap()), ..upstreams() };
    let mut events = editor.watch(&filter).await.unwrap();
    assert_eq!(lines(&mut events, 2).await, ["put Upstream/cart", "listed"]);
    write(&store, &key(Kind::Upstream, "cart"), &label("b"));
    write(&store, &key(Kind::Upstream, "cart"), &label("a"));
    assert_eq!(lines(&mut events, 2).await, ["deleted Upstream/cart", "put Upstream/cart"]);
}

#[tokio::test]
async fn after_lost_events_only_the_difference_is_told() {
    let (store, _) = shop();
    let (editor, faults) = faulty(&store);
    let mut events = editor.watch(&upstreams()).await.unwrap();
    assert_eq!(lines(&mut events, 2).await, ["put Upstream/cart", "listed"]);
    faults.swallow(2);
    write(&store, &key(Kind::Upstream, "new"), &upstream("new"));
    store.delete_raw("Upstream/default/cart");
    faults.cut(Cut::Resync);
    assert_eq!(lines(&mut events, 2).await, ["put Upstream/new", "deleted Upstream/cart"]);
}

#[tokio::test(start_paused = true)]
async fn a_quiet_watch_gives_signs_of_life() {
    let (_, editor) = shop();
    let mut events = editor.watch(&upstreams()).await.unwrap();
    lines(&mut events, 2).await;
    for _ in 0..3 {
        let before = Instant::now();
        assert_eq!(next(&mut events).await, ResourceEvent::Alive);
        assert_eq!(before.elapsed().as_secs(), 15);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_watcher_is_not_told_of_is_no_sign_of_life() {
    let (store, editor) = shop();
    let mut events = editor.watch(&upstreams()).await.unwrap();
    lines(&mut events, 2).await;
    let writer = tokio::spawn(async move {
        for port in 9000.. {
            write(&store, &key(Kind::Gateway, "edge"), &gateway("edge", port));
            tokio::time::sleep(Duration::from_secs(4)).await;
        }
    });
    let before = Instant::now();
    assert_eq!(next(&mut events).await, ResourceEvent::Alive);
    assert_eq!(before.elapsed().as_secs(), 15);
    writer.abort();
}

#[tokio::test]
async fn a_store_that_fails_ends_the_watch_with_the_reason() {
    let (store, _) = shop();
    let (editor, faults) = faulty(&store);
    let mut events = editor.watch(&upstreams()).await.unwrap();
    lines(&mut events, 2).await;
    faults.take_down(&StoreError::unavailable("the cable is out"));
    let problem = loop {
        match events.next().await.expect("not silently") {
            Ok(event) => assert_eq!(event, ResourceEvent::Alive),
            Err(problem) => break problem,
        }
    };
    assert_eq!((problem.kind, problem.message.as_str()), (ProblemKind::Unavailable, "the cable is out"));
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn who_may_not_read_learns_it_before_the_watch_begins() {
    let (store, _) = shop();
    let (editor, faults) = faulty(&store);
    faults.on_list(Mode::Fail(StoreError::denied("no")));
    assert_eq!(editor.watch(&upstreams()).await.err().unwrap().kind, ProblemKind::Forbidden);
}
