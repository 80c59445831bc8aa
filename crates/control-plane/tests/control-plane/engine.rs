//! The engine: last good objects, the gate, and deletions that wait.

use std::time::Duration;

use biplane_control_plane::engine::{Engine, Gate};
use biplane_control_plane::hold::Holds;
use biplane_core::key::{Kind, ObjectKey};
use biplane_core::location::Location;
use biplane_core::report::Report;
use biplane_store::{
    Change, Changes, Fault, FaultKind, Identity, Listing, Revision, SourceEvent, StoreError, StoredObject,
};
use biplane_xds::{Fleets, ResourceType};
use bytes::Bytes;
use tokio::time::Instant;

const HOLD: Duration = Duration::from_secs(30);
const GATEWAY: &str = "bindAddress: 127.0.0.1\nbindPort: 8080\nhttpGateway: {}\n";
const SERVICE: &str = "virtualHost: {routes: [{routeAction: {single: {upstream: {name: u}}}}]}\n";
const UPSTREAM: &str = "static: {hosts: [{addr: 127.0.0.1, port: 9000}]}\n";

fn object(kind: Kind, name: &str, fields: &str) -> StoredObject {
    StoredObject {
        key: ObjectKey::new(kind, "default", name),
        value: Bytes::from(format!("metadata: {{name: {name}, namespace: default}}\n{fields}")),
        location: Location::file(format!("{name}.yaml"), 1),
        revision: Revision(1),
        created: None,
    }
}

fn world() -> Vec<StoredObject> {
    vec![
        object(Kind::Gateway, "g", GATEWAY),
        object(Kind::Upstream, "u", UPSTREAM),
        object(Kind::VirtualService, "v", SERVICE),
    ]
}

fn complete(items: Vec<StoredObject>) -> SourceEvent {
    SourceEvent::Complete(Listing {
        identity: Identity::new("test"),
        revision: Revision(1),
        items,
        faults: Vec::new(),
    })
}

fn changes(changes: Vec<Change>) -> SourceEvent {
    SourceEvent::Changes(Changes { revision: Revision(2), changes, faults: None })
}

fn failed() -> SourceEvent {
    SourceEvent::Failed { error: StoreError::unavailable("gone"), since: Instant::now() }
}

fn engine(fallback: Vec<StoredObject>) -> (Engine, Fleets) {
    let fleets = Fleets::new();
    (Engine::new(fleets.clone(), Holds::new(HOLD), fallback), fleets)
}

fn reports(engine: &Engine) -> Vec<Report> {
    engine.findings().located()
}

fn clusters(fleets: &Fleets) -> usize {
    fleets.snapshot("gateway-proxy").map_or(0, |snapshot| snapshot.count(ResourceType::Cluster))
}

#[tokio::test(start_paused = true)]
async fn gate_stays_closed_while_nothing_is_known() {
    let (mut engine, fleets) = engine(Vec::new());
    engine.on_event(failed(), Instant::now());
    assert_eq!((engine.gate(), fleets.is_open()), (Gate::Waiting, false));
    engine.on_event(complete(world()), Instant::now());
    assert_eq!((engine.gate(), fleets.is_open(), clusters(&fleets)), (Gate::Open, true, 1));
}

#[tokio::test(start_paused = true)]
async fn known_empty_store_opens_the_gate() {
    let (mut engine, fleets) = engine(Vec::new());
    engine.on_event(complete(Vec::new()), Instant::now());
    assert!(fleets.is_open());
}

#[tokio::test(start_paused = true)]
async fn failing_store_is_replaced_by_the_last_run() {
    let (mut engine, fleets) = engine(world());
    engine.on_event(failed(), Instant::now());
    assert_eq!((engine.gate(), clusters(&fleets)), (Gate::Restored, 1));
}

#[tokio::test(start_paused = true)]
async fn readable_store_is_believed_over_the_last_run() {
    let (mut engine, fleets) = engine(world());
    engine.on_event(complete(vec![object(Kind::Gateway, "g", GATEWAY)]), Instant::now());
    assert_eq!(clusters(&fleets), 0);
}

#[tokio::test(start_paused = true)]
async fn object_that_is_bad_at_start_is_taken_from_the_last_run() {
    let (mut engine, fleets) = engine(world());
    let mut items = world();
    items[1] = object(Kind::Upstream, "u", "static: {hosts: [{adr: 127.0.0.1}]}\n");
    engine.on_event(complete(items), Instant::now());
    assert_eq!(clusters(&fleets), 1);
    assert!(reports(&engine).iter().any(|report| report.message.contains("adr")), "{:?}", reports(&engine));
}

