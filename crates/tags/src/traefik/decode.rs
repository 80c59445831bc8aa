//! From a tree of names to values, by the tables of [`super::schema`].
//!
//! Values have the names and the form of Traefik's dynamic configuration: what is empty, false or 0 is left out, as
//! Traefik leaves it out, so that equal configurations are equal values. The first mistake ends it: Traefik drops an
//! instance with a tag that it cannot read, since what it meant cannot be known.

use serde_json::{Map, Value, json};

use super::scalar;
use super::schema::{Shape, Struct};
use super::tree::{InvalidKey, Node};

/// What a struct's options are.
pub(crate) fn decode(node: &Node, shape: &'static Struct) -> Result<Value, InvalidKey> {
    let mut fields = Map::new();
    for child in &node.children {
        let (name, field) = find(shape, child)?;
        if let Some(value) = value(child, field)? {
            fields.insert(name.to_owned(), value);
        }
    }
    Ok(with_defaults(fields, shape, &node.children))
}

/// What a struct is of which nothing is set.
pub(crate) fn default(shape: &'static Struct) -> Value {
    with_defaults(Map::new(), shape, &[])
}

fn with_defaults(mut fields: Map<String, Value>, shape: &'static Struct, set: &[Node]) -> Value {
    for (name, text) in shape.defaults {
        if set.iter().any(|child| child.name.eq_ignore_ascii_case(name)) {
            continue;
        }
        let (_, field) = shape.fields.iter().find(|(field, _)| field == name).expect("defaults name fields");
        let node = Node { name: (*name).to_owned(), value: Some((*text).to_owned()), ..Node::default() };
        if let Some(value) = value(&node, *field).expect("defaults are valid") {
            fields.insert((*name).to_owned(), value);
        }
    }
    Value::Object(fields)
}

/// The field that a node names, in any case.
fn find(shape: &'static Struct, node: &Node) -> Result<(&'static str, Shape), InvalidKey> {
    let written = |name: &str, field: &Shape| match field {
        Shape::Only(label, _) => node.name.eq_ignore_ascii_case(label),
        _ => node.name.eq_ignore_ascii_case(name),
    };
    let found = shape.fields.iter().find(|(name, field)| written(name, field));
    found
        .copied()
        .ok_or_else(|| fail(node, format!("{} has no option {}{}", shape.name, node.name, near(shape, node))))
}

/// `; did you mean x`, where an option is a slip of the keyboard away.
fn near(shape: &'static Struct, node: &Node) -> String {
    let written = node.name.to_lowercase();
    let distance = |name: &str| strsim::damerau_levenshtein(&written, &name.to_lowercase());
    let nearest = shape.fields.iter().map(|(name, _)| (distance(name), *name)).min();
    match nearest {
        Some((distance, name)) if distance <= 2 && distance < name.len() => format!("; did you mean {name}"),
        _ => String::new(),
    }
}

/// `None`: left out.
fn value(node: &Node, shape: Shape) -> Result<Option<Value>, InvalidKey> {
    let scalar = |result: Result<Value, String>| result.map_err(|message| fail(node, message));
    if !node.children.is_empty() && !takes_children(shape) {
        return Err(fail(node, format!("{} has nothing below it; lists are written with commas", node.name)));
    }
    let text = node.text();
    Ok(match shape {
        Shape::Text => Some(json!(text)).filter(|_| !text.is_empty()),
        Shape::Flag => {
            Some(scalar(scalar::flag(text).map(Value::from))?).filter(|value| *value != json!(false))
        }
        Shape::Number => {
            Some(scalar(scalar::number(text).map(Value::from))?).filter(|value| *value != json!(0))
        }
        Shape::Span => Some(scalar(scalar::span(text).map(|nanos| scalar::print_span(nanos).into()))?)
            .filter(|value| *value != json!("0s")),
        Shape::Set(inner) => Some(value(node, *inner)?.unwrap_or_else(|| empty(*inner))),
        Shape::Texts => Some(texts(text)).filter(|_| !text.is_empty()),
        Shape::Map(inner) => Some(map(node, *inner)?),
        Shape::Struct(below) => {
            standing(node)?;
            Some(decode(node, below)?)
        }
        // `tls=false`, whatever lies below it.
        Shape::StructOrTrue(_) if node.value.as_ref().is_some_and(|text| !is_true(text)) => None,
        Shape::StructOrTrue(below) => Some(decode(node, below)?),
        Shape::List(below) => Some(list(node, below)?),
        Shape::Only(_, below) => {
            standing(node)?;
            Some(Value::Array(vec![decode(node, below)?]))
        }
        Shape::Any => Some(anything(node)),
    })
}

const fn takes_children(shape: Shape) -> bool {
    match shape {
        Shape::Text | Shape::Flag | Shape::Number | Shape::Span | Shape::Set(_) | Shape::Texts => false,
        Shape::Map(_)
        | Shape::Struct(_)
        | Shape::StructOrTrue(_)
        | Shape::List(_)
        | Shape::Only(..)
        | Shape::Any => true,
    }
}

fn is_true(text: &str) -> bool {
    text.is_empty() || text.eq_ignore_ascii_case("true")
}

/// What is told of a value that was set to nothing.
fn empty(shape: Shape) -> Value {
    match shape {
        Shape::Flag => json!(false),
        Shape::Number => json!(0),
        Shape::Span => json!("0s"),
        _ => json!(""),
    }
}

