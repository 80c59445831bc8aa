//! Secrets that are no objects of the store, and what is left of objects that the store has no more.

use biplane_store::{Change as StoreChange, Changes, Identity, Listing as Reading, SourceEvent};
use biplane_xds::Fleets;
use bytes::Bytes;

use super::*;
use crate::catalog::Made;
use crate::engine::{Engine, MadeState};
use crate::hold::Holds;

fn object(kind: Kind, name: &str, text: &str) -> StoredObject {
    StoredObject {
        key: ObjectKey::new(kind, "default", name),
        value: Bytes::from(format!("metadata: {{name: {name}, namespace: default}}\n{text}")),
        location: Location::file(format!("{name}.yaml"), 1),
        revision: Revision(1),
        created: None,
    }
}

fn complete(items: Vec<StoredObject>) -> SourceEvent {
    let (identity, revision) = (Identity::new("test"), Revision(1));
    SourceEvent::Complete(Reading { identity, revision, items, faults: Vec::new() })
}

fn engine(left: Vec<KeptSecret>) -> Engine {
    let engine = Engine::new(Fleets::new(), Holds::new(Duration::from_secs(30)), Vec::new());
    engine.with_secrets(Secrets::new(sources(), left))
}

#[tokio::test(start_paused = true)]
async fn secrets_without_an_object_are_none_of_the_store_s_for_the_shrink_guard() {
    let secret = |number| object(Kind::Secret, &format!("own-{number}"), "generic: {values: {a: b}}\n");
    // Each names a secret that only a source may have.
    let user = |number| {
        let ssl = format!("sslConfig: {{secretRef: {{name: gloo-{number}, namespace: default}}}}");
        let text = format!("static: {{hosts: [{{addr: 127.0.0.1, port: 1}}]}}\n{ssl}\n");
        object(Kind::Upstream, &format!("u-{number}"), &text)
    };
    let mut engine = engine(Vec::new());
    let items = (0..10).map(secret).chain((0..40).map(user)).collect();
    engine.on_event(complete(items), Instant::now());
    assert_eq!(engine.secrets().wanted().len(), 40);
    let gone = (0..5).map(|number| StoreChange::Deleted(secret(number).key)).collect();
    let changes = Changes { revision: Revision(2), changes: gone, faults: None };
    engine.on_event(SourceEvent::Changes(changes), Instant::now());
    assert_eq!(engine.guard().held().len(), 5, "half of the secrets that the store has");
}

#[tokio::test(start_paused = true)]
async fn what_was_kept_for_an_object_that_the_store_has_no_more_is_dropped() {
    let mut world = World::of(IN_VAULT);
    world.tell(Listing::Complete(Some(pair(2000))));
    let mut engine = engine(world.secrets.kept());
    engine.on_silence(Instant::now());
    assert_eq!(engine.secrets().kept().len(), 1, "nothing was read yet");
    engine.on_event(complete(Vec::new()), Instant::now());
    assert_eq!(engine.secrets().kept(), []);
    assert!(engine.edition() > 0, "there is an edition without it to write");
}

#[tokio::test(start_paused = true)]
async fn what_was_kept_waits_for_all_that_may_name_it() {
    let mut world = World::of(IN_VAULT);
    world.tell(Listing::Complete(Some(pair(2000))));
    let known = Made::default;
    let mut unread = engine(world.secrets.kept());
    unread.on_made(known(), Instant::now());
    assert_eq!(unread.secrets().kept().len(), 1, "the store was not read");
    let mut engine = engine(world.secrets.kept()).with_made(MadeState::waiting(["consul".into()]));
    engine.on_event(complete(Vec::new()), Instant::now());
    assert_eq!(engine.secrets().kept().len(), 1, "a service may name it");
    engine.on_made(known(), Instant::now());
    assert_eq!(engine.secrets().kept(), []);
}

#[tokio::test(start_paused = true)]
async fn what_was_kept_for_an_object_of_the_store_stays_though_nothing_uses_it() {
    let mut world = World::of(IN_VAULT);
    world.tell(Listing::Complete(Some(pair(2000))));
    let mut engine = engine(world.secrets.kept());
    engine.on_event(complete(vec![object(Kind::Secret, NAME, IN_VAULT)]), Instant::now());
    assert_eq!(engine.secrets().kept().len(), 1);
}
