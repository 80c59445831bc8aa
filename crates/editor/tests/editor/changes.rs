//! Applying: conditions, refusals, prune, and what others do at the same time.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use biplane_admin_api::resources::{
    ApplyRequest, Expect, Name, Operation, ProblemKind, Prune, Resources as _,
};
use biplane_core::key::{Kind, ObjectKey};
use biplane_editor::Editor;
use biplane_store::{
    Batch, Description, Intent, Listing, MemoryStore, Revision, Store, StoreError, StoredObject, WatchStream,
    intent,
};

use crate::world::{
    actions, apply, delete, dry, empty, findings, gateway, key, named, put, put_at, request, service, shop,
    stored, upstream, when, write,
};

#[tokio::test]
async fn a_request_is_visible_at_one_revision_with_its_author() {
    let (store, editor) = empty();
    let changes = [put(&gateway("edge", 8080)), put(&service("shop", "cart")), put(&upstream("cart"))];
    let result = editor.apply(&ApplyRequest { message: "first".into(), ..request(changes) }).await.unwrap();
    assert_eq!(
        actions(&result),
        ["Created Gateway/edge", "Created VirtualService/shop", "Created Upstream/cart"]
    );
    assert_eq!((result.revision, result.dry_run), (store.head().await.unwrap().0, false));
    let listing = store.list().await.unwrap();
    assert!(listing.items.iter().all(|object| object.revision.0 == result.revision));
    let intents = store.records().unwrap().read_below(&intent::folder()).await.unwrap();
    let intent = Intent::decode(&intents[0].1.value).unwrap();
    assert_eq!((intent.author.name.as_str(), intent.author.message.as_str()), ("ann", "first"));
}

#[tokio::test]
async fn what_stays_as_it_is_is_not_written() {
    let (store, editor) = shop();
    let before = store.head().await.unwrap();
    let result = apply(&editor, [put(&upstream("cart"))]).await.unwrap();
    assert_eq!(actions(&result), ["Unchanged Upstream/cart"]);
    assert_eq!(store.head().await.unwrap(), before);
    assert_eq!(result.revision, before.0);
}

#[tokio::test]
async fn a_change_tells_the_revision_before_and_a_deletion_needs_its_object() {
    let (store, editor) = shop();
    let before = store.get(&key(Kind::Upstream, "cart")).await.unwrap().unwrap().revision.0;
    let text = format!("{}# more\n", upstream("cart"));
    let result = apply(&editor, [put(&text)]).await.unwrap();
    assert_eq!(
        (result.changes[0].before, actions(&result)),
        (Some(before), vec!["Changed Upstream/cart".into()])
    );
    assert_eq!(stored(&store, &key(Kind::Upstream, "cart")).await, Some(text));
    let gone = apply(&editor, [delete(Kind::Upstream, "nobody")]).await.unwrap_err();
    assert_eq!((gone.kind, gone.object.unwrap().name), (ProblemKind::NotFound, "nobody".into()));
}

#[tokio::test]
async fn an_expectation_that_does_not_hold_is_a_conflict_with_what_was_found() {
    let (store, editor) = shop();
    let found = store.get(&key(Kind::Upstream, "cart")).await.unwrap().unwrap().revision.0;
    let change = || put(&format!("{}# more\n", upstream("cart")));
    for expect in [Expect::Absent, Expect::Revision(found + 9)] {
        let problem = apply(&editor, [when(change(), expect)]).await.unwrap_err();
        assert_eq!((problem.kind, problem.found), (ProblemKind::Conflict, Some(found)));
        assert_eq!(problem.object, Some(named(Kind::Upstream, "cart")));
    }
    let absent = apply(&editor, [when(put(&upstream("new")), Expect::Revision(3))]).await.unwrap_err();
    assert_eq!((absent.kind, absent.found), (ProblemKind::Conflict, None));
    apply(&editor, [when(change(), Expect::Revision(found))]).await.unwrap();
}

#[tokio::test]
async fn an_object_that_occurs_twice_is_refused_with_both_places() {
    let (_, editor) = empty();
    let changes = [put_at(&upstream("a"), "one.yaml", 3), put_at(&upstream("a"), "two.yaml", 7)];
    let problem = apply(&editor, changes).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::BadRequest);
    assert!(problem.message.contains("one.yaml:3") && problem.message.contains("two.yaml:7"), "{problem}");
}

