//! A kind with an attribute for each of its fields.

use biplane_admin_api::key::{DEFAULT_NAMESPACE, Kind, ObjectKey};
use biplane_admin_api::resources::Resource;
use serde_json::json;

use super::{Draft, Form, REVISION, check_word, key, namespace_and_name, not_an_id, revision};
use crate::diagnostics;
use crate::document::{self, Parts, Reading};
use crate::schema::generate::{self, Generated};
use crate::schema::{Attribute, Mode, attribute_path, snake_case};
use crate::value::{Fields, Value};
use crate::wire::{AttributePath, Diagnostic};

const NAME: &str = "name";
const NAMESPACE: &str = "namespace";

/// The resources of one kind.
pub(crate) struct Typed {
    kind: Kind,
    generated: Generated,
    attributes: Vec<Attribute>,
    data_attributes: Vec<Attribute>,
}

impl Typed {
    /// The type of a kind.
    pub(crate) fn new(kind: Kind) -> Self {
        let generated = generate::attributes(kind);
        let all = generated.metadata.iter().chain(&generated.spec);
        let mut attributes: Vec<_> = all.cloned().collect();
        attributes.push(revision());
        let asked = |attribute: &Attribute| attribute.mode == Mode::Required || attribute.name == NAMESPACE;
        let data =
            |attribute: &Attribute| if asked(attribute) { attribute.clone() } else { attribute.computed() };
        let data_attributes = attributes.iter().map(data).collect();
        Self { kind, generated, attributes, data_attributes }
    }

    /// What HCL calls it.
    pub(crate) fn type_name(&self) -> String {
        format!("biplane_{}", snake_case(self.kind.as_str()))
    }

    fn read(&self, parts: &Parts, prior: &Value) -> Reading {
        let mut metadata = document::read(&self.generated.metadata, &parts.metadata, prior);
        let spec = document::read(&self.generated.spec, &parts.spec, prior);
        // What Kubernetes and Gloo keep in the metadata for themselves is nobody's wish.
        metadata.unread.clear();
        metadata.fields.extend(spec.fields);
        Reading { fields: metadata.fields, unread: spec.unread }
    }
}

impl Form for Typed {
    fn description(&self) -> &str {
        &self.generated.description
    }

    fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    fn data_attributes(&self) -> &[Attribute] {
        &self.data_attributes
    }

    fn check(&self, config: &Value) -> Vec<Diagnostic> {
        let words = [NAME, NAMESPACE].into_iter().filter_map(|name| check_word(name, config.get(name)));
        let fault = document::json_fault(&self.generated.spec, config).map(|(path, reason)| Diagnostic {
            attribute: self.path(&path),
            ..diagnostics::error(format!("This is not JSON: {reason}"), "hint: write jsonencode({ ... })")
        });
        words.chain(fault).collect()
    }

    fn planned(&self, prior: &Value, mut proposed: Value, config: &Value) -> Value {
        if config.get(NAMESPACE).is_null() {
            proposed.set(NAMESPACE, DEFAULT_NAMESPACE.into());
        }
        document::stays(&self.generated.spec, prior, proposed)
    }

    fn identity(&self) -> &'static [&'static str] {
        &[NAMESPACE, NAME]
    }

    fn key(&self, state: &Value) -> Option<ObjectKey> {
        key(self.kind, state.get(NAMESPACE), state.get(NAME))
    }

    fn draft(&self, state: &Value) -> Draft {
        let metadata = document::write(&self.generated.metadata, state);
        let spec = document::write(&self.generated.spec, state);
        let whole = json!({
            "apiVersion": self.kind.api_version(),
            "kind": self.kind.as_str(),
            "metadata": metadata.fields,
            "spec": spec.fields,
        });
        let text = serde_json::to_string_pretty(&whole).expect("plain values") + "\n";
        let in_metadata = |path: &String| format!("metadata.{path}");
        let unknown = metadata.unknown.iter().map(in_metadata).chain(spec.unknown).collect();
        Draft { text, unknown }
    }

    fn state(&self, resource: &Resource, prior: &Value) -> (Value, Vec<Diagnostic>) {
        let parts = resource.document.as_ref().and_then(Parts::of);
        let Some(parts) = parts else {
            let text = format!("{} cannot be read: it is not one YAML or JSON document", resource.key());
            let hint = "hint: correct it where it is kept, or take it over with biplane_resource";
            return (prior.clone(), vec![diagnostics::error(text, hint)]);
        };
        let Reading { mut fields, unread } = self.read(&parts, prior);
        fields.extend(identified(resource));
        let told = (!unread.is_empty()).then(|| told(&resource.key(), &unread));
        (Value::Map(fields), told.into_iter().collect())
    }

    fn path(&self, field_path: &str) -> Option<AttributePath> {
        match field_path.strip_prefix("metadata.") {
            Some(path) => attribute_path(&self.generated.metadata, path),
            None => attribute_path(&self.generated.spec, field_path),
        }
    }

    fn imported(&self, id: &str) -> Result<Value, Diagnostic> {
        let (namespace, name) = namespace_and_name(id);
        if [namespace, name].iter().any(|word| biplane_admin_api::key::check_name(word).is_err()) {
            return Err(not_an_id(id, "NAMESPACE/NAME, or NAME for the namespace gloo-system"));
        }
        Ok(Value::Map(
            [(NAMESPACE, namespace), (NAME, name)]
                .map(|(field, word)| (field.to_owned(), word.into()))
                .into(),
        ))
    }
}

