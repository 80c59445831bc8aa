//! From the fields of a document to attributes, as Biplane itself would read them: names may be in snake_case, numbers
//! and truths in quotes, and what is null is absent.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use super::REDACTED;
use super::compare::same;
use crate::schema::{Attribute, Shape};
use crate::value::{Fields, Value};

/// Attributes, and what no attribute has room for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    /// The attributes, each of them.
    pub(crate) fields: Fields,
    /// The paths of fields that have none.
    pub(crate) unread: Vec<String>,
}

/// Reads the fields of a document. Where they say what `prior` says in other words, the words of `prior` stay.
pub(crate) fn read(attributes: &[Attribute], document: &Map<String, Json>, prior: &Value) -> Reading {
    let mut unread = Vec::new();
    let fields = object(attributes, document, prior, "", &mut unread);
    Reading { fields, unread }
}

fn object(
    attributes: &[Attribute],
    document: &Map<String, Json>,
    prior: &Value,
    path: &str,
    unread: &mut Vec<String>,
) -> Fields {
    let mut seen = BTreeSet::new();
    let mut fields = Fields::new();
    for attribute in attributes {
        let found = [&attribute.field, &attribute.name].into_iter().find(|name| document.contains_key(*name));
        let value = found.map_or(&Json::Null, |name| &document[name]);
        seen.extend(found);
        let path = below(path, &attribute.field);
        let value = value_of(&attribute.shape, value, prior.get(&attribute.name), &path, unread);
        fields.insert(attribute.name.clone(), value);
    }
    let others = document.iter().filter(|(name, value)| !seen.contains(name) && !value.is_null());
    unread.extend(others.map(|(name, _)| below(path, name)));
    fields
}

fn below(path: &str, field: &str) -> String {
    if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
}

fn value_of(shape: &Shape, json: &Json, prior: &Value, path: &str, unread: &mut Vec<String>) -> Value {
    if json == REDACTED {
        return prior.clone();
    }
    match (shape, json) {
        (_, Json::Null) => Value::Null,
        (Shape::Json, json) => json_text(json, prior),
        (Shape::Text, Json::String(text)) => text.as_str().into(),
        (Shape::Text, Json::Number(_) | Json::Bool(_)) => Value::Text(json.to_string()),
        (Shape::Bool, Json::Bool(value)) => Value::Bool(*value),
        (Shape::Number, Json::Number(number)) => Value::number(number.clone()),
        (Shape::Bool | Shape::Number, Json::String(text)) if unquoted(shape, text).is_some() => {
            unquoted(shape, text).unwrap_or_default()
        }
        (Shape::List(of), Json::Array(items)) => {
            let prior = |index| match prior {
                Value::List(items) => items.get(index).unwrap_or(&Value::Null),
                _ => &Value::Null,
            };
            let item = |(index, item)| value_of(of, item, prior(index), &format!("{path}[{index}]"), unread);
            Value::List(items.iter().enumerate().map(item).collect())
        }
        (Shape::Map(of), Json::Object(map)) => {
            let item = |(key, value): (&String, &Json)| {
                (key.clone(), value_of(of, value, prior.get(key), &below(path, key), unread))
            };
            Value::Map(map.iter().map(item).collect())
        }
        (Shape::Object(attributes), Json::Object(map)) => {
            Value::Map(object(attributes, map, prior, path, unread))
        }
        _ => {
            unread.push(path.to_owned());
            Value::Null
        }
    }
}

/// A truth or a number that is written as text.
fn unquoted(shape: &Shape, text: &str) -> Option<Value> {
    let json: Json = serde_json::from_str(text).ok()?;
    match (shape, json) {
        (Shape::Bool, Json::Bool(value)) => Some(Value::Bool(value)),
        (Shape::Number, Json::Number(number)) => Some(Value::number(number)),
        _ => None,
    }
}

fn json_text(json: &Json, prior: &Value) -> Value {
    let before = prior.text().and_then(|text| serde_json::from_str::<Json>(text).ok());
    match before {
        Some(before) if same(&before, json) => prior.clone(),
        _ => Value::Text(json.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::Mode;

    fn own(name: &str, shape: Shape) -> Attribute {
        Attribute { field: format!("{name}Field"), ..Attribute::own(name, shape, Mode::Optional, "") }
    }

    fn attributes() -> Vec<Attribute> {
        vec![
            own("text", Shape::Text),
            own("number", Shape::Number),
            own("on", Shape::Bool),
            own("any", Shape::Json),
        ]
    }

    fn reading(document: &Json, prior: &Json) -> (Value, Vec<String>) {
        let document = document.as_object().expect("an object");
        let reading = read(&attributes(), document, &Value::of_json(prior.clone()));
        (Value::Map(reading.fields), reading.unread)
    }

    #[test]
    fn fields_are_read_as_biplane_reads_them() {
        let document = json!({ "textField": 1.5, "number": "80", "onField": "true", "anyField": null });
        let expected = json!({ "text": "1.5", "number": 80, "on": true, "any": null });
        assert_eq!(reading(&document, &Json::Null), (Value::of_json(expected), Vec::new()));
    }

    #[test]
    fn what_has_no_attribute_is_told() {
        let document = json!({ "other": 1, "empty": null, "onField": "perhaps" });
        let (_, unread) = reading(&document, &Json::Null);
        assert_eq!(unread, ["onField", "other"]);
    }

    #[test]
    fn the_words_of_before_stay_where_they_say_the_same_and_where_nothing_is_shown() {
        let prior = json!({ "any": "{ \"a\": 1.0 }", "text": "seen once" });
        let document = json!({ "anyField": { "a": 1 }, "textField": "[redacted]" });
        let (state, _) = reading(&document, &prior);
        assert_eq!((state.get("any"), state.get("text")), (&"{ \"a\": 1.0 }".into(), &"seen once".into()));
        let (state, _) = reading(&json!({ "anyField": { "a": 2 } }), &prior);
        assert_eq!(state.get("any"), &"{\"a\":2}".into());
    }
}