#[tokio::test]
async fn texts_that_are_no_objects_are_all_named_with_file_and_line() {
    let (_, editor) = empty();
    let changes = [put_at("kind: Upstreem\nmetadata: {name: a}\n", "a.yaml", 10), put_at("[1]", "b.yaml", 0)];
    let problem = apply(&editor, changes).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::BadRequest);
    assert_eq!(problem.hint.as_deref(), Some("did you mean \"Upstream\"?"));
    let lines = findings(&problem.findings);
    assert_eq!(lines[0], "+a.yaml:10: error: unknown kind \"Upstreem\"");
    assert!(lines[1].starts_with("+b.yaml:1: error: "), "{lines:?}");
}

#[tokio::test]
async fn a_text_is_what_its_path_says_or_is_refused() {
    let (store, editor) = empty();
    let to = |text: &str, name: Name| {
        let operation = Operation::Put { text: text.into(), origin: String::new(), line: 0, key: Some(name) };
        biplane_admin_api::resources::Change { operation, expect: Expect::Anything }
    };
    let bare = "static:\n  hosts:\n  - {addr: 127.0.0.1, port: 9000}\n";
    apply(&editor, [to(bare, named(Kind::Upstream, "a"))]).await.unwrap();
    assert_eq!(stored(&store, &key(Kind::Upstream, "a")).await.as_deref(), Some(bare));
    let problem = apply(&editor, [to(&upstream("b"), named(Kind::Upstream, "a"))]).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::BadRequest);
    assert!(problem.message.contains("this is Upstream default/b"), "{problem}");
}

#[tokio::test]
async fn a_new_error_is_refused_where_it_stands_in_the_callers_file() {
    let (store, editor) = shop();
    let text = service("shop", "cart").replace("prefix: /", "prefix: /, perfix: /");
    let problem = apply(&editor, [put_at(&text, "shop.yaml", 40)]).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::Invalid);
    assert!(
        problem.message.starts_with("refused: shop.yaml:45: error: VirtualService default/shop"),
        "{problem}"
    );
    assert!(problem.hint.unwrap().contains("prefix"));
    assert_eq!(stored(&store, &key(Kind::VirtualService, "shop")).await, Some(service("shop", "cart")));
    let forced = ApplyRequest { force: true, ..request([put(&text)]) };
    assert!(editor.apply(&forced).await.unwrap().findings[0].new);
    assert_eq!(stored(&store, &key(Kind::VirtualService, "shop")).await, Some(text));
}

#[tokio::test]
async fn an_error_that_a_change_causes_elsewhere_is_refused_too() {
    let (_, editor) = shop();
    let rival = put_at(&gateway("rival", 8080), "rival.yaml", 1);
    let problem = apply(&editor, [rival]).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::Invalid);
    let lines = findings(&problem.findings);
    assert!(
        lines.iter().any(|line| line.starts_with("+rival.yaml:4: error: Gateway default/rival: bindPort")),
        "{lines:?}"
    );
    assert!(lines.iter().any(|line| line.contains("warning: Gateway default/edge: bindPort")), "{lines:?}");
}

#[tokio::test]
async fn what_was_wrong_before_does_not_stand_in_the_way() {
    let (store, editor) = shop();
    write(&store, &key(Kind::Upstream, "broken"), "static: [");
    write(&store, &key(Kind::VirtualService, "lost"), &service("lost", "gone"));
    let result = apply(&editor, [put(&upstream("other"))]).await.unwrap();
    let lines = findings(&result.findings);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines.iter().all(|line| line.starts_with(' ')), "{lines:?}");
}

#[tokio::test]
async fn a_mistake_that_moved_to_another_line_is_not_new() {
    let (store, editor) = shop();
    let text = service("shop", "cart").replace("prefix: /", "prefix: /, perfix: /");
    write(&store, &key(Kind::VirtualService, "shop"), &text);
    let result = apply(&editor, [put(&format!("# a line\n{text}"))]).await.unwrap();
    let lines = findings(&result.findings);
    assert!(lines[0].starts_with(" petstore.yaml:7: error: "), "{lines:?}");
}

#[tokio::test]
async fn findings_go_when_their_cause_goes() {
    let (store, editor) = shop();
    write(&store, &key(Kind::VirtualService, "lost"), &service("lost", "gone"));
    let result = apply(&editor, [put(&upstream("gone"))]).await.unwrap();
    assert_eq!(findings(&result.findings), [] as [&str; 0]);
}

