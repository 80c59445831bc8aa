//! A small store, an editor of it, and the words to ask it with.

use std::sync::Arc;

use biplane_admin_api::resources::{
    Action, ApplyRequest, ApplyResult, Change, Expect, Name, Operation, Problem, Resources as _,
};
use biplane_core::key::{Kind, ObjectKey};
use biplane_editor::Editor;
use biplane_store::faulty::Faults;
use biplane_store::{FaultyStore, MemoryStore, Revision, Store};

/// An empty store and its editor.
pub(crate) fn empty() -> (MemoryStore, Editor) {
    let store = MemoryStore::new("test");
    let editor = over(&store);
    (store, editor)
}

/// A store with a gateway, a virtual service and an upstream that fit together, and its editor.
pub(crate) fn shop() -> (MemoryStore, Editor) {
    let (store, editor) = empty();
    for (kind, name, text) in [
        (Kind::Gateway, "edge", gateway("edge", 8080)),
        (Kind::Upstream, "cart", upstream("cart")),
        (Kind::VirtualService, "shop", service("shop", "cart")),
    ] {
        write(&store, &key(kind, name), &text);
    }
    (store, editor)
}

pub(crate) fn over(store: &(impl Store + Clone)) -> Editor {
    Editor::new(Arc::new(store.clone()))
}

/// An editor of the store by way of one that breaks on demand.
pub(crate) fn faulty(store: &MemoryStore) -> (Editor, Arc<Faults>) {
    let store = FaultyStore::new(Arc::new(store.clone()));
    let faults = store.faults();
    (Editor::new(Arc::new(store)), faults)
}

/// Writes past the editor, as somebody else's tool would.
pub(crate) fn write(store: &MemoryStore, key: &ObjectKey, text: &str) -> Revision {
    store.put_raw(&format!("{}/{}/{}", key.kind, key.namespace, key.name), text.to_owned())
}

pub(crate) fn key(kind: Kind, name: &str) -> ObjectKey {
    ObjectKey::new(kind, "default", name)
}

pub(crate) fn named(kind: Kind, name: &str) -> Name {
    (&key(kind, name)).into()
}

fn head(kind: Kind, name: &str) -> String {
    format!("kind: {kind}\nmetadata: {{name: {name}, namespace: default}}\n")
}

pub(crate) fn gateway(name: &str, port: u16) -> String {
    let head = head(Kind::Gateway, name);
    format!("{head}bindAddress: 127.0.0.1\nbindPort: {port}\nhttpGateway: {{}}\n")
}

pub(crate) fn upstream(name: &str) -> String {
    format!("{}static:\n  hosts:\n  - {{addr: 127.0.0.1, port: 9000}}\n", head(Kind::Upstream, name))
}

pub(crate) fn service(name: &str, upstream: &str) -> String {
    format!(
        "{}virtualHost:\n  domains: [{name}.test]\n  routes:\n  - matchers: [{{prefix: /}}]\n    \
         routeAction: {{single: {{upstream: {{name: {upstream}, namespace: default}}}}}}\n",
        head(Kind::VirtualService, name)
    )
}

/// A put of a text from `petstore.yaml`.
pub(crate) fn put(text: &str) -> Change {
    put_at(text, "petstore.yaml", 1)
}

pub(crate) fn put_at(text: &str, origin: &str, line: u32) -> Change {
    let operation = Operation::Put { text: text.to_owned(), origin: origin.to_owned(), line, key: None };
    Change { operation, expect: Expect::Anything }
}

pub(crate) fn delete(kind: Kind, name: &str) -> Change {
    Change { operation: Operation::Delete { key: named(kind, name) }, expect: Expect::Anything }
}

pub(crate) fn when(change: Change, expect: Expect) -> Change {
    Change { expect, ..change }
}

pub(crate) fn request(changes: impl IntoIterator<Item = Change>) -> ApplyRequest {
    ApplyRequest { changes: changes.into_iter().collect(), author: "ann".into(), ..ApplyRequest::default() }
}

pub(crate) fn dry(request: ApplyRequest) -> ApplyRequest {
    ApplyRequest { dry_run: true, ..request }
}

pub(crate) async fn apply(
    editor: &Editor,
    changes: impl IntoIterator<Item = Change>,
) -> Result<ApplyResult, Problem> {
    editor.apply(&request(changes)).await
}

/// `Created Upstream/cart`, for each object.
pub(crate) fn actions(result: &ApplyResult) -> Vec<String> {
    let line = |kind: Kind, name: &str, action: Action| format!("{action:?} {kind}/{name}");
    result.changes.iter().map(|change| line(change.key.kind, &change.key.name, change.action)).collect()
}

/// The findings as lines, a `+` before those that are new.
pub(crate) fn findings(findings: &[biplane_admin_api::resources::ValidationFinding]) -> Vec<String> {
    let mark = |new: bool| if new { "+" } else { " " };
    findings.iter().map(|finding| format!("{}{}", mark(finding.new), finding.report)).collect()
}

/// What the store holds under a key.
pub(crate) async fn stored(store: &MemoryStore, key: &ObjectKey) -> Option<String> {
    let object = store.get(key).await.expect("a memory store can be read")?;
    Some(String::from_utf8(object.value.to_vec()).expect("tests write text"))
}
