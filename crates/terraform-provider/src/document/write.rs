//! From attributes to the fields of a document.

use serde_json::{Map, Value as Json};

use crate::schema::{Attribute, Shape};
use crate::value::{Fields, Value};

/// Fields, and where some are missing that are not known yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    /// What is known.
    pub(crate) fields: Map<String, Json>,
    /// The paths of what is not, as findings write them.
    pub(crate) unknown: Vec<String>,
}

/// Writes those attributes of a state that are not null.
pub(crate) fn write(attributes: &[Attribute], state: &Value) -> Written {
    let mut unknown = Vec::new();
    let fields =
        state.fields().map(|fields| object(attributes, fields, "", &mut unknown)).unwrap_or_default();
    Written { fields, unknown }
}

fn object(
    attributes: &[Attribute],
    fields: &Fields,
    path: &str,
    unknown: &mut Vec<String>,
) -> Map<String, Json> {
    let mut written = Map::new();
    for attribute in attributes {
        let path = below(path, &attribute.field);
        let value = fields.get(&attribute.name).unwrap_or(&Value::Null);
        if let Some(value) = field(&attribute.shape, value, &path, unknown) {
            written.insert(attribute.field.clone(), value);
        }
    }
    written
}

fn below(path: &str, field: &str) -> String {
    if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
}

/// A field's value; none where there is none, or none yet.
fn field(shape: &Shape, value: &Value, path: &str, unknown: &mut Vec<String>) -> Option<Json> {
    match (shape, value) {
        (_, Value::Null) => None,
        (_, Value::Unknown) => {
            unknown.push(path.to_owned());
            None
        }
        (Shape::Json, Value::Text(text)) => serde_json::from_str(text).ok(),
        (Shape::List(of), Value::List(items)) => {
            let item = |(index, item)| {
                let known = unknown.len();
                let path = format!("{path}[{index}]");
                let value = field(of, item, &path, unknown);
                // An element that is missing would move those behind it.
                (value.is_some() || unknown.len() == known).then(|| value.unwrap_or(Json::Null))
            };
            Some(Json::Array(items.iter().enumerate().map_while(item).collect()))
        }
        (Shape::Map(of), Value::Map(fields)) => {
            let item = |(key, value): (&String, &Value)| {
                Some((key.clone(), field(of, value, &below(path, key), unknown)?))
            };
            Some(Json::Object(fields.iter().filter_map(item).collect()))
        }
        (Shape::Object(attributes), Value::Map(fields)) => {
            Some(Json::Object(object(attributes, fields, path, unknown)))
        }
        (_, plain) => Some(json(plain)),
    }
}

fn json(value: &Value) -> Json {
    match value {
        Value::Null | Value::Unknown => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Number(number) => Json::Number(number.clone()),
        Value::Text(text) => Json::String(text.clone()),
        Value::List(items) => Json::Array(items.iter().map(json).collect()),
        Value::Map(fields) => {
            Json::Object(fields.iter().map(|(key, value)| (key.clone(), json(value))).collect())
        }
    }
}

/// The first attribute for JSON text that holds something else: its path, and what is wrong.
pub(crate) fn json_fault(attributes: &[Attribute], state: &Value) -> Option<(String, String)> {
    let fields = state.fields()?;
    attributes.iter().find_map(|attribute| {
        let value = fields.get(&attribute.name).unwrap_or(&Value::Null);
        fault(&attribute.shape, value, &attribute.field)
    })
}

fn fault(shape: &Shape, value: &Value, path: &str) -> Option<(String, String)> {
    match (shape, value) {
        (Shape::Json, Value::Text(text)) => {
            let error = serde_json::from_str::<Json>(text).err()?;
            Some((path.to_owned(), error.to_string()))
        }
        (Shape::List(of), Value::List(items)) => {
            items.iter().enumerate().find_map(|(index, item)| fault(of, item, &format!("{path}[{index}]")))
        }
        (Shape::Map(of), Value::Map(fields)) => {
            fields.iter().find_map(|(key, value)| fault(of, value, &below(path, key)))
        }
        (Shape::Object(attributes), Value::Map(fields)) => attributes.iter().find_map(|attribute| {
            let value = fields.get(&attribute.name).unwrap_or(&Value::Null);
            fault(&attribute.shape, value, &below(path, &attribute.field))
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::Mode;

    fn own(name: &str, shape: Shape) -> Attribute {
        Attribute::own(name, shape, Mode::Optional, "")
    }

    fn list(of: Shape) -> Shape {
        Shape::List(Box::new(of))
    }

    fn attributes() -> Vec<Attribute> {
        let host = Shape::Object(vec![own("addr", Shape::Text), own("port", Shape::Number)]);
        vec![own("hosts", list(host)), own("names", list(Shape::Text)), own("any", Shape::Json)]
    }

    #[test]
    fn what_is_null_is_absent_and_what_is_empty_is_there() {
        let state = json!({ "hosts": [{ "addr": "a", "port": null }], "names": [], "any": "{\"x\":[1]}" });
        let written = write(&attributes(), &Value::of_json(state));
        let expected = json!({ "hosts": [{ "addr": "a" }], "names": [], "any": { "x": [1] } });
        assert_eq!((Json::Object(written.fields), written.unknown), (expected, Vec::new()));
    }

    #[test]
    fn what_is_not_known_yet_is_left_out_and_told() {
        let mut host = Value::of_json(json!({ "addr": null, "port": 80 }));
        host.set("addr", Value::Unknown);
        let names = Value::List(vec!["a".into(), Value::Unknown, "c".into()]);
        let state = Value::Map(
            [("hosts", Value::List(vec![host])), ("names", names), ("any", Value::Unknown)]
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
        );
        let written = write(&attributes(), &state);
        assert_eq!(Json::Object(written.fields), json!({ "hosts": [{ "port": 80 }], "names": ["a"] }));
        assert_eq!(written.unknown, ["hosts[0].addr", "names[1]", "any"]);
    }

    #[test]
    fn json_that_is_none_is_found_with_its_path() {
        let state = Value::of_json(json!({ "any": "{" }));
        assert_eq!(json_fault(&attributes(), &state).expect("a fault").0, "any");
        assert_eq!(json_fault(&attributes(), &Value::of_json(json!({ "any": "{}" }))), None);
    }
}
