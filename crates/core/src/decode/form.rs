//! The two forms of an object: wrapped (`apiVersion`, `kind`, `metadata`, `spec`) and bare, as Gloo
//! keeps it in files and key-value stores (`metadata` beside the fields).

use crate::findings::Findings;
use crate::key::API_VERSIONS;
use crate::path::{FieldPath, Trail};
use crate::yaml::{Mapping, Node, Value};

/// What Gloo leaves in an object, in either form.
const READ_PAST: [&str; 2] = ["status", "namespacedStatuses"];

/// Takes a document apart into its metadata and its fields; `None` if it is no mapping at all.
pub(super) fn take_apart<'a>(tree: Node<'a>, findings: &mut Findings<'_>) -> Option<(Node<'a>, Node<'a>)> {
    let line = tree.line;
    let Value::Map(mut map) = tree.value else {
        findings.error(FieldPath::root(), line, "not an object: expected a mapping");
        return None;
    };
    api_version(&mut map, findings);
    map.take("kind");
    for name in READ_PAST {
        map.take(name);
    }
    let metadata =
        map.take("metadata").map_or_else(|| Node::map(Vec::new(), line), |entry| present(entry.value));
    let Some(spec) = map.take("spec") else { return Some((metadata, Node { value: Value::Map(map), line })) };
    beside_spec(&map, findings);
    Some((metadata, present(spec.value)))
}

/// `metadata:` and `spec:` with nothing behind them are empty mappings.
fn present(node: Node<'_>) -> Node<'_> {
    if node.is_null() { Node::map(Vec::new(), node.line) } else { node }
}

fn api_version(map: &mut Mapping<'_>, findings: &mut Findings<'_>) {
    let Some(entry) = map.take("apiVersion") else { return };
    let known = match &entry.value.value {
        Value::Scalar(scalar) => scalar.is_null() || API_VERSIONS.contains(&&*scalar.text),
        _ => false,
    };
    if !known {
        let path = FieldPath::root().field("apiVersion");
        let report = findings.error(path, entry.line, "this apiVersion is not read by Biplane");
        report.hint = Some(format!("it is one of {}, or left out", API_VERSIONS.join(", ")));
    }
}

fn beside_spec(map: &Mapping<'_>, findings: &mut Findings<'_>) {
    let root = Trail::root();
    for entry in &map.entries {
        let message = "a field beside `spec` is not read";
        let report = findings.error(root.field(&entry.key).path(), entry.line, message);
        report.hint = Some("move it into `spec`".to_owned());
    }
    for duplicate in &map.duplicates {
        let message = format!("written twice, first on line {}", findings.shown_line(duplicate.first_line));
        findings.error(root.field(&duplicate.key).path(), duplicate.line, message);
    }
}
