//! Taking secrets out of what is shown, and putting them back into what is written.
//!
//! In a `Secret` everything but its name, its labels and the like counts as secret: a certificate chain may
//! have its key pasted behind it, and forms of secrets that Biplane does not know hold what they hold.
//! Values are taken out of the parsed tree, never out of the text, and comments go with them. A text that
//! does not parse shows nothing at all.
//!
//! No kind but `Secret` has a field that core knows as secret; a test below guards that.

use biplane_admin_api::resources::{Problem, ProblemKind};
use biplane_core::document::{IdentifyHint, identify, split};
use biplane_core::key::{Kind, ObjectKey};
use biplane_core::scalars::REDACTED;
use serde_json::Value;

use crate::document::{self, Document};
use crate::name;

/// Metadata that says who an object is, and nothing else.
const SHOWN: [&str; 4] = ["name", "namespace", "labels", "creationTimestamp"];

/// The fields of a secret that say where its values are kept.
const REFERENCES: [&str; 2] = ["vault", "file"];

/// The fields below them that are shown.
const PLACES: [&str; 16] = [
    "source",
    "form",
    "refresh",
    "onDelete",
    "mount",
    "path",
    "version",
    "role",
    "commonName",
    "altNames",
    "ipSans",
    "uriSans",
    "ttl",
    "issuer",
    "keyType",
    "roleArn",
];

/// What a value that has changed is shown as.
const CHANGED: &str = "[redacted] (secret value changed)";

/// Whether a text, which was parsed as `document`, holds secrets: it is a `Secret` by its place or by its own
/// words, also where it stands as one document among several.
pub(crate) fn holds_secrets(key: &ObjectKey, text: &str, document: Option<&Document>) -> bool {
    let hint = IdentifyHint { kind: Some(key.kind), name: Some(key.name.clone()), namespace: None };
    let is_secret = |text: &str| identify(text, &hint).is_ok_and(|key| key.kind == Kind::Secret);
    key.kind == Kind::Secret
        || split(text).into_iter().any(|slice| is_secret(&text[slice.range]))
        || document.is_some_and(|document| document.values().any(mentions_secret))
}

/// Whether a document is among the values, as in a Kubernetes `List`.
fn mentions_secret(value: &Value) -> bool {
    match value {
        Value::Object(map) => {
            map.get("kind").is_some_and(|kind| kind == Kind::Secret.as_str())
                || map.values().any(mentions_secret)
        }
        Value::Array(list) => list.iter().any(mentions_secret),
        _ => false,
    }
}

/// The document without secrets.
pub(crate) fn redacted(mut document: Document) -> Document {
    visit(&mut document, &mut |_, value| *value = REDACTED.into());
    document
}

/// The document without secrets, as the new side of a change: says which of them are not what they were.
pub(crate) fn redacted_since(mut document: Document, before: &Document) -> Document {
    let before = Value::Object(before.clone());
    visit(&mut document, &mut |pointer, value| {
        let same = before.pointer(pointer).is_none_or(|before| before == value);
        *value = if same { REDACTED } else { CHANGED }.into();
    });
    document
}

/// The text to write for a `Secret` whose author was shown it without its values: these stay what they
/// are. It is made from the parsed tree, so that comments are lost. `None`: nothing is left out, and the text is
/// written as it is.
pub(crate) fn filled(key: &ObjectKey, text: &str, before: Option<&str>) -> Result<Option<String>, Problem> {
    if key.kind != Kind::Secret {
        return Ok(None);
    }
    let Some(mut document) = document::parse(text) else { return Ok(None) };
    let before = before.and_then(document::parse).map(Value::Object);
    let (mut any, mut left_out, mut written, mut unknown) = (false, false, false, None);
    visit(&mut document, &mut |pointer, value| {
        let redacted = value == REDACTED;
        // A note about a secret may be written anew or left as it is, whatever happens to the secret.
        let part = !pointer.starts_with("/metadata/");
        left_out |= redacted && part;
        written |= !redacted && part;
        any |= redacted;
        if !redacted {
            return;
        }
        match before.as_ref().and_then(|before| before.pointer(pointer)).filter(|value| is_value(value)) {
            Some(stored) => *value = stored.clone(),
            None => unknown = unknown.take().or_else(|| Some(pointer.to_owned())),
        }
    });
    match unknown {
        _ if !any => Ok(None),
        Some(pointer) => Err(refused(key, &format!("nothing is stored at {}", field(&pointer)))),
        None if left_out && written => Err(refused(key, "others are written out")),
        None => Ok(Some(document::write(&document, text))),
    }
}