#[tokio::test(start_paused = true)]
async fn bad_edit_costs_only_itself_and_its_predecessor_stays() {
    let (mut engine, fleets) = engine(Vec::new());
    engine.on_event(complete(world()), Instant::now());
    let before = fleets.snapshot("gateway-proxy").unwrap().generation();
    let bad = object(Kind::VirtualService, "v", "virtualHost: {routs: []}\n");
    engine.on_event(changes(vec![Change::Put(bad)]), Instant::now());
    assert_eq!(fleets.snapshot("gateway-proxy").unwrap().generation(), before);
    assert_eq!(reports(&engine).len(), 1);
    let mended = world().pop().unwrap();
    engine.on_event(changes(vec![Change::Put(mended)]), Instant::now());
    assert_eq!(reports(&engine), []);
}

#[tokio::test(start_paused = true)]
async fn deletion_of_what_others_name_waits_for_a_bounded_time() {
    let (mut engine, fleets) = engine(Vec::new());
    engine.on_event(complete(world()), Instant::now());
    let gone = ObjectKey::new(Kind::Upstream, "default", "u");
    engine.on_event(changes(vec![Change::Deleted(gone)]), Instant::now());
    assert_eq!((clusters(&fleets), engine.holds().iter().count()), (1, 1));
    let deadline = engine.deadline().expect("a deletion waits");
    assert_eq!(deadline, Instant::now() + HOLD);
    engine.on_deadline(deadline);
    assert_eq!((clusters(&fleets), engine.holds().iter().count()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn held_deletion_goes_at_once_when_the_last_reference_goes() {
    let (mut engine, fleets) = engine(Vec::new());
    engine.on_event(complete(world()), Instant::now());
    let (upstream, service) = (
        ObjectKey::new(Kind::Upstream, "default", "u"),
        ObjectKey::new(Kind::VirtualService, "default", "v"),
    );
    engine.on_event(changes(vec![Change::Deleted(upstream)]), Instant::now());
    engine.on_event(changes(vec![Change::Deleted(service)]), Instant::now());
    assert_eq!((clusters(&fleets), engine.deadline()), (0, None));
}

#[tokio::test(start_paused = true)]
async fn rename_in_one_batch_is_not_held() {
    let (mut engine, fleets) = engine(Vec::new());
    engine.on_event(complete(world()), Instant::now());
    let renamed = vec![
        Change::Deleted(ObjectKey::new(Kind::Upstream, "default", "u")),
        Change::Put(object(Kind::Upstream, "w", UPSTREAM)),
        Change::Put(object(Kind::VirtualService, "v", &SERVICE.replace("name: u", "name: w"))),
    ];
    engine.on_event(changes(renamed), Instant::now());
    assert_eq!((clusters(&fleets), engine.deadline()), (1, None));
}

#[tokio::test(start_paused = true)]
async fn object_that_comes_back_while_its_deletion_waits_stays() {
    for back in [UPSTREAM, "static: {hosts: [{adr: 127.0.0.1}]}\n"] {
        let (mut engine, fleets) = engine(Vec::new());
        engine.on_event(complete(world()), Instant::now());
        let gone = ObjectKey::new(Kind::Upstream, "default", "u");
        engine.on_event(changes(vec![Change::Deleted(gone)]), Instant::now());
        let deadline = engine.deadline().expect("a deletion waits");
        engine.on_event(changes(vec![Change::Put(object(Kind::Upstream, "u", back))]), Instant::now());
        assert_eq!(engine.deadline(), None);
        engine.on_deadline(deadline);
        assert_eq!(clusters(&fleets), 1, "{back}");
    }
}

#[tokio::test(start_paused = true)]
async fn object_that_a_fault_hid_at_start_goes_when_its_file_is_mended_without_it() {
    let (mut engine, fleets) = engine(world());
    let hidden = Fault::new(FaultKind::Unidentified, Location::file("g.yaml", 1), "not valid YAML");
    let items = world().into_iter().skip(1).collect();
    let SourceEvent::Complete(mut listing) = complete(items) else { unreachable!("made complete") };
    listing.faults = vec![hidden];
    engine.on_event(SourceEvent::Complete(listing), Instant::now());
    assert_eq!(clusters(&fleets), 1);
    let mended = Changes { revision: Revision(2), changes: Vec::new(), faults: Some(Vec::new()) };
    engine.on_event(SourceEvent::Changes(mended), Instant::now());
    assert_eq!(clusters(&fleets), 0);
}

#[tokio::test(start_paused = true)]
async fn deletion_that_was_made_while_nobody_looked_waits_too() {
    let (mut engine, fleets) = engine(world());
    let items = world().into_iter().filter(|object| object.key.kind != Kind::Upstream).collect();
    engine.on_event(complete(items), Instant::now());
    assert_eq!((clusters(&fleets), engine.deadline()), (1, Some(Instant::now() + HOLD)));
}

#[tokio::test(start_paused = true)]
async fn many_findings_about_one_object_are_all_placed() {
    let routes = "{routeAction: {single: {upstream: {name: nowhere}}}}, ".repeat(50);
    let (mut engine, _) = engine(Vec::new());
    let service = object(Kind::VirtualService, "v", &format!("virtualHost:\n  routes: [{routes}]\n"));
    engine.on_event(complete(vec![object(Kind::Gateway, "g", GATEWAY), service]), Instant::now());
    let found = reports(&engine);
    assert_eq!((found.len(), engine.count_reports().warnings), (50, 50));
    assert!(found.iter().all(|report| report.location == Some(Location::file("v.yaml", 3))), "{found:#?}");
}

#[tokio::test(start_paused = true)]
async fn store_that_is_empty_at_start_is_not_believed_over_the_last_run() {
    let (mut engine, fleets) = engine(world());
    engine.on_event(complete(Vec::new()), Instant::now());
    assert_eq!((engine.gate(), clusters(&fleets)), (Gate::Restored, 1));
    let reason = engine.guard().suspicion().map(|suspicion| suspicion.reason.to_string());
    assert!(reason.as_ref().is_some_and(|reason| reason.contains("held 3 objects")), "{reason:?}");
    // The volume is mounted.
    engine.on_event(complete(world()), Instant::now());
    assert_eq!((engine.gate(), clusters(&fleets), reports(&engine)), (Gate::Open, 1, Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn store_that_was_empty_at_start_is_followed_and_what_it_lacks_stays_until_accepted() {
    let (mut engine, fleets) = engine(world());
    engine.on_event(complete(Vec::new()), Instant::now());
    engine.on_event(changes(vec![Change::Put(object(Kind::Gateway, "new", GATEWAY))]), Instant::now());
    assert_eq!((engine.gate(), clusters(&fleets), engine.guard().held().len()), (Gate::Open, 1, 3));
    engine.accept(Instant::now());
    assert_eq!((clusters(&fleets), engine.guard().held().len(), engine.deadline()), (0, 0, None));
    assert!(engine.guard().suspicion().is_none());
}

#[tokio::test(start_paused = true)]
async fn finding_about_a_bad_object_follows_it_when_it_moves() {
    let (mut engine, _) = engine(Vec::new());
    let bad = object(Kind::VirtualService, "v", "virtualHost: {routs: []}\n");
    engine.on_event(complete(vec![bad.clone()]), Instant::now());
    let moved = StoredObject { location: Location::file("v.yaml", 40), ..bad };
    engine.on_event(changes(vec![Change::Put(moved)]), Instant::now());
    assert_eq!(reports(&engine)[0].location, Some(Location::file("v.yaml", 41)));
}

#[tokio::test(start_paused = true)]
async fn finding_in_the_value_of_a_key_says_its_line() {
    let (mut engine, _) = engine(Vec::new());
    let routes = "[{routeAction: {single: {upstream: {name: nowhere}}}}]";
    let place = Location::Key { store: "consul://a".into(), key: "biplane/config/v".into(), revision: 7 };
    let service = object(Kind::VirtualService, "v", &format!("virtualHost:\n  routes: {routes}\n"));
    let service = StoredObject { location: place.clone(), ..service };
    engine.on_event(complete(vec![object(Kind::Gateway, "g", GATEWAY), service]), Instant::now());
    let found = reports(&engine);
    assert_eq!((found.len(), found[0].location.as_ref()), (1, Some(&place)));
    assert!(found[0].message.ends_with(" (line 3 of the value)"), "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn revision_follows_a_store_that_moves_without_changes_to_us() {
    let (mut engine, _) = engine(Vec::new());
    engine.on_event(complete(world()), Instant::now());
    let edition = engine.edition();
    let progress = Changes { revision: Revision(40), changes: Vec::new(), faults: None };
    engine.on_event(SourceEvent::Changes(progress), Instant::now());
    assert_eq!((engine.revision(), engine.edition()), (Revision(40), edition));
}
