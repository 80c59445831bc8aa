//! Secret material goes in and never comes out: not in an answer, not in an error, not in a `Debug`.

use std::fmt::Debug;

use biplane_admin_api::resources::{ApplyRequest, Filter, ProblemKind, Resource, Resources as _};
use biplane_core::key::Kind;
use biplane_editor::Editor;
use biplane_store::{MemoryStore, RecordWrite, Revision, Store as _, history};
use futures::StreamExt as _;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde::Serialize;

use crate::world::{apply, delete, dry, empty, key, put, request, stored, write};

/// Two lines of a key's base64: what must not be seen, wherever.
fn marks(pem: &str) -> Vec<String> {
    pem.lines().filter(|line| !line.starts_with('-')).map(str::to_owned).collect()
}

struct Pair {
    chain: String,
    private: String,
}

fn pair() -> Pair {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["a.test".to_owned()]).unwrap();
    Pair { chain: cert.pem(), private: signing_key.serialize_pem() }
}

fn secret(pair: &Pair, label: &str) -> String {
    let block = |pem: &str| format!("    {}\n", pem.trim_end().replace('\n', "\n    "));
    format!(
        "# {}\nkind: Secret\nmetadata: {{name: s, namespace: default, labels: {{app: {label}}}}}\ntls:\n  \
         certChain: |\n{}  privateKey: |\n{}",
        marks(&pair.private)[0],
        block(&pair.chain),
        block(&pair.private)
    )
}

/// Fails if an answer shows any of the marks, in JSON or in its `Debug`.
fn check(marks: &[String], answer: &(impl Debug + Serialize)) {
    hides(marks, &format!("{answer:?}{}", serde_json::to_string(answer).unwrap()));
}

fn hides(marks: &[String], text: &str) {
    for mark in marks {
        assert!(!text.contains(mark.as_str()), "{mark} in {text}");
    }
}

async fn shown(editor: &Editor) -> Resource {
    editor.get(&key(Kind::Secret, "s")).await.unwrap()
}

#[tokio::test]
async fn no_call_shows_a_canary() {
    let (store, editor) = empty();
    let (old, new) = (pair(), pair());
    let all: Vec<_> =
        [&old.private, &new.private, &old.chain, &new.chain].iter().flat_map(|pem| marks(pem)).collect();
    let mut events = editor.watch(&Filter::default()).await.unwrap();
    check(&all, &apply(&editor, [put(&secret(&old, "a"))]).await.unwrap());
    let first = store.get(&key(Kind::Secret, "s")).await.unwrap().unwrap();
    record(&store, first.revision, &secret(&old, "a")).await;
    check(&all, &editor.apply(&dry(request([put(&secret(&new, "b"))]))).await.unwrap());
    check(&all, &apply(&editor, [put(&secret(&new, "b"))]).await.unwrap());
    check(&all, &shown(&editor).await);
    check(&all, &editor.list(&Filter::default()).await.unwrap());
    check(&all, &editor.history(&key(Kind::Secret, "s")).await.unwrap());
    let mixed = Pair { chain: old.chain.clone(), private: new.private.clone() };
    check(&all, &apply(&editor, [put(&secret(&mixed, "c"))]).await.unwrap_err());
    let torn = secret(&new, "c").replace("certChain: |", "certChain: [");
    check(&all, &apply(&editor, [put(&torn)]).await.unwrap_err());
    check(&all, &editor.apply(&dry(request([delete(Kind::Secret, "s")]))).await.unwrap());
    check(&all, &editor.rollback(&key(Kind::Secret, "s"), first.revision.0, "ann", true).await.unwrap());
    check(&all, &editor.rollback(&key(Kind::Secret, "s"), first.revision.0, "ann", false).await.unwrap());
    assert_eq!(stored(&store, &key(Kind::Secret, "s")).await, Some(secret(&old, "a")));
    for _ in 0..4 {
        check(&all, &events.next().await.unwrap().unwrap());
    }
    hides(&all, &format!("{editor:?}"));
}

async fn record(store: &MemoryStore, revision: Revision, text: &str) {
    let entry = history::Entry { value: Some(text.to_owned()), ..history::Entry::default() };
    let path = history::path(&key(Kind::Secret, "s"), revision);
    store.records().unwrap().write(vec![RecordWrite::put(path, entry.encode())], None).await.unwrap();
}

