//! Values in the form that their attributes tell.

use super::{Attribute, Shape};
use crate::value::{Fields, Value};

/// The value with every attribute, null where it had none, and with numbers that came as text as numbers. What has
/// no attribute goes: a state of another version may have more.
pub(crate) fn settled(attributes: &[Attribute], value: Value) -> Value {
    match value {
        Value::Map(fields) => Value::Map(object(attributes, fields)),
        other => other,
    }
}

fn object(attributes: &[Attribute], mut fields: Fields) -> Fields {
    let settle = |attribute: &Attribute| {
        let value = fields.remove(&attribute.name).unwrap_or_default();
        (attribute.name.clone(), of_shape(&attribute.shape, value))
    };
    attributes.iter().map(settle).collect()
}

fn of_shape(shape: &Shape, value: Value) -> Value {
    match (shape, value) {
        (Shape::Number, Value::Text(text)) => {
            serde_json::from_str(&text).map(Value::number).unwrap_or(Value::Text(text))
        }
        (Shape::List(of), Value::List(items)) => {
            Value::List(items.into_iter().map(|item| of_shape(of, item)).collect())
        }
        (Shape::Map(of), Value::Map(fields)) => {
            Value::Map(fields.into_iter().map(|(key, value)| (key, of_shape(of, value))).collect())
        }
        (Shape::Object(attributes), Value::Map(fields)) => Value::Map(object(attributes, fields)),
        (_, value) => value,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::Mode;

    #[test]
    fn a_settled_value_has_every_attribute_and_no_other() {
        let own = |name: &str, shape| Attribute::own(name, shape, Mode::Optional, "");
        let object = Shape::Object(vec![own("share", Shape::Number), own("on", Shape::Bool)]);
        let attributes = [own("a", Shape::List(Box::new(object))), own("b", Shape::Text)];
        let value = Value::of_json(json!({ "a": [{ "share": "0.1" }], "old": 1 }));
        let expected = Value::of_json(json!({ "a": [{ "share": 0.1, "on": null }], "b": null }));
        assert_eq!(settled(&attributes, value), expected);
    }
}