fn texts(text: &str) -> Value {
    text.split(',').map(|part| part.trim().to_owned()).collect::<Vec<_>>().into()
}

fn map(node: &Node, inner: Shape) -> Result<Value, InvalidKey> {
    standing(node)?;
    let mut values = Map::new();
    for child in &node.children {
        let value = match inner {
            // An empty value counts here: it takes a header away.
            Shape::Text if child.children.is_empty() => json!(child.text()),
            Shape::Struct(below) => decode(child, below)?,
            _ => value(child, inner)?.unwrap_or_else(|| empty(inner)),
        };
        values.insert(child.name.clone(), value);
    }
    Ok(Value::Object(values))
}

fn list(node: &Node, below: &'static Struct) -> Result<Value, InvalidKey> {
    standing(node)?;
    if let Some(child) = node.children.iter().find(|child| !child.name.starts_with('[')) {
        return Err(fail(child, format!("{} is a list; write {}[0].{}", node.name, node.name, child.name)));
    }
    node.children.iter().map(|child| decode(child, below)).collect()
}

/// A plugin's own options.
fn anything(node: &Node) -> Value {
    if node.children.is_empty() {
        return json!(node.text());
    }
    if node.children.iter().all(|child| child.name.starts_with('[')) {
        return node.children.iter().map(anything).collect();
    }
    Value::Object(node.children.iter().map(|child| (child.name.clone(), anything(child))).collect())
}

/// Options that lie below a name must be there.
fn standing(node: &Node) -> Result<(), InvalidKey> {
    if node.children.is_empty() {
        return Err(fail(node, format!("{} cannot stand alone; its options are missing", node.name)));
    }
    Ok(())
}

fn fail(node: &Node, message: String) -> InvalidKey {
    InvalidKey { key: node.key.clone(), message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traefik::schema::HTTP;
    use crate::traefik::tree;

    fn read(labels: &[&str]) -> Result<Value, String> {
        let labels = labels.iter().map(|label| label.split_once('=').expect("a label has a ="));
        let labels = labels.map(|(key, value)| (format!("traefik.http.{key}"), value.to_owned())).collect();
        let tree = tree::grow(&labels, "traefik.http").map_err(|error| error.message)?;
        decode(&tree, &HTTP).map_err(|error| error.message)
    }

    #[test]
    fn what_is_not_set_has_traefiks_defaults() {
        let read = read(&["middlewares.r.ratelimit.average=5", "middlewares.c.compress=true"]).unwrap();
        assert_eq!(
            read,
            json!({"middlewares": {
                "c": {"compress": {"encodings": ["gzip", "br", "zstd"]}},
                "r": {"rateLimit": {"average": 5, "period": "1s", "burst": 1}},
            }})
        );
    }

    #[test]
    fn false_takes_what_lies_below_away() {
        let read = read(&["routers.a.tls=false", "routers.a.tls.options=x", "routers.b.tls=true"]).unwrap();
        assert_eq!(read, json!({"routers": {"a": {}, "b": {"tls": {}}}}));
    }

    #[test]
    fn places_in_lists_have_options_and_plugins_have_anything() {
        let read = read(&[
            "routers.a.tls.domains[0].main=a.example",
            "routers.a.tls.domains[0].sans=b.example, c.example",
            "middlewares.m.plugin.tomato.a.b=1",
            "middlewares.m.plugin.tomato.list[0]=x",
        ])
        .unwrap();
        let domain = json!({"main": "a.example", "sans": ["b.example", "c.example"]});
        assert_eq!(read["routers"]["a"]["tls"], json!({"domains": [domain]}));
        assert_eq!(read["middlewares"]["m"]["plugin"]["tomato"], json!({"a": {"b": "1"}, "list": ["x"]}));
    }

    #[test]
    fn mistakes_are_refused_with_their_reason() {
        for (label, part) in [
            ("routers.a.midlewares=x", "no option midlewares; did you mean middlewares"),
            ("routers.a.priority=high", "no whole number"),
            ("routers.a.middlewares[0]=auth", "lists are written with commas"),
            ("routers.a.tls.domains.main=x", "is a list"),
            ("middlewares.m.addprefix=/x", "cannot stand alone"),
            ("middlewares.m.headers.framedeny=yes", "neither true nor false"),
            ("services.s.loadbalancer.servers[0].url=http://x", "no option servers"),
            ("services.s.weighted.services[0].name=x", "no option weighted"),
            ("services.s.loadbalancer.healthcheck.interval=soon", "no span of time"),
            ("nosuch.x=1", "traefik.http has no option nosuch"),
        ] {
            let error = read(&[label]).unwrap_err();
            assert!(error.contains(part), "{label}: {error}");
        }
    }

    #[test]
    fn all_defaults_can_be_read() {
        assert_eq!(
            default(&crate::traefik::schema::LOAD_BALANCER),
            json!({"strategy": "wrr", "passHostHeader": true})
        );
        let kinds = ["retry.attempts=1", "forwardauth.address=x", "circuitbreaker.expression=x"];
        for kind in kinds {
            assert!(read(&[&format!("middlewares.m.{kind}")]).is_ok(), "{kind}");
        }
        assert!(read(&["middlewares.m.ratelimit.redis.db=1"]).is_ok());
    }
}