/// Who it is, which a document may leave to its place.
fn identified(resource: &Resource) -> Fields {
    [
        (NAMESPACE, resource.namespace.as_str().into()),
        (NAME, resource.name.as_str().into()),
        (REVISION, resource.revision.into()),
    ]
    .map(|(field, value)| (field.to_owned(), value))
    .into()
}

fn told(key: &ObjectKey, unread: &[String]) -> Diagnostic {
    let fields = unread.join(", ");
    diagnostics::warning(
        format!("{key} has what this version of the provider has no attribute for: {fields}"),
        "The next change of this resource takes it away. hint: use a newer provider, or biplane_resource; values of \
         secrets belong into Vault or into files",
    )
}

#[cfg(test)]
pub(crate) fn resource(document: &serde_json::Value) -> Resource {
    let parts = Parts::of(document).expect("a document");
    Resource {
        kind: parts.kind.as_deref().expect("a kind").parse().expect("a kind"),
        namespace: parts.word(NAMESPACE).unwrap_or(DEFAULT_NAMESPACE).to_owned(),
        name: parts.word(NAME).expect("a name").to_owned(),
        revision: 7,
        location: "key 7".to_owned(),
        labels: std::collections::BTreeMap::new(),
        text: document.to_string(),
        redacted: false,
        document: Some(document.clone()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use super::*;
    use crate::schema::settled;

    fn config(form: &Typed, json: Json) -> Value {
        settled(form.attributes(), Value::of_json(json))
    }

    fn service() -> Json {
        json!({
            "name": "web",
            "labels": {},
            "virtual_host": {
                "domains": ["a.example"],
                "routes": [{
                    "matchers": [{ "prefix": "/" }],
                    "route_action": { "single": { "upstream": { "name": "web" } } },
                    "options": { "retries": { "num_retries": 3 } },
                }],
            },
        })
    }

    #[test]
    fn what_was_written_reads_back_as_the_same_state() {
        let form = Typed::new(Kind::VirtualService);
        let config = config(&form, service());
        let mut planned = form.planned(&Value::Null, config.clone(), &config);
        let draft = form.draft(&planned);
        let document = serde_json::from_str(&draft.text).expect("JSON");
        let (state, diagnostics) = form.state(&resource(&document), &planned);
        planned.set(REVISION, 7.into());
        assert_eq!((state, diagnostics), (planned, Vec::new()));
        assert!(draft.unknown.is_empty());
    }

    #[test]
    fn the_document_has_what_was_given_in_glooss_words() {
        let form = Typed::new(Kind::VirtualService);
        let config = config(&form, service());
        let document: Json = serde_json::from_str(&form.draft(&config).text).expect("JSON");
        let expected = json!({
            "apiVersion": "gateway.solo.io/v1",
            "kind": "VirtualService",
            "metadata": { "name": "web", "labels": {} },
            "spec": { "virtualHost": {
                "domains": ["a.example"],
                "routes": [{
                    "matchers": [{ "prefix": "/" }],
                    "routeAction": { "single": { "upstream": { "name": "web" } } },
                    "options": { "retries": { "numRetries": 3 } },
                }],
            } },
        });
        assert_eq!(document, expected);
    }

    #[test]
    fn an_object_that_others_wrote_is_read_in_either_form_and_what_is_lost_is_told() {
        let form = Typed::new(Kind::Upstream);
        let hosts = json!({ "hosts": [{ "addr": "127.0.0.1", "port": 80 }] });
        let bare =
            json!({ "kind": "Upstream", "metadata": { "name": "u", "uid": "x" }, "static": hosts, "new": 1 });
        let (state, diagnostics) = form.state(&resource(&bare), &Value::Null);
        assert_eq!(state.get("static").get("hosts"), &{
            let host = json!({ "addr": "127.0.0.1", "port": 80 });
            let attributes = form.attributes().iter().find(|attribute| attribute.name == "static");
            let shape = &attributes.expect("static").shape;
            let whole =
                settled(shape.attributes().expect("fields"), Value::of_json(json!({ "hosts": [host] })));
            whole.get("hosts").clone()
        });
        assert!(diagnostics[0].summary.ends_with("no attribute for: new"), "{diagnostics:?}");
    }

    #[test]
    fn an_id_names_a_resource_and_the_namespace_may_be_left_out() {
        let form = Typed::new(Kind::Upstream);
        let key =
            |id: &str| form.imported(id).ok().and_then(|state| form.key(&state)).map(|key| key.to_string());
        assert_eq!(key("edge/web").as_deref(), Some("Upstream edge/web"));
        assert_eq!(key("web").as_deref(), Some("Upstream gloo-system/web"));
        assert_eq!(key("a/b/c"), None);
        assert_eq!(key(""), None);
    }
}
