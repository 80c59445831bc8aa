//! From core's JSON Schema of a kind to attributes.
//!
//! What may be left out of a document may be left out in HCL, and nothing has a default here: an absent field stays
//! absent, and means what Biplane takes it for. Secrets have no attribute for their values, only for the place where
//! these are kept: what an attribute holds is in OpenTofu's state, in the clear.

use biplane_admin_api::key::Kind;
use biplane_admin_api::schema;
use serde_json::{Map, Value};

use super::name::snake_case;
use super::{Attribute, Mode, Shape};

/// The definition of texts that nobody may see.
const SECRET: &str = "SecretString";

/// What a kind looks like.
#[derive(Clone, Debug)]
pub(crate) struct Generated {
    /// What it is for.
    pub(crate) description: String,
    /// The fields of its `metadata`.
    pub(crate) metadata: Vec<Attribute>,
    /// The fields of its `spec`.
    pub(crate) spec: Vec<Attribute>,
}

/// Makes the attributes of a kind.
pub(crate) fn attributes(kind: Kind) -> Generated {
    let schema = schema::schema(kind);
    let definitions = schema["$defs"].as_object().expect("a kind's schema has definitions");
    let spec = Generator { definitions, within: vec![kind.as_str()] }.object(&definitions[kind.as_str()]);
    let metadata = Generator { definitions, within: Vec::new() }.object(&definitions["Metadata"]);
    // What is noted about a secret may be secret too: it does not come back from Biplane.
    let seen = |attribute: &Attribute| kind != Kind::Secret || attribute.field != "annotations";
    Generated {
        description: description(&definitions[kind.as_str()]),
        metadata: metadata.into_iter().filter(seen).map(of_metadata).collect(),
        spec: spec.into_iter().filter(|attribute| !holds_secret(&attribute.shape)).collect(),
    }
}

/// The name tells who it is, and the namespace with it.
fn of_metadata(attribute: Attribute) -> Attribute {
    let mode = match attribute.field.as_str() {
        "name" => Mode::Required,
        "namespace" => Mode::Defaulted,
        _ => attribute.mode,
    };
    Attribute { mode, ..attribute }
}

fn holds_secret(shape: &Shape) -> bool {
    match shape {
        Shape::Object(attributes) => {
            attributes.iter().any(|attribute| attribute.sensitive || holds_secret(&attribute.shape))
        }
        Shape::List(of) | Shape::Map(of) => holds_secret(of),
        _ => false,
    }
}

/// Walks the schema; it knows the definitions that it is in, so that one that contains itself is cut off.
#[derive(Clone)]
struct Generator<'a> {
    definitions: &'a Map<String, Value>,
    within: Vec<&'a str>,
}

impl<'a> Generator<'a> {
    fn object(&self, schema: &'a Value) -> Vec<Attribute> {
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return Vec::new() };
        properties.iter().map(|(field, schema)| self.attribute(field, schema)).collect()
    }

    fn attribute(&self, field: &str, schema: &'a Value) -> Attribute {
        let mut description = description(schema);
        let schema = without_null(schema);
        let (shape, values) = self.shape(schema);
        if !values.is_empty() {
            description = format!("{description} One of {}.", values.join(", "));
        }
        Attribute {
            name: snake_case(field),
            field: field.to_owned(),
            description: description.trim().to_owned(),
            shape,
            mode: Mode::Optional,
            sensitive: mentions_secret(schema),
        }
    }

    /// What a schema allows, and the words that it allows where it lists them.
    fn shape(&self, schema: &'a Value) -> (Shape, Vec<String>) {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            return self.definition(reference.rsplit('/').next().expect("a reference has a name"));
        }
        let words = words(schema);
        if !words.is_empty() {
            return (Shape::Text, words);
        }
        let shape = match kind_of(schema) {
            Some("string") => Shape::Text,
            Some("boolean") => Shape::Bool,
            Some("integer" | "number") => Shape::Number,
            Some("array") => Shape::List(Box::new(self.shape(without_null(&schema["items"])).0)),
            Some("object") => self.map_or_object(schema),
            _ => Shape::Json,
        };
        (shape, Vec::new())
    }

    fn map_or_object(&self, schema: &'a Value) -> Shape {
        match schema.get("additionalProperties") {
            Some(values) if values.is_object() => Shape::Map(Box::new(self.shape(without_null(values)).0)),
            Some(Value::Bool(true)) => Shape::Json,
            _ => Shape::Object(self.object(schema)),
        }
    }

    fn definition(&self, name: &'a str) -> (Shape, Vec<String>) {
        if self.within.contains(&name) {
            return (Shape::Json, Vec::new());
        }
        let mut inner = self.clone();
        inner.within.push(name);
        inner.shape(&self.definitions[name])
    }
}

