//! Attributes as the protocol describes them.

use serde_json::{Value as Json, json};

use super::{Attribute, Mode, Shape};
use crate::wire::{self, Block, Nesting, Object, Schema};

/// Descriptions are Markdown.
const MARKDOWN: i32 = 1;

/// The schema of what has these attributes.
pub(crate) fn schema(description: &str, attributes: &[Attribute]) -> Schema {
    let block = Block {
        attributes: attributes.iter().map(attribute).collect(),
        description: description.to_owned(),
        description_kind: MARKDOWN,
    };
    Schema { version: 0, block: Some(block) }
}

fn attribute(attribute: &Attribute) -> wire::Attribute {
    let nested = nested(&attribute.shape);
    let r#type = if nested.is_some() { Vec::new() } else { constraint(&attribute.shape).to_string().into() };
    wire::Attribute {
        name: attribute.name.clone(),
        r#type,
        description: attribute.description.clone(),
        required: attribute.mode == Mode::Required,
        optional: matches!(attribute.mode, Mode::Optional | Mode::Defaulted),
        computed: matches!(attribute.mode, Mode::Computed | Mode::Defaulted),
        sensitive: attribute.sensitive,
        description_kind: MARKDOWN,
        nested_type: nested,
    }
}

/// Objects, one or many, have attributes of their own.
fn nested(shape: &Shape) -> Option<Object> {
    let (nesting, attributes) = match shape {
        Shape::Object(attributes) => (Nesting::Single, attributes.as_slice()),
        Shape::List(of) => (Nesting::List, of.attributes()?),
        Shape::Map(of) => (Nesting::Map, of.attributes()?),
        _ => return None,
    };
    Some(Object { attributes: attributes.iter().map(attribute).collect(), nesting: nesting.into() })
}

/// A type as the protocol writes it.
fn constraint(shape: &Shape) -> Json {
    match shape {
        Shape::Text | Shape::Json => json!("string"),
        Shape::Bool => json!("bool"),
        Shape::Number => json!("number"),
        Shape::List(of) => json!(["list", constraint(of)]),
        Shape::Map(of) => json!(["map", constraint(of)]),
        Shape::Object(attributes) => {
            let types =
                attributes.iter().map(|attribute| (attribute.name.clone(), constraint(&attribute.shape)));
            json!(["object", types.collect::<serde_json::Map<_, _>>()])
        }
    }
}

impl Shape {
    /// The attributes of an object.
    pub(crate) fn attributes(&self) -> Option<&[Attribute]> {
        match self {
            Self::Object(attributes) => Some(attributes),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_nested_and_the_rest_has_types() {
        let inner = Attribute::own("name", Shape::Text, Mode::Optional, "");
        let list = |of| Shape::List(Box::new(of));
        let object = Shape::Object(vec![inner]);
        let nested = attribute(&Attribute::own("a", list(object), Mode::Optional, ""));
        assert_eq!(nested.nested_type.expect("objects").nesting, i32::from(Nesting::List));
        assert!(nested.r#type.is_empty());
        let map = Shape::Map(Box::new(list(Shape::Text)));
        let plain = attribute(&Attribute::own("a", map, Mode::Defaulted, ""));
        assert_eq!(String::from_utf8(plain.r#type).expect("JSON"), r#"["map",["list","string"]]"#);
        assert!(plain.optional && plain.computed && !plain.required);
    }
}
