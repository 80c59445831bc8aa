//! Any object as one document, YAML or JSON: for what the typed resources do not express, and for files that there are.

use biplane_admin_api::key::{DEFAULT_NAMESPACE, Kind, ObjectKey, check_name};
use biplane_admin_api::resources::Resource;
use serde_json::Value as Json;
use serde_saphyr::{DuplicateKeyPolicy, from_str_with_options, options};

use super::{Draft, Form, REVISION, namespace_and_name, not_an_id, revision};
use crate::diagnostics;
use crate::document::{Parts, same};
use crate::schema::generate;
use crate::schema::{Attribute, Mode, Shape};
use crate::value::Value;
use crate::wire::{AttributePath, Diagnostic};

const DOCUMENT: &str = "document";
const IDENTITY: [&str; 3] = ["kind", "namespace", "name"];

/// Resources that are texts.
pub(crate) struct Raw {
    attributes: Vec<Attribute>,
    data_attributes: Vec<Attribute>,
}

/// Why a text is no document, without a word of it.
type Fault = String;

impl Raw {
    /// What HCL calls it.
    pub(crate) const TYPE_NAME: &str = "biplane_resource";

    /// The type.
    pub(crate) fn new() -> Self {
        let text = "The object as YAML or JSON, in Gloo's form: `kind`, `metadata` and `spec`. Written as it is, with \
                    its comments; another text that says the same is no change.";
        let own = |name, mode, description| Attribute::own(name, Shape::Text, mode, description);
        let words = [
            ("kind", "Its kind, such as `VirtualService`."),
            ("namespace", "Its namespace; `gloo-system` where the document names none."),
            ("name", "Its name."),
        ];
        let mut attributes = vec![own(DOCUMENT, Mode::Required, text)];
        attributes.extend(words.map(|(name, description)| own(name, Mode::Computed, description)));
        attributes.push(revision());
        let asked = |attribute: &Attribute| match attribute.name.as_str() {
            "kind" | "name" => Attribute { mode: Mode::Required, ..attribute.clone() },
            "namespace" => Attribute { mode: Mode::Defaulted, ..attribute.clone() },
            _ => attribute.computed(),
        };
        let data_attributes = attributes.iter().map(asked).collect();
        Self { attributes, data_attributes }
    }
}

/// Reads a text as decoding does.
fn parse(text: &str) -> Result<Parts, Fault> {
    let options = options! {
        duplicate_keys: DuplicateKeyPolicy::Error,
        strict_booleans: true,
        with_snippet: false,
    };
    // The error itself quotes the text, which may hold a secret.
    let document: Json = from_str_with_options(text, options).map_err(|error| match error.location() {
        Some(location) => format!("line {} is not YAML of one document", location.line()),
        None => "it is not YAML of one document".to_owned(),
    })?;
    Parts::of(&document).ok_or_else(|| "it has no fields".to_owned())
}

fn key(parts: &Parts) -> Result<ObjectKey, Fault> {
    let kind = parts.kind.as_deref().ok_or("its kind is missing")?;
    let kind: Kind = kind.parse().map_err(|error| format!("{error}"))?;
    let name = parts.word("name").ok_or("metadata.name is missing")?;
    let namespace = parts.word("namespace").unwrap_or(DEFAULT_NAMESPACE);
    for (what, word) in [("name", name), ("namespace", namespace)] {
        check_name(word).map_err(|reason| format!("metadata.{what} cannot be used: {reason}"))?;
    }
    Ok(ObjectKey::new(kind, namespace, name))
}

/// The fields of a secret that are not places.
fn values_of_secret(kind: Kind, parts: &Parts) -> Vec<&str> {
    if kind != Kind::Secret {
        return Vec::new();
    }
    let places = generate::attributes(kind).spec;
    let is_place = |field: &str| places.iter().any(|place| place.field == field || place.name == field);
    parts.spec.keys().map(String::as_str).filter(|field| !is_place(field)).collect()
}

