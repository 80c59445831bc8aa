//! Checks a tree against a shape, reports every mistake in it, and leaves a tree that fits.
//!
//! On the way it does what protobuf's JSON reader does for Gloo: snake_case names become camelCase,
//! `null` is "absent". And it finishes references: a reference without a namespace gets that of
//! the object, and the old form of `delegateAction` becomes `ref`.

mod fields;
mod scalar;

use std::borrow::Cow;

use super::{Message, Shape, Shapes};
use crate::findings::Findings;
use crate::path::Trail;
use crate::yaml::{Entry, Mapping, Node, Scalar, Value};

/// Makes `node` fit `shape`; what does not is reported and left out.
pub(crate) fn check(node: &mut Node<'_>, shape: &Shape, trail: &Trail<'_>, findings: &mut Findings<'_>) {
    let mut checker = Checker { shapes: Shapes::get(), findings };
    let line = node.line;
    if !checker.fits(node, shape, trail, line) {
        *node = blank(shape, line);
    }
}

/// The emptiest value of a shape: it takes the place of a list element that does not fit, so that
/// the paths of those behind it stay right.
fn blank<'a>(shape: &Shape, line: u32) -> Node<'a> {
    match shape {
        Shape::Message(_) | Shape::Map(_) => Node::map(Vec::new(), line),
        Shape::List(_) => Node { value: Value::List(Vec::new()), line },
        Shape::Word(words) => Node::text(words.first().cloned().unwrap_or_default(), line),
        Shape::Bool => Node { value: Value::Scalar(Scalar { text: "false".into(), plain: true }), line },
        Shape::Integer { .. } | Shape::Float => Node::text("0", line),
        Shape::Duration => Node::text("0s", line),
        Shape::Timestamp => Node::text("1970-01-01T00:00:00Z", line),
        Shape::Text | Shape::Secret | Shape::Any => Node::text("", line),
    }
}

struct Checker<'c, 'f> {
    shapes: &'static Shapes,
    findings: &'c mut Findings<'f>,
}

impl Checker<'_, '_> {
    /// `line` is where a finding about the node as a whole points: at its name, if it has one.
    fn fits(&mut self, node: &mut Node<'_>, shape: &Shape, trail: &Trail<'_>, line: u32) -> bool {
        let fits = match (shape, &mut node.value) {
            (Shape::Any, _) => true,
            (Shape::List(element), Value::List(list)) => {
                self.list(list, element, trail);
                true
            }
            (Shape::Map(value), Value::Map(map)) => {
                self.map(map, value, trail);
                true
            }
            (Shape::Message(index), Value::Map(map)) => {
                self.message(map, &self.shapes.messages[*index], trail, line);
                true
            }
            (_, Value::Scalar(scalar)) if !shape.is_collection() => self.scalar(scalar, shape, trail, line),
            _ => {
                self.wrong_type(shape, node, trail, line);
                false
            }
        };
        if !fits {
            self.findings.drop_field(trail);
        }
        fits
    }

    fn list(&mut self, list: &mut [Node<'_>], shape: &Shape, trail: &Trail<'_>) {
        for (index, node) in list.iter_mut().enumerate() {
            let trail = trail.index(index);
            let line = node.line;
            if !self.fits(node, shape, &trail, line) {
                *node = blank(shape, line);
            }
        }
    }

    fn map(&mut self, map: &mut Mapping<'_>, shape: &Shape, trail: &Trail<'_>) {
        self.duplicates(map, trail);
        map.entries.retain_mut(|entry| {
            let line = entry.line;
            !entry.value.is_null() && self.fits(&mut entry.value, shape, &trail.field(&entry.key), line)
        });
    }

    fn message(&mut self, map: &mut Mapping<'_>, message: &'static Message, trail: &Trail<'_>, line: u32) {
        self.duplicates(map, trail);
        let mut seen: Vec<&'static str> = Vec::with_capacity(map.entries.len());
        map.entries.retain_mut(|entry| {
            let Some((name, shape)) = self.known(entry, message, trail) else { return false };
            entry.key = Cow::Borrowed(name.as_str());
            if seen.contains(&name.as_str()) {
                self.written_twice(name, entry.line, trail);
                return false;
            }
            seen.push(name);
            let line = entry.line;
            !entry.value.is_null() && self.fits(&mut entry.value, shape, &trail.field(name), line)
        });
        match message.name.as_str() {
            "ResourceRef" => self.complete_reference(map, line),
            "DelegateAction" => self.modernize_delegation(map, line),
            _ => {}
        }
    }

    fn complete_reference(&self, map: &mut Mapping<'_>, line: u32) {
        let namespace = map.get("namespace").is_some_and(|entry| !is_empty_text(&entry.value));
        if !namespace {
            map.take("namespace");
            let value = Node::text(self.findings.key().namespace.clone(), line);
            map.entries.push(Entry { key: "namespace".into(), line, value });
        }
    }

    /// Gloo's old form has name and namespace in the action itself.
    fn modernize_delegation(&self, map: &mut Mapping<'_>, line: u32) {
        if map.get("ref").is_some() || map.get("selector").is_some() {
            return;
        }
        let Some(name) = map.take("name") else { return };
        let mut reference = Mapping { entries: vec![name], duplicates: Vec::new() };
        reference.entries.extend(map.take("namespace"));
        self.complete_reference(&mut reference, line);
        map.entries.push(Entry {
            key: "ref".into(),
            line,
            value: Node { value: Value::Map(reference), line },
        });
    }

    fn wrong_type(&mut self, shape: &Shape, node: &Node<'_>, trail: &Trail<'_>, line: u32) {
        let message = format!("expected {}, found {}", expected(shape), found(node));
        let report = self.findings.error(trail.path(), line, message);
        if matches!((shape, &node.value), (Shape::List(_), Value::Map(_) | Value::Scalar(_))) {
            report.hint = Some("write `- ` in front of it".to_owned());
        }
    }
}

fn expected(shape: &Shape) -> &'static str {
    match shape {
        Shape::Bool => "true or false",
        Shape::Integer { .. } => "a whole number",
        Shape::Float => "a number",
        Shape::Text | Shape::Secret => "text",
        Shape::Duration => "a duration such as 5s",
        Shape::Timestamp => "a time",
        Shape::Word(_) => "a word",
        Shape::List(_) => "a list",
        Shape::Map(_) | Shape::Message(_) => "a mapping",
        Shape::Any => "any value",
    }
}

fn found(node: &Node<'_>) -> &'static str {
    match &node.value {
        Value::Scalar(scalar) => scalar::found_scalar(scalar),
        Value::List(_) => "a list",
        Value::Map(_) => "a mapping",
    }
}

fn is_empty_text(node: &Node<'_>) -> bool {
    matches!(&node.value, Value::Scalar(scalar) if scalar.text.is_empty())
}
