//! A resource's text as a tree of plain values: for its labels, for readers that want JSON, and for taking
//! secrets out. What the fields mean is decoding's business, not this module's.

use std::collections::BTreeMap;

use biplane_core::key::ObjectKey;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use serde_saphyr::{DuplicateKeyPolicy, from_str_with_options, options};

/// The fields of a document, in the order in which they were written.
pub(crate) type Document = Map<String, Value>;

/// Reads a text; `None`: it is not one document with fields.
pub(crate) fn parse(text: &str) -> Option<Document> {
    match read(text)? {
        Value::Object(document) => Some(document),
        _ => None,
    }
}

fn read<T: DeserializeOwned>(text: &str) -> Option<T> {
    // As decoding reads: the first of two fields counts, `yes` is a word. Errors quote the text, so they
    // end here; decoding says what is wrong.
    let options = options! {
        duplicate_keys: DuplicateKeyPolicy::FirstWins,
        strict_booleans: true,
        with_snippet: false,
    };
    from_str_with_options(text, options).ok()
}

/// The labels of a document. One that is not text, such as `1.10`, counts as it is written.
pub(crate) fn labels(document: &Document, text: &str) -> BTreeMap<String, String> {
    let labels = document.get("metadata").and_then(|metadata| metadata.get("labels"));
    let Some(labels) = labels.and_then(Value::as_object) else { return BTreeMap::new() };
    let words: Option<_> =
        labels.iter().map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect();
    words.or_else(|| read::<Head>(text).map(|head| head.metadata.labels)).unwrap_or_default()
}

#[derive(Deserialize)]
struct Head {
    metadata: HeadMetadata,
}

#[derive(Deserialize)]
struct HeadMetadata {
    labels: BTreeMap<String, String>,
}

/// The document with its head first, and with what the place of a document may say instead of itself: its
/// kind, namespace and name.
pub(crate) fn complete(mut document: Document, key: &ObjectKey) -> Value {
    let mut whole = Document::new();
    if let Some(version) = document.shift_remove("apiVersion") {
        whole.insert("apiVersion".to_owned(), version);
    }
    let kind = document.shift_remove("kind");
    whole.insert("kind".to_owned(), kind.unwrap_or_else(|| json!(key.kind.as_str())));
    let metadata = document.shift_remove("metadata").filter(|metadata| !metadata.is_null());
    whole.insert("metadata".to_owned(), complete_metadata(metadata, key));
    whole.extend(document);
    Value::Object(whole)
}

fn complete_metadata(written: Option<Value>, key: &ObjectKey) -> Value {
    let written = match written {
        None => Document::new(),
        Some(Value::Object(written)) => written,
        Some(other) => return other,
    };
    let mut metadata = Document::new();
    metadata.insert("name".to_owned(), json!(key.name));
    metadata.insert("namespace".to_owned(), json!(key.namespace));
    // What is written stays as it is, in its place.
    metadata.extend(written);
    Value::Object(metadata)
}

/// The document as text, in the way in which `like` is written: JSON or YAML.
pub(crate) fn write(document: &Document, like: &str) -> String {
    let json = || serde_json::to_string_pretty(document).expect("plain values") + "\n";
    if like.trim_start().starts_with('{') {
        return json();
    }
    let yaml = serde_saphyr::to_string(document).ok();
    // JSON is YAML: where the writer and the reader do not agree, it says the same without doubt.
    yaml.filter(|yaml| parse(yaml).as_ref() == Some(document)).unwrap_or_else(json)
}

#[cfg(test)]
mod tests {
    use biplane_core::key::Kind;

    use super::*;

    #[test]
    fn the_document_has_its_head_first_and_says_who_it_is() {
        let document = parse("static: {hosts: []}\nmetadata: {labels: {a: b}}\n").unwrap();
        let whole = complete(document, &ObjectKey::new(Kind::Upstream, "edge", "u"));
        let text = r#"{"kind":"Upstream","metadata":{"name":"u","namespace":"edge","labels":{"a":"b"}},"static":{"hosts":[]}}"#;
        assert_eq!(whole.to_string(), text);
    }

    #[test]
    fn labels_count_as_they_are_written() {
        let text = "metadata: {labels: {version: 1.10, canary: true, app: web, on: yes}}";
        let labels = labels(&parse(text).unwrap(), text);
        let labels: Vec<_> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(labels, ["app=web", "canary=true", "on=yes", "version=1.10"]);
    }

    #[test]
    fn what_is_written_reads_as_the_same_document() {
        let json = r#"{"a": "[redacted]", "b": "-----BEGIN X-----\nQUJD\n-----END X-----\n", "c": [1, true, null, "yes", "1.10", "a: # no"]}"#;
        let document = parse(json).unwrap();
        let yaml = write(&document, "a: b\n");
        assert!(!yaml.starts_with('{'), "{yaml}");
        assert_eq!(parse(&yaml).as_ref(), Some(&document));
        assert_eq!(parse(&write(&document, json)), Some(document));
    }

    #[test]
    fn what_is_no_document_is_none() {
        for text in ["", "word", "- a", "a: [", "a: 1\n---\nb: 2\n"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