/// Ways in which people write secrets, well or badly, a canary in each value.
const SHAPES: [&str; 14] = [
    "tls: {privateKey: canary, certChain: canary}",
    "spec:\n  tls:\n    privateKey: |\n      canary\n      canary",
    "a: &a canary\nb: *a\nc: [*a, {d: *a}]",
    "base: &b {x: canary}\ny:\n  <<: *b\n  z: 'canary'",
    "privateKey: \"can\\u0061ry\"",
    "data:\n  tls.key: canary # canary\n  tls.crt: >-\n    canary",
    "apiKey: canary\napiKey: canary2",
    "status: {seen: canary}",
    "tls: canary",
    "tls: [canary, canary]",
    "tls:\n  privateKey: canary\n certChain: canary",
    "tls: {privateKey: canary",
    "tls: !canary canary",
    "---\ntls: canary\n---\ntls: canary",
];

#[tokio::test]
async fn no_way_of_writing_a_secret_shows_its_values() {
    let (store, editor) = empty();
    let canary = ["canary".to_owned()];
    let head = "kind: Secret\nmetadata: {name: s, namespace: default, annotations: {last: canary}}\n";
    for (at, shape) in SHAPES.iter().enumerate() {
        let text = format!("{head}{shape}\n");
        let before = format!("{head}{}\n", SHAPES[(at + 1) % SHAPES.len()]);
        write(&store, &key(Kind::Secret, "s"), &before);
        for force in [false, true] {
            let request = ApplyRequest { force, ..dry(request([put(&text)])) };
            hides(&canary, &format!("{:?}", editor.apply(&request).await));
        }
        write(&store, &key(Kind::Secret, "s"), &text);
        check(&canary, &shown(&editor).await);
    }
}

#[tokio::test]
async fn a_secret_that_does_not_parse_shows_no_text_at_all() {
    let (store, editor) = empty();
    let text = secret(&pair(), "a").replace("certChain: |", "certChain: [");
    write(&store, &key(Kind::Secret, "s"), &text);
    let resource = shown(&editor).await;
    assert_eq!((resource.text.as_str(), resource.redacted, resource.document), ("", true, None));
}

#[tokio::test]
async fn a_secret_under_another_kinds_key_is_redacted_as_well() {
    let (store, editor) = empty();
    let pair = pair();
    write(&store, &key(Kind::Upstream, "s"), &format!("kind: Upstream\n---\n{}", secret(&pair, "a")));
    check(&marks(&pair.private), &editor.get(&key(Kind::Upstream, "s")).await.unwrap());
}

#[tokio::test]
async fn what_was_shown_can_be_edited_and_keeps_its_secrets() {
    let (store, editor) = empty();
    let pair = pair();
    apply(&editor, [put(&secret(&pair, "a"))]).await.unwrap();
    let edited = shown(&editor).await.text.replace("app: a", "app: b");
    let result = editor.apply(&dry(request([put(&edited)]))).await.unwrap();
    assert!(result.changes[0].diff.contains("app: b"), "{}", result.changes[0].diff);
    assert!(!result.changes[0].diff.contains("secret value changed"));
    apply(&editor, [put(&edited)]).await.unwrap();
    assert_eq!(shown(&editor).await.labels["app"], "b");
    let text = stored(&store, &key(Kind::Secret, "s")).await.unwrap();
    assert!(marks(&pair.private).iter().all(|line| text.contains(line)), "the stored key stays");
}

#[tokio::test]
async fn a_redacted_value_is_never_stored() {
    let (store, editor) = empty();
    let pair = pair();
    apply(&editor, [put(&secret(&pair, "a"))]).await.unwrap();
    let half = secret(&pair, "a").replace("kind: Secret", "kind: Secret\nextra: '[redacted]'");
    for text in [half, shown(&editor).await.text.replace("name: s", "name: other")] {
        let problem = apply(&editor, [put(&text)]).await.unwrap_err();
        assert_eq!(problem.kind, ProblemKind::BadRequest);
        assert!(problem.hint.unwrap().contains("keep what is stored"));
    }
    assert_eq!(stored(&store, &key(Kind::Secret, "s")).await, Some(secret(&pair, "a")));
}

#[tokio::test]
async fn a_diff_of_a_secret_shows_no_comment() {
    let (_, editor) = empty();
    let pair = pair();
    apply(&editor, [put(&secret(&pair, "a"))]).await.unwrap();
    let text = secret(&pair, "a").replacen("# ", "# canary ", 1);
    let result = editor.apply(&dry(request([put(&text)]))).await.unwrap();
    assert!(
        result.changes[0].diff.ends_with("\n(comments or layout changed)\n"),
        "{}",
        result.changes[0].diff
    );
}

#[tokio::test]
async fn a_diff_says_that_a_secret_changes_and_not_into_what() {
    let (_, editor) = empty();
    let (old, new) = (pair(), pair());
    apply(&editor, [put(&secret(&old, "a"))]).await.unwrap();
    let result = editor.apply(&dry(request([put(&secret(&new, "a"))]))).await.unwrap();
    let diff = &result.changes[0].diff;
    assert_eq!(diff.matches("(secret value changed)").count(), 2, "{diff}");
}
