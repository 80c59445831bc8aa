//! JSON Schema of the resource kinds, for editors and for people. Descriptions are the doc comments.
//!
//! The schemas tell the form that people should write. Decoding takes a little more: snake_case
//! names, numbers as text and `null` for "absent", as protobuf's JSON form does.

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::key::{API_VERSIONS, Kind};
use crate::resources::{
    Gateway, Metadata, RouteOption, RouteTable, Secret, Settings, Upstream, UpstreamGroup, VirtualHostOption,
    VirtualService,
};

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schema of an object of `kind`, wrapped (`spec`) or bare (fields beside `metadata`).
pub fn schema(kind: Kind) -> Value {
    let (mut forms, definitions) = objects(&[kind]);
    let mut root = json!({ "$schema": DIALECT, "title": kind.as_str() });
    merge(&mut root, forms.remove(0));
    root["$defs"] = Value::Object(definitions);
    root
}

/// The schema of any object: a file may hold every kind.
pub fn all() -> Value {
    let (forms, definitions) = objects(&Kind::ALL);
    json!({ "$schema": DIALECT, "title": "Biplane resource", "anyOf": forms, "$defs": definitions })
}

pub(crate) fn generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12().into_generator()
}

/// A reference to the definition of the kind's fields.
pub(crate) fn reference(generator: &mut SchemaGenerator, kind: Kind) -> Value {
    let schema = match kind {
        Kind::Gateway => generator.subschema_for::<Gateway>(),
        Kind::VirtualService => generator.subschema_for::<VirtualService>(),
        Kind::RouteTable => generator.subschema_for::<RouteTable>(),
        Kind::Upstream => generator.subschema_for::<Upstream>(),
        Kind::UpstreamGroup => generator.subschema_for::<UpstreamGroup>(),
        Kind::RouteOption => generator.subschema_for::<RouteOption>(),
        Kind::VirtualHostOption => generator.subschema_for::<VirtualHostOption>(),
        Kind::Secret => generator.subschema_for::<Secret>(),
        Kind::Settings => generator.subschema_for::<Settings>(),
    };
    schema.to_value()
}

/// The schemas of objects of these kinds, and the definitions that they refer to.
fn objects(kinds: &[Kind]) -> (Vec<Value>, Map<String, Value>) {
    let mut generator = generator();
    let references: Vec<_> = kinds.iter().map(|kind| reference(&mut generator, *kind)).collect();
    let metadata = generator.subschema_for::<Metadata>().to_value();
    let definitions = generator.take_definitions(true);
    let forms = kinds
        .iter()
        .zip(references)
        .map(|(kind, reference)| object(*kind, &reference, &metadata, &definitions))
        .collect();
    (forms, definitions)
}

fn object(kind: Kind, spec: &Value, metadata: &Value, definitions: &Map<String, Value>) -> Value {
    let fields = &definitions[kind.as_str()];
    let mut wrapped = head(kind, metadata);
    wrapped["spec"] = spec.clone();
    let mut bare = head(kind, metadata);
    merge(&mut bare, fields["properties"].clone());
    let form = |properties: Value, required: &[&str]| json!({ "properties": properties, "required": required, "additionalProperties": false });
    json!({
        "type": "object",
        "description": fields["description"],
        "if": { "required": ["spec"] },
        "then": form(wrapped, &["kind", "metadata"]),
        // In Gloo's file layout the path tells kind and name.
        "else": form(bare, &[]),
    })
}

/// The fields that both forms have.
fn head(kind: Kind, metadata: &Value) -> Value {
    let past = json!({ "description": "Left by Gloo; read past." });
    json!({
        "apiVersion": { "description": "May be left out.", "enum": API_VERSIONS },
        "kind": { "const": kind.as_str() },
        "metadata": metadata,
        "status": past,
        "namespacedStatuses": past,
    })
}

fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}