/// What there is besides `null`, which every field may be.
fn without_null(schema: &Value) -> &Value {
    let choices = schema.get("anyOf").and_then(Value::as_array);
    let mut others = choices.into_iter().flatten().filter(|choice| choice["type"] != "null");
    match (others.next(), others.next()) {
        (Some(only), None) => only,
        _ => schema,
    }
}

fn kind_of(schema: &Value) -> Option<&str> {
    match &schema["type"] {
        Value::String(kind) => Some(kind),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null"),
        _ => None,
    }
}

/// The words of an enumeration.
fn words(schema: &Value) -> Vec<String> {
    let choices = schema.get("oneOf").and_then(Value::as_array);
    let words = choices.into_iter().flatten().filter_map(|choice| choice["const"].as_str());
    words.map(|word| format!("`{word}`")).collect()
}

fn mentions_secret(schema: &Value) -> bool {
    let secret = format!("#/$defs/{SECRET}");
    let is_secret = |schema: &Value| schema["$ref"] == secret.as_str();
    is_secret(schema) || is_secret(&schema["additionalProperties"]) || is_secret(&schema["items"])
}

fn description(schema: &Value) -> String {
    schema["description"].as_str().unwrap_or_default().replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names(attributes: &[Attribute]) -> Vec<&str> {
        attributes.iter().map(|attribute| attribute.name.as_str()).collect()
    }

    #[test]
    fn a_secret_has_attributes_for_places_and_none_for_values() {
        let secret = attributes(Kind::Secret);
        assert_eq!(names(&secret.spec), ["vault", "file"]);
        assert_eq!(names(&secret.metadata), ["name", "namespace", "labels", "creation_timestamp"]);
    }

    #[test]
    fn no_attribute_of_any_kind_is_secret_or_has_a_name_that_hcl_keeps_for_itself() {
        const KEPT: [&str; 7] =
            ["connection", "count", "depends_on", "for_each", "lifecycle", "provider", "provisioner"];
        for kind in Kind::ALL {
            let Generated { metadata, spec, .. } = attributes(kind);
            let mut names: Vec<_> = names(&metadata).into_iter().chain(names(&spec)).collect();
            assert!(KEPT.iter().all(|kept| !names.contains(kept)), "{kind}: {names:?}");
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count, "{kind}: metadata and spec share a name");
            assert!(!holds_secret(&Shape::Object(spec)), "{kind}");
        }
    }

    #[test]
    fn what_contains_itself_is_cut_off_as_json() {
        let definitions = json!({ "Tree": { "type": "object", "properties": {
            "leaf": { "type": ["string", "null"] },
            "trees": { "type": "array", "items": { "$ref": "#/$defs/Tree" } },
        } } });
        let definitions = definitions.as_object().expect("an object");
        let generator = Generator { definitions, within: Vec::new() };
        let (Shape::Object(tree), _) = generator.definition("Tree") else { panic!("a tree has attributes") };
        let shapes: Vec<_> = tree.into_iter().map(|attribute| attribute.shape).collect();
        assert_eq!(shapes, [Shape::Text, Shape::List(Box::new(Shape::Json))]);
    }

    #[test]
    fn every_shape_of_core_has_its_attribute() {
        let service = attributes(Kind::VirtualService);
        let Shape::Object(host) = &service.spec[0].shape else { panic!("{:?}", service.spec[0]) };
        let find = |name: &str| host.iter().find(|attribute| attribute.name == name).expect(name);
        assert_eq!(find("domains").shape, Shape::List(Box::new(Shape::Text)));
        let Shape::List(route) = &find("routes").shape else { panic!("routes are a list") };
        assert!(matches!(**route, Shape::Object(_)));
        let upstream = attributes(Kind::Upstream);
        let words = format!("{:?}", upstream.spec);
        assert!(words.contains("`DefaultMode`") && words.contains("Map(List(Text))"), "{words}");
    }
}
