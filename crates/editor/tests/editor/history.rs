//! Versions and the way back.

use std::sync::Arc;

use biplane_admin_api::resources::{Action, ProblemKind, Resources as _};
use biplane_core::key::Kind;
use biplane_core::scalars::Timestamp;
use biplane_store::{Intent, MemoryStore, RecordWrite, Revision, Store as _, history, intent};

use crate::world::{actions, apply, delete, gateway, key, put, shop, stored, upstream, write};

/// Writes a version down, as the leader does.
async fn record(store: &MemoryStore, revision: Revision, text: Option<&str>) {
    let entry = history::Entry {
        at: Timestamp(7),
        author: "bob".into(),
        message: "why".into(),
        value: text.map(str::to_owned),
    };
    let path = history::path(&key(Kind::Upstream, "cart"), revision);
    store.records().unwrap().write(vec![RecordWrite::put(path, entry.encode())], None).await.unwrap();
}

async fn cart_at(store: &MemoryStore) -> Revision {
    store.get(&key(Kind::Upstream, "cart")).await.unwrap().unwrap().revision
}

#[tokio::test]
async fn versions_come_latest_first_with_the_present_one_even_before_it_is_written_down() {
    let (store, editor) = shop();
    let first = cart_at(&store).await;
    record(&store, first, Some(&upstream("cart"))).await;
    let text = format!("{}# more\n", upstream("cart"));
    let second = write(&store, &key(Kind::Upstream, "cart"), &text);
    let versions = editor.history(&key(Kind::Upstream, "cart")).await.unwrap();
    let seen: Vec<_> = versions.iter().map(|version| (version.revision, version.text.as_str())).collect();
    assert_eq!(seen, [(second.0, text.as_str()), (first.0, upstream("cart").as_str())]);
    assert_eq!((versions[1].author.as_str(), versions[1].at), ("bob", Timestamp(7)));
    record(&store, second, Some(&text)).await;
    assert_eq!(editor.history(&key(Kind::Upstream, "cart")).await.unwrap().len(), 2);
}

#[tokio::test]
async fn an_absence_is_the_present_version_too() {
    let (store, editor) = shop();
    record(&store, cart_at(&store).await, Some(&upstream("cart"))).await;
    apply(&editor, [delete(Kind::Upstream, "cart")]).await.unwrap();
    let versions = editor.history(&key(Kind::Upstream, "cart")).await.unwrap();
    assert!(versions[0].deleted && !versions[1].deleted);
    record(&store, store.head().await.unwrap(), None).await;
    let versions = editor.history(&key(Kind::Upstream, "cart")).await.unwrap();
    assert_eq!((versions.len(), versions[0].deleted, versions[0].author.as_str()), (2, true, "bob"));
    let nobody = editor.history(&key(Kind::Upstream, "nobody")).await.unwrap_err();
    assert_eq!(nobody.kind, ProblemKind::NotFound);
}

#[tokio::test]
async fn a_rollback_writes_the_old_bytes_and_says_why() {
    let (store, editor) = shop();
    let first = cart_at(&store).await;
    record(&store, first, Some(&upstream("cart"))).await;
    write(&store, &key(Kind::Upstream, "cart"), &format!("{}# more\n", upstream("cart")));
    let dry = editor.rollback(&key(Kind::Upstream, "cart"), first.0, "ann", true).await.unwrap();
    assert!(dry.changes[0].diff.contains("-# more"), "{}", dry.changes[0].diff);
    let result = editor.rollback(&key(Kind::Upstream, "cart"), first.0, "ann", false).await.unwrap();
    assert_eq!(actions(&result), ["Changed Upstream/cart"]);
    assert_eq!(stored(&store, &key(Kind::Upstream, "cart")).await, Some(upstream("cart")));
    let intents = store.records().unwrap().read_below(&intent::folder()).await.unwrap();
    let intent = Intent::decode(&intents.last().unwrap().1.value).unwrap();
    assert_eq!(intent.author.message, format!("rolled back to revision {first}"));
}

#[tokio::test]
async fn a_rollback_brings_back_what_is_gone_and_takes_away_what_was_not_there() {
    let (store, editor) = shop();
    let first = cart_at(&store).await;
    record(&store, first, Some(&upstream("cart"))).await;
    let gone = apply(&editor, [delete(Kind::Upstream, "cart")]).await.unwrap().revision;
    record(&store, Revision(gone), None).await;
    let back = editor.rollback(&key(Kind::Upstream, "cart"), first.0, "ann", false).await.unwrap();
    assert_eq!(back.changes[0].action, Action::Created);
    let away = editor.rollback(&key(Kind::Upstream, "cart"), gone, "ann", false).await.unwrap();
    assert_eq!(away.changes[0].action, Action::Deleted);
    let nothing = editor.rollback(&key(Kind::Upstream, "cart"), gone, "ann", false).await.unwrap();
    assert_eq!(nothing.changes, []);
}

#[tokio::test]
async fn a_version_that_nobody_knows_is_not_found() {
    let (store, editor) = shop();
    let problem = editor.rollback(&key(Kind::Upstream, "cart"), 999, "ann", false).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::NotFound);
    assert!(problem.message.contains("revision 999"), "{problem}");
    let present = cart_at(&store).await;
    let same = editor.rollback(&key(Kind::Upstream, "cart"), present.0, "ann", false).await.unwrap();
    assert_eq!(same.changes[0].action, Action::Unchanged);
}

#[tokio::test]
async fn a_rollback_that_makes_things_worse_is_refused() {
    let (store, editor) = shop();
    let first = write(&store, &key(Kind::Upstream, "cart"), "static: [");
    record(&store, first, Some("static: [")).await;
    apply(&editor, [put(&upstream("cart")), put(&gateway("other", 8081))]).await.unwrap();
    let problem = editor.rollback(&key(Kind::Upstream, "cart"), first.0, "ann", false).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::Invalid);
    assert!(problem.message.contains(&format!("Upstream default/cart at revision {first}:1")), "{problem}");
}

#[tokio::test]
async fn a_clone_of_an_editor_knows_the_same_store() {
    let (_, editor) = shop();
    let clone = Arc::new(editor.clone());
    assert_eq!(
        clone.history(&key(Kind::Upstream, "cart")).await.unwrap().len(),
        editor.history(&key(Kind::Upstream, "cart")).await.unwrap().len()
    );
}
