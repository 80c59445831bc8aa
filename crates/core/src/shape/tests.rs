//! Shapes follow the types, and what the check leaves of a tree deserializes whatever was wrong with
//! it: every field of every kind, with every kind of value in its place.

use serde_json::{Map, Value, json};

use super::{Message, Shape, Shapes};
use crate::decode::decode;
use crate::key::{Kind, ObjectKey};
use crate::location::Location;

/// A value of the shape with every field filled.
fn sample(shape: &Shape) -> Value {
    match shape {
        Shape::Bool => json!(true),
        Shape::Integer { .. } | Shape::Float => json!(1),
        Shape::Text | Shape::Secret | Shape::Any => json!("a"),
        Shape::Duration => json!("1s"),
        Shape::Timestamp => json!("2026-01-01T00:00:00Z"),
        Shape::Word(words) => json!(words[0]),
        Shape::List(element) => json!([sample(element)]),
        Shape::Map(value) => json!({ "a": sample(value) }),
        Shape::Message(index) => {
            let fields = &Shapes::get().messages[*index].fields;
            Value::Object(
                fields.iter().map(|(name, shape)| (name.clone(), sample(shape))).collect::<Map<_, _>>(),
            )
        }
    }
}

/// The JSON pointers of all values inside.
fn pointers(value: &Value, here: &str, found: &mut Vec<String>) {
    found.push(here.to_owned());
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                pointers(value, &format!("{here}/{name}"), found);
            }
        }
        Value::Array(list) => pointers(&list[0], &format!("{here}/0"), found),
        _ => {}
    }
}

/// A tree that holds nothing but `value` at `place`.
fn alone(place: &str, value: &Value) -> Value {
    place.split('/').skip(1).collect::<Vec<_>>().iter().rfold(value.clone(), |inside, step| match *step {
        "0" => json!([inside]),
        name => json!({ name: inside }),
    })
}

fn assert_readable(kind: Kind, spec: &Value) {
    let text = json!({ "kind": kind.as_str(), "metadata": { "name": "a" }, "spec": spec }).to_string();
    let decoded = decode(&text, &ObjectKey::new(kind, "n", "a"), &Location::file("a", 1));
    for report in decoded.reports {
        assert!(!report.message.contains("although"), "{report}\n{text}");
    }
}

#[test]
fn whatever_stands_in_a_field_the_rest_is_read() {
    let odd = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1.5),
        json!(1e300),
        json!("x"),
        json!("7"),
        json!([]),
        json!([null, 5, {}]),
        json!({}),
        json!({ "x": null, "y": [1] }),
    ];
    for kind in Kind::ALL {
        let whole = sample(Shapes::get().kind(kind));
        assert_readable(kind, &whole);
        let mut places = Vec::new();
        pointers(&whole, "", &mut places);
        for place in places {
            for value in &odd {
                assert_readable(kind, &alone(&place, value));
            }
        }
    }
}

fn message(name: &str) -> &'static Message {
    Shapes::get().messages.iter().find(|message| message.name == name).unwrap()
}

#[test]
fn shapes_follow_the_types() {
    let gateway = message("Gateway");
    assert!(gateway.strict);
    assert_eq!(gateway.field("bindPort").unwrap().1, Shape::Integer { min: 0, max: i128::from(u32::MAX) });
    assert_eq!(gateway.field("proxyNames").unwrap().1, Shape::List(Box::new(Shape::Text)));
    assert_eq!(message("TlsSecret").field("privateKey").unwrap().1, Shape::Secret);
    assert_eq!(message("RouteOptions").field("timeout").unwrap().1, Shape::Duration);
    assert_eq!(message("FileSink").field("jsonFormat").unwrap().1, Shape::Map(Box::new(Shape::Any)));
    assert_eq!(message("Subset").field("values").unwrap().1, Shape::Map(Box::new(Shape::Text)));
    let Shape::Word(words) = &message("LabelExpression").field("operator").unwrap().1 else {
        panic!("words")
    };
    assert!(words.iter().any(|word| word == "DoubleEquals"));
    assert!(!message("Metadata").strict);
}

/// A second type of one name would come out as `Name2` and miss its table of Gloo's fields.
#[test]
fn messages_have_names_of_their_own() {
    let messages = &Shapes::get().messages;
    for message in messages {
        let twin = message.name.trim_end_matches(|c: char| c.is_ascii_digit());
        assert!(twin == message.name || messages.iter().all(|other| other.name != twin), "{}", message.name);
    }
}