/// Whether two texts are the same object with the same content.
fn says_same(a: &Parts, b: &Parts) -> bool {
    let plain = |parts: &Parts| {
        let mut metadata = parts.metadata.clone();
        metadata.remove("namespace");
        metadata.remove("name");
        Json::Array(vec![Json::Object(metadata), Json::Object(parts.spec.clone())])
    };
    key(a) == key(b) && same(&plain(a), &plain(b))
}

fn identified(state: &mut Value, key: &ObjectKey) {
    let words = [key.kind.as_str(), &key.namespace, &key.name];
    for (field, word) in IDENTITY.into_iter().zip(words) {
        state.set(field, word.into());
    }
}

impl Form for Raw {
    fn description(&self) -> &'static str {
        "Any object of Biplane's as one YAML or JSON document."
    }

    fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    fn data_attributes(&self) -> &[Attribute] {
        &self.data_attributes
    }

    /// Nothing of it is told at its attribute, which OpenTofu would quote with all that stands there.
    fn check(&self, config: &Value) -> Vec<Diagnostic> {
        let Some(text) = config.get(DOCUMENT).text() else { return Vec::new() };
        let parsed = parse(text).and_then(|parts| key(&parts).map(|key| (key, parts)));
        let (key, parts) = match parsed {
            Ok(parsed) => parsed,
            Err(reason) => {
                let hint = "hint: one document a resource; several take for_each";
                let message = format!("This is not the document of an object: {reason}");
                return vec![diagnostics::error(message, hint)];
            }
        };
        let values = values_of_secret(key.kind, &parts);
        if values.is_empty() {
            return Vec::new();
        }
        let message = format!("{key} holds values of its own: {}", values.join(", "));
        let hint = "What a resource holds is in OpenTofu's state, in the clear. hint: keep the values in Vault or in \
                    files, and name the place with `vault` or `file`";
        vec![diagnostics::error(message, hint)]
    }

    fn planned(&self, prior: &Value, mut proposed: Value, _config: &Value) -> Value {
        let Some(text) = proposed.get(DOCUMENT).text() else {
            for field in IDENTITY {
                proposed.set(field, Value::Unknown);
            }
            return proposed;
        };
        let Ok(parts) = parse(text) else { return proposed };
        if let Ok(key) = key(&parts) {
            identified(&mut proposed, &key);
        }
        let before = prior.get(DOCUMENT).text().and_then(|text| parse(text).ok());
        if before.is_some_and(|before| says_same(&before, &parts)) {
            proposed.set(DOCUMENT, prior.get(DOCUMENT).clone());
        }
        proposed
    }

    fn identity(&self) -> &'static [&'static str] {
        &IDENTITY
    }

    fn key(&self, state: &Value) -> Option<ObjectKey> {
        let [kind, namespace, name] = IDENTITY.map(|field| state.get(field));
        super::key(kind.text()?.parse().ok()?, namespace, name)
    }

    fn draft(&self, state: &Value) -> Draft {
        match state.get(DOCUMENT) {
            Value::Text(text) => Draft { text: text.clone(), unknown: Vec::new() },
            _ => Draft { text: String::new(), unknown: vec![String::new()] },
        }
    }

    fn state(&self, resource: &Resource, prior: &Value) -> (Value, Vec<Diagnostic>) {
        let mut state = Value::Map(self.attributes.iter().map(|a| (a.name.clone(), Value::Null)).collect());
        identified(&mut state, &resource.key());
        state.set(REVISION, resource.revision.into());
        let before = prior.get(DOCUMENT).text().and_then(|text| parse(text).ok());
        let after = resource.document.as_ref().and_then(Parts::of);
        let unchanged = matches!((&before, &after), (Some(before), Some(after)) if says_same(before, after));
        let document = if unchanged { prior.get(DOCUMENT).clone() } else { resource.text.as_str().into() };
        state.set(DOCUMENT, document);
        (state, Vec::new())
    }

    fn path(&self, _field_path: &str) -> Option<AttributePath> {
        Some(AttributePath::root(DOCUMENT))
    }

    fn imported(&self, id: &str) -> Result<Value, Diagnostic> {
        let form = "KIND/NAMESPACE/NAME, such as Upstream/default/web";
        let (kind, rest) = id.split_once('/').ok_or_else(|| not_an_id(id, form))?;
        let kind: Kind = kind.parse().map_err(|_| not_an_id(id, form))?;
        let (namespace, name) = namespace_and_name(rest);
        if [namespace, name].iter().any(|word| check_name(word).is_err()) {
            return Err(not_an_id(id, form));
        }
        let mut state = Value::Map(crate::value::Fields::new());
        identified(&mut state, &ObjectKey::new(kind, namespace, name));
        Ok(state)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::form::typed::resource;

    const YAML: &str = "# by hand\nkind: Upstream\nmetadata: {name: u}\nstatic: {hosts: []}\n";

    fn config(text: &str) -> Value {
        Value::of_json(json!({ DOCUMENT: text }))
    }

    #[test]
    fn another_text_that_says_the_same_is_no_change() {
        let raw = Raw::new();
        let prior = raw.planned(&Value::Null, config(YAML), &Value::Null);
        let other = r#"{"kind": "Upstream", "metadata": {"name": "u", "namespace": "gloo-system"}, "spec": {"static": {"hosts": []}}}"#;
        assert_eq!(raw.planned(&prior, config(other), &Value::Null), prior);
        let stored = resource(&serde_json::from_str(other).expect("JSON"));
        assert_eq!(raw.state(&stored, &prior).0.get(DOCUMENT), &YAML.into());
        let changed = other.replace("[]", "[{}]");
        assert_eq!(
            raw.planned(&prior, config(&changed), &Value::Null).get(DOCUMENT),
            &changed.as_str().into()
        );
    }

    #[test]
    fn the_document_says_who_it_is() {
        let raw = Raw::new();
        let planned = raw.planned(&Value::Null, config(YAML), &Value::Null);
        assert_eq!(raw.key(&planned).expect("a key").to_string(), "Upstream gloo-system/u");
        assert_eq!(raw.draft(&planned).text, YAML);
    }

    #[test]
    fn a_secret_with_values_is_refused_without_a_word_of_them() {
        let raw = Raw::new();
        let text = "kind: Secret\nmetadata: {name: s}\ntls: {privateKey: canary}\n";
        let faults = raw.check(&config(text));
        assert!(faults[0].summary.ends_with("holds values of its own: tls"), "{faults:?}");
        assert!(!format!("{faults:?}").contains("canary"));
        assert_eq!(faults[0].attribute, None, "OpenTofu quotes what stands there");
        let place = "kind: Secret\nmetadata: {name: s}\nfile: {}\n";
        assert_eq!(raw.check(&config(place)), Vec::new());
    }

    #[test]
    fn what_is_no_document_is_refused_with_its_reason() {
        for (text, reason) in [
            ("kind: Upstream\n", "metadata.name is missing"),
            ("metadata: {name: u}\n", "its kind is missing"),
            ("kind: Nothing\nmetadata: {name: u}\n", "unknown kind \"Nothing\""),
            ("word", "it has no fields"),
            (
                "kind: Upstream\nmetadata: {name: a/b}\n",
                "metadata.name cannot be used: '/' is not allowed in it",
            ),
        ] {
            let faults = Raw::new().check(&config(text));
            assert!(faults[0].summary.ends_with(reason), "{text}: {faults:?}");
        }
        for text in ["canary: [", "kind: Upstream\n---\nkind: Upstream\n", "canary: 1\ncanary: 2\n"] {
            let faults = Raw::new().check(&config(text));
            assert!(faults[0].summary.ends_with("is not YAML of one document"), "{text}: {faults:?}");
            assert!(!format!("{faults:?}").contains("canary"), "{faults:?}");
        }
    }
}