fn refused(key: &ObjectKey, why: &str) -> Problem {
    let message = format!("{key} has {REDACTED} in place of a secret value, and {why}");
    Problem::new(ProblemKind::BadRequest, message)
        .hint("write all secret values of the object, or leave all of them redacted to keep what is stored")
        .of(name(key))
}

/// `/tls/privateKey` as people write it.
fn field(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".")
}

/// Calls for each secret value, with its place as a JSON pointer.
fn visit(document: &mut Document, found: &mut impl FnMut(&str, &mut Value)) {
    for (field, value) in document.iter_mut() {
        let pointer = format!("/{}", escaped(field));
        match (field.as_str(), value) {
            ("apiVersion" | "kind", Value::String(_)) => {}
            (field, value) if REFERENCES.contains(&field) => reference(value, &pointer, found),
            ("spec", Value::Object(spec)) => {
                for (field, value) in spec.iter_mut() {
                    let pointer = format!("{pointer}/{}", escaped(field));
                    if REFERENCES.contains(&field.as_str()) {
                        reference(value, &pointer, found);
                    } else {
                        leaves(value, &pointer, found);
                    }
                }
            }
            ("metadata", Value::Object(metadata)) => {
                let secret = metadata.iter_mut().filter(|(field, _)| !SHOWN.contains(&field.as_str()));
                for (field, value) in secret {
                    leaves(value, &format!("{pointer}/{}", escaped(field)), found);
                }
            }
            (_, value) => leaves(value, &pointer, found),
        }
    }
}

/// Where values are kept is what people look for, and no secret. What does not belong there may be one.
fn reference(value: &mut Value, pointer: &str, found: &mut impl FnMut(&str, &mut Value)) {
    let Value::Object(map) = value else { return leaves(value, pointer, found) };
    for (field, value) in map.iter_mut() {
        let pointer = format!("{pointer}/{}", escaped(field));
        match (field.as_str(), value) {
            ("kv" | "pki" | "aws", value) => reference(value, &pointer, found),
            ("key", Value::String(place)) if place == "local" || place == "vault" => {}
            ("fields", Value::Object(names)) if names.values().all(Value::is_string) => {}
            (field, Value::Array(items)) if PLACES.contains(&field) && items.iter().all(Value::is_string) => {
            }
            (field, Value::String(_) | Value::Number(_)) if PLACES.contains(&field) => {}
            (_, value) => leaves(value, &pointer, found),
        }
    }
}

fn leaves(value: &mut Value, pointer: &str, found: &mut impl FnMut(&str, &mut Value)) {
    match value {
        Value::Object(map) => {
            for (field, value) in map.iter_mut() {
                leaves(value, &format!("{pointer}/{}", escaped(field)), found);
            }
        }
        Value::Array(list) => {
            for (index, value) in list.iter_mut().enumerate() {
                leaves(value, &format!("{pointer}/{index}"), found);
            }
        }
        value if is_value(value) => found(pointer, value),
        _ => {}
    }
}

