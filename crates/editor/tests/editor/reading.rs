//! Lists, single reads, and what a store that cannot be read is answered with.

use biplane_admin_api::resources::{Filter, ProblemKind, Resources as _};
use biplane_core::key::Kind;
use biplane_editor::Editor;
use biplane_store::faulty::Mode;
use biplane_store::{MemoryStore, Store as _, StoreError};

use crate::world::{empty, faulty, key, over, shop, upstream, write};

fn labelled(name: &str, labels: &str) -> String {
    upstream(name).replace("namespace: default", &format!("namespace: default, labels: {labels}"))
}

async fn listed(editor: &Editor, filter: Filter) -> Vec<String> {
    let list = editor.list(&filter).await.unwrap();
    list.items.iter().map(|item| format!("{}/{}", item.kind, item.name)).collect()
}

#[tokio::test]
async fn a_list_is_sorted_and_at_the_stores_revision() {
    let (store, editor) = shop();
    let list = editor.list(&Filter::default()).await.unwrap();
    assert_eq!(list.revision, store.head().await.unwrap().0);
    assert_eq!(
        listed(&editor, Filter::default()).await,
        ["Gateway/edge", "VirtualService/shop", "Upstream/cart"]
    );
}

#[tokio::test]
async fn a_filter_takes_kind_namespace_name_and_labels() {
    let (store, editor) = empty();
    for (name, labels) in [("a", "{app: web, version: 1.10}"), ("b", "{app: shop}"), ("c", "{}")] {
        write(&store, &key(Kind::Upstream, name), &labelled(name, labels));
    }
    let select = |selector: &str| Filter { selector: Some(selector.parse().unwrap()), ..Filter::default() };
    assert_eq!(listed(&editor, select("app=web,version=1.10")).await, ["Upstream/a"]);
    assert_eq!(listed(&editor, select("!app")).await, ["Upstream/c"]);
    let name = Filter { name: Some("b".into()), ..Filter::default() };
    assert_eq!(listed(&editor, name).await, ["Upstream/b"]);
    let kind = Filter { kind: Some(Kind::Gateway), ..Filter::default() };
    assert!(listed(&editor, kind).await.is_empty());
    let namespace = Filter { namespace: Some("other".into()), ..Filter::default() };
    assert!(listed(&editor, namespace).await.is_empty());
}

#[tokio::test]
async fn a_resource_is_given_as_it_was_written() {
    let (store, editor) = empty();
    let text = format!("# mine\n{}", labelled("a", "{app: web}"));
    let revision = write(&store, &key(Kind::Upstream, "a"), &text);
    let resource = editor.get(&key(Kind::Upstream, "a")).await.unwrap();
    assert_eq!((resource.text, resource.revision, resource.redacted), (text, revision.0, false));
    assert_eq!(resource.labels["app"], "web");
    assert_eq!(resource.document.unwrap()["static"]["hosts"][0]["port"], 9000);
    assert!(resource.location.contains("Upstream/default/a"), "{}", resource.location);
}

#[tokio::test]
async fn a_text_that_does_not_parse_is_shown_without_a_document() {
    let (store, editor) = empty();
    write(&store, &key(Kind::Upstream, "a"), "static: [");
    let resource = editor.get(&key(Kind::Upstream, "a")).await.unwrap();
    assert_eq!((resource.text.as_str(), resource.document), ("static: [", None));
}

#[tokio::test]
async fn what_is_not_there_is_not_found_by_its_name() {
    let (_, editor) = empty();
    let problem = editor.get(&key(Kind::Upstream, "a")).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::NotFound);
    assert_eq!(problem.object.unwrap().name, "a");
}

#[tokio::test]
async fn a_place_that_nobody_marked_says_what_to_do_until_it_is_marked() {
    let store = MemoryStore::unmarked("new");
    let editor = over(&store);
    let problem = editor.list(&Filter::default()).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::Unavailable);
    assert!(problem.hint.unwrap().contains("biplane init"));
    let identity = editor.init().await.unwrap();
    assert_eq!(editor.init().await.unwrap(), identity);
    assert!(listed(&editor, Filter::default()).await.is_empty());
}

#[tokio::test]
async fn a_store_that_refuses_is_forbidden_with_its_advice() {
    let (editor, faults) = faulty(&MemoryStore::new("test"));
    faults.on_list(Mode::Fail(StoreError::denied("no right to read").with_hint("give the token a right")));
    let problem = editor.get(&key(Kind::Upstream, "a")).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::Forbidden);
    assert_eq!(problem.hint.as_deref(), Some("give the token a right"));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_not_waited_for_for_ever() {
    let (editor, faults) = faulty(&MemoryStore::new("test"));
    faults.on_list(Mode::Hang);
    assert_eq!(editor.list(&Filter::default()).await.unwrap_err().kind, ProblemKind::Unavailable);
}
