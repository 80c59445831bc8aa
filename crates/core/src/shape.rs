//! The shapes that objects must have: a compact form of the JSON Schema of each kind, made once,
//! and the check of a tree against it.
//!
//! serde stops at the first mistake; this check does not. What it leaves of a tree always
//! deserializes, so that deserialization never has anything to report.

mod check;
mod gloo_fields;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use crate::key::Kind;
use crate::resources::Metadata;
use crate::schema;

pub(crate) use check::check;

/// What a value must look like.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Shape {
    Bool,
    Integer {
        min: i128,
        max: i128,
    },
    Float,
    Text,
    Duration,
    Timestamp,
    Secret,
    /// One of these words.
    Word(Vec<String>),
    List(Box<Shape>),
    /// Free names, each with such a value.
    Map(Box<Shape>),
    /// The message of [`Shapes::messages`] at this index.
    Message(usize),
    Any,
}

impl Shape {
    const fn is_collection(&self) -> bool {
        matches!(self, Self::List(_) | Self::Map(_) | Self::Message(_))
    }
}

/// A mapping with named fields.
#[derive(Debug, Default)]
pub(crate) struct Message {
    /// The name of the Rust type.
    pub name: String,
    /// By name, sorted.
    pub fields: Vec<(String, Shape)>,
    /// Fields that are not listed are mistakes; else they are read past.
    pub strict: bool,
}

impl Message {
    pub(crate) fn field(&self, name: &str) -> Option<&(String, Shape)> {
        let at = self.fields.binary_search_by(|field| field.0.as_str().cmp(name)).ok()?;
        Some(&self.fields[at])
    }
}

/// All shapes.
pub(crate) struct Shapes {
    pub messages: Vec<Message>,
    kinds: HashMap<Kind, Shape>,
    /// The shape of `metadata`.
    pub metadata: Shape,
}

impl Shapes {
    pub(crate) fn get() -> &'static Self {
        static SHAPES: LazyLock<Shapes> = LazyLock::new(compile);
        &SHAPES
    }

    /// The shape of an object of this kind, its `spec`.
    pub(crate) fn kind(&self, kind: Kind) -> &Shape {
        &self.kinds[&kind]
    }
}

fn compile() -> Shapes {
    let mut generator = schema::generator();
    let kinds: Vec<_> =
        Kind::ALL.iter().map(|kind| (*kind, schema::reference(&mut generator, *kind))).collect();
    let metadata = generator.subschema_for::<Metadata>().to_value();
    let definitions = generator.take_definitions(true);
    let mut compiler = Compiler { definitions: &definitions, known: HashMap::new(), messages: Vec::new() };
    Shapes {
        kinds: kinds.into_iter().map(|(kind, schema)| (kind, compiler.shape(&schema))).collect(),
        metadata: compiler.shape(&metadata),
        messages: compiler.messages,
    }
}

struct Compiler<'a> {
    definitions: &'a Map<String, Value>,
    known: HashMap<String, usize>,
    messages: Vec<Message>,
}

impl Compiler<'_> {
    fn shape(&mut self, schema: &Value) -> Shape {
        if let Some(name) = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
            return self.definition(name);
        }
        if let Some(some) =
            schema["anyOf"].as_array().and_then(|either| either.iter().find(|s| s["type"] != "null"))
        {
            return self.shape(some);
        }
        if let Some(words) = words(schema) {
            return Shape::Word(words);
        }
        match type_name(schema) {
            Some("boolean") => Shape::Bool,
            Some("integer") => integer(schema),
            Some("number") => Shape::Float,
            Some("string") => Shape::Text,
            Some("array") => Shape::List(Box::new(self.shape(&schema["items"]))),
            Some("object") => Shape::Map(Box::new(self.shape(&schema["additionalProperties"]))),
            _ => Shape::Any,
        }
    }

    fn definition(&mut self, name: &str) -> Shape {
        match name {
            "Duration" => return Shape::Duration,
            "Timestamp" => return Shape::Timestamp,
            "SecretString" => return Shape::Secret,
            _ => {}
        }
        let schema = &self.definitions[name];
        if type_name(schema) != Some("object") {
            return self.shape(schema);
        }
        if let Some(index) = self.known.get(name) {
            return Shape::Message(*index);
        }
        let index = self.messages.len();
        self.known.insert(name.to_owned(), index);
        self.messages.push(Message::default());
        self.messages[index] = self.message(name, schema);
        Shape::Message(index)
    }

    fn message(&mut self, name: &str, schema: &Value) -> Message {
        let properties = schema["properties"].as_object();
        let mut fields: Vec<_> = properties
            .into_iter()
            .flatten()
            .map(|(name, schema)| (name.clone(), self.shape(schema)))
            .collect();
        fields.sort_by(|a, b| a.0.cmp(&b.0));
        Message { name: name.to_owned(), fields, strict: schema["additionalProperties"] == false }
    }
}

fn type_name(schema: &Value) -> Option<&str> {
    match &schema["type"] {
        Value::String(name) => Some(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).find(|name| *name != "null"),
        _ => None,
    }
}

fn words(schema: &Value) -> Option<Vec<String>> {
    let listed = schema["enum"].as_array().map(|words| words.iter().collect::<Vec<_>>());
    let described = || {
        let each: Option<Vec<_>> = schema["oneOf"].as_array()?.iter().map(|word| word.get("const")).collect();
        each
    };
    let words = listed.or_else(described)?;
    Some(words.into_iter().filter_map(|word| word.as_str().map(str::to_owned)).collect())
}

fn integer(schema: &Value) -> Shape {
    let (min, max) = match schema["format"].as_str() {
        Some("uint32") => (0, i128::from(u32::MAX)),
        Some("int32") => (i128::from(i32::MIN), i128::from(i32::MAX)),
        Some("uint64") => (0, i128::from(u64::MAX)),
        _ => (i128::from(i64::MIN), i128::from(i64::MAX)),
    };
    Shape::Integer { min, max }
}