/// Whether there is anything to hide.
fn is_value(value: &Value) -> bool {
    match value {
        Value::Null | Value::Object(_) | Value::Array(_) => false,
        Value::String(text) => !text.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

fn escaped(field: &str) -> String {
    field.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use biplane_core::schema;

    use super::*;

    const SECRET: &str = "# canary\nkind: Secret\nmetadata:\n  name: s\n  labels: {app: web}\n  annotations: {last: canary}\n\
                          spec:\n  tls:\n    privateKey: canary\n    certChain: canary\n  a/b: [canary, 7, null, true, '']\n";

    fn key() -> ObjectKey {
        ObjectKey::new(Kind::Secret, "default", "s")
    }

    fn show(text: &str) -> String {
        document::write(&redacted(document::parse(text).unwrap()), text)
    }

    #[test]
    fn only_the_kind_of_secrets_has_fields_that_core_knows_as_secret() {
        // If this fails, `holds_secrets` and `visit` have to learn of the new field.
        for kind in Kind::ALL {
            let secret = schema::schema(kind).to_string().contains("SecretString");
            assert_eq!(secret, kind == Kind::Secret, "{kind}");
        }
    }

    #[test]
    fn every_value_but_the_name_and_labels_goes_and_the_fields_stay() {
        let shown = show(SECRET);
        assert!(!shown.contains("canary") && !shown.contains('7'), "{shown}");
        for kept in ["app: web", "privateKey", "certChain", "a/b", "annotations"] {
            assert!(shown.contains(kept), "{shown}");
        }
    }

    #[test]
    fn where_values_are_kept_is_shown_and_what_does_not_belong_there_is_not() {
        let vault = "vault: {source: main, kv: {mount: secret, path: teams/web, token: canary}, token: canary, \
                     fields: {certChain: tls.crt}, pki: {altNames: [a.example], key: local}}";
        for text in [format!("kind: Secret\n{vault}\n"), format!("kind: Secret\nspec: {{{vault}}}\n")] {
            let shown = show(&text);
            for kept in ["main", "teams/web", "tls.crt", "a.example", "local"] {
                assert!(shown.contains(kept), "{shown}");
            }
            assert!(!shown.contains("canary"), "{shown}");
        }
    }

    fn holds(key: &ObjectKey, text: &str) -> bool {
        holds_secrets(key, text, document::parse(text).as_ref())
    }

    #[test]
    fn a_secret_is_known_by_its_place_and_by_its_own_words() {
        let upstream = ObjectKey::new(Kind::Upstream, "default", "s");
        assert!(holds(&key(), "kind: Upstream"));
        for text in [
            "kind: Secret",
            "tls: {privateKey: x}\nkind: Secret",
            "kind: Upstream\n---\nkind: Secret\nmetadata: {name: a}\n",
            "kind: List\nitems:\n- kind: Secret\n  tls: {privateKey: x}\n",
        ] {
            assert!(holds(&upstream, text), "{text}");
        }
        assert!(!holds(&upstream, "kind: Upstream\nstatic: {hosts: []}\n"));
    }

    #[test]
    fn a_change_says_which_values_are_not_what_they_were() {
        let after = SECRET.replace("privateKey: canary", "privateKey: other");
        let (before, after) = (document::parse(SECRET).unwrap(), document::parse(&after).unwrap());
        let shown = document::write(&redacted_since(after, &before), "");
        assert_eq!(shown.matches(CHANGED).count(), 1, "{shown}");
        assert!(!shown.contains("canary") && !shown.contains("other"), "{shown}");
    }

    #[test]
    fn a_text_without_its_values_is_written_with_those_that_are_stored() {
        let edited = show(SECRET).replace("app: web", "app: shop");
        let whole = filled(&key(), &edited, Some(SECRET)).unwrap().unwrap();
        let stored = document::parse(&SECRET.replace("app: web", "app: shop"));
        assert_eq!(document::parse(&whole), stored);
        assert_eq!(filled(&key(), SECRET, None), Ok(None));
    }

    #[test]
    fn a_mixture_and_what_was_never_stored_are_refused_without_a_quote() {
        let half = show(SECRET).replacen("privateKey: '[redacted]'", "privateKey: canary", 1);
        let half = half.replacen("privateKey: \"[redacted]\"", "privateKey: canary", 1);
        for (text, before) in [
            (half, Some(SECRET)),
            (show(SECRET), None),
            (show(SECRET), Some("a: [")),
            (show(SECRET), Some("tls: {}")),
        ] {
            let problem = filled(&key(), &text, before).unwrap_err();
            assert_eq!(problem.kind, ProblemKind::BadRequest);
            assert!(!format!("{problem:?}").contains("canary"), "{problem:?}");
        }
    }
}
