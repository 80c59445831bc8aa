//! Whether two documents say the same.

use serde_json::Value as Json;

use super::REDACTED;
use crate::schema::{Attribute, Shape};
use crate::value::Value;

/// Whether two values say the same: `1.0` is `1`, what is null is absent, and what is not shown is anything.
pub(crate) fn same(a: &Json, b: &Json) -> bool {
    if a == REDACTED || b == REDACTED {
        return true;
    }
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => Value::number(a.clone()) == Value::number(b.clone()),
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Json::Object(a), Json::Object(b)) => {
            let absent = &Json::Null;
            a.iter().all(|(key, value)| same(value, b.get(key).unwrap_or(absent)))
                && b.iter().all(|(key, value)| a.contains_key(key) || value.is_null())
        }
        (a, b) => a == b,
    }
}

/// The planned value, with the words of `prior` wherever JSON text says the same in other words: such a change is none.
pub(crate) fn stays(attributes: &[Attribute], prior: &Value, mut planned: Value) -> Value {
    for attribute in attributes {
        let value = planned.get(&attribute.name).clone();
        planned.set(&attribute.name, of_shape(&attribute.shape, prior.get(&attribute.name), value));
    }
    planned
}

fn of_shape(shape: &Shape, prior: &Value, planned: Value) -> Value {
    match (shape, planned) {
        (Shape::Json, Value::Text(text)) if says_same(prior, &text) => prior.clone(),
        (Shape::Object(attributes), planned @ Value::Map(_)) => stays(attributes, prior, planned),
        (Shape::List(of), Value::List(items)) => {
            let before = |index| match prior {
                Value::List(items) => items.get(index).unwrap_or(&Value::Null),
                _ => &Value::Null,
            };
            let items = items.into_iter().enumerate();
            Value::List(items.map(|(index, item)| of_shape(of, before(index), item)).collect())
        }
        (_, planned) => planned,
    }
}

fn says_same(prior: &Value, text: &str) -> bool {
    let parse = |text: &str| serde_json::from_str::<Json>(text).ok();
    match (prior.text().and_then(parse), parse(text)) {
        (Some(before), Some(after)) => same(&before, &after),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn equal_documents_differ_in_words_only() {
        assert!(same(&json!({ "a": 1.0, "b": null }), &json!({ "a": 1 })));
        assert!(same(&json!({ "key": REDACTED }), &json!({ "key": "x" })));
        assert!(same(&json!([{ "b": null }]), &json!([{}])));
        for (a, b) in
            [(json!({}), json!({ "a": [] })), (json!([1, 2]), json!([2, 1])), (json!("1"), json!(1))]
        {
            assert!(!same(&a, &b) && !same(&b, &a), "{a} {b}");
        }
    }
}