#[tokio::test]
async fn prune_deletes_only_what_all_its_conditions_match() {
    let (store, editor) = shop();
    for (name, label) in [("old", "team: a"), ("foreign", "team: b")] {
        let text =
            upstream(name).replace("namespace: default", &format!("namespace: default, labels: {{{label}}}"));
        write(&store, &key(Kind::Upstream, name), &text);
    }
    let prune = Prune { selector: Some("team=a".parse().unwrap()), ..Prune::default() };
    let request = ApplyRequest { prune: Some(prune), ..request([put(&upstream("cart"))]) };
    let result = editor.apply(&request).await.unwrap();
    assert_eq!(actions(&result), ["Unchanged Upstream/cart", "Pruned Upstream/old"]);
    let all = ApplyRequest { prune: Some(Prune::default()), ..request.clone() };
    let result = editor.apply(&all).await.unwrap();
    assert_eq!(actions(&result), ["Unchanged Upstream/cart", "Pruned Upstream/foreign"]);
    assert!(stored(&store, &key(Kind::Gateway, "edge")).await.is_some());
}

#[tokio::test]
async fn a_store_that_is_only_read_takes_a_dry_run_and_no_write() {
    let (store, _) = shop();
    let editor = Editor::new(Arc::new(ReadOnly(store)));
    let changes = || [delete(Kind::VirtualService, "shop")];
    let result = editor.apply(&dry(request(changes()))).await.unwrap();
    assert_eq!(actions(&result), ["Deleted VirtualService/shop"]);
    let problem = apply(&editor, changes()).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::ReadOnly);
    assert!(problem.hint.is_some());
}

#[tokio::test]
async fn whoever_expects_anything_wins_in_the_end_and_loses_no_update_unseen() {
    let (store, _) = shop();
    let racing = Racing::new(store.clone(), 3);
    let editor = Editor::new(Arc::new(racing.clone()));
    let text = format!("{}# mine\n", upstream("cart"));
    let result = apply(&editor, [put(&text)]).await.unwrap();
    assert_eq!(stored(&store, &key(Kind::Upstream, "cart")).await, Some(text));
    let before = result.changes[0].before.unwrap();
    assert_eq!(before + 1, result.revision, "the other writer's last version was looked at");
}

#[tokio::test]
async fn a_writer_who_is_always_late_is_told_so() {
    let (store, _) = shop();
    let editor = Editor::new(Arc::new(Racing::new(store, 100)));
    let problem = apply(&editor, [put(&format!("{}# mine\n", upstream("cart")))]).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::Conflict);
}

/// A store that cannot be written.
#[derive(Clone, Debug)]
struct ReadOnly(MemoryStore);

#[async_trait]
impl Store for ReadOnly {
    fn describe(&self) -> Description {
        Description { writable: false, ..self.0.describe() }
    }

    async fn list(&self) -> Result<Listing, StoreError> {
        self.0.list().await
    }

    async fn watch(&self, from: Revision) -> Result<WatchStream, StoreError> {
        self.0.watch(from).await
    }

    async fn head(&self) -> Result<Revision, StoreError> {
        self.0.head().await
    }

    async fn commit(&self, _: Batch) -> Result<Revision, StoreError> {
        Err(StoreError::ReadOnly { store: self.describe().name })
    }
}

/// A store in which somebody else changes the upstream just before each of the first commits.
#[derive(Clone)]
struct Racing {
    store: MemoryStore,
    left: Arc<AtomicUsize>,
}

impl Racing {
    fn new(store: MemoryStore, times: usize) -> Self {
        Self { store, left: Arc::new(AtomicUsize::new(times)) }
    }
}

impl fmt::Debug for Racing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Racing")
    }
}

#[async_trait]
impl Store for Racing {
    fn describe(&self) -> Description {
        self.store.describe()
    }

    async fn list(&self) -> Result<Listing, StoreError> {
        self.store.list().await
    }

    async fn get(&self, key: &ObjectKey) -> Result<Option<StoredObject>, StoreError> {
        self.store.get(key).await
    }

    async fn watch(&self, from: Revision) -> Result<WatchStream, StoreError> {
        self.store.watch(from).await
    }

    async fn head(&self) -> Result<Revision, StoreError> {
        self.store.head().await
    }

    async fn commit(&self, batch: Batch) -> Result<Revision, StoreError> {
        let left = self.left.load(Ordering::SeqCst);
        if left > 0 {
            self.left.store(left - 1, Ordering::SeqCst);
            write(
                &self.store,
                &key(Kind::Upstream, "cart"),
                &format!("{}# theirs {left}\n", upstream("cart")),
            );
        }
        self.store.commit(batch).await
    }
}
