//! Checks a tree against a shape, reports every mistake in it, and leaves a tree that fits.
//!
//! On the way it does what protobuf's JSON reader does for Gloo: snake_case names become camelCase,
//! `null` is "absent". And it finishes references: a reference without a namespace gets that of
//! the object, and the old form of `delegateAction` becomes `ref`.

use std::borrow::Cow;

use super::gloo_fields::{self, Standing};
use super::{Message, Shape, Shapes};
use crate::findings::Findings;
use crate::path::Trail;
use crate::scalars::{Duration, Timestamp};
use crate::suggest::nearest;
use crate::yaml::{Entry, Mapping, Node, Scalar, Value};

/// Words that are read as other words of the same message.
const WORD_ALIASES: [(&str, &str); 5] = [
    ("301", "MOVED_PERMANENTLY"),
    ("302", "FOUND"),
    ("303", "SEE_OTHER"),
    ("307", "TEMPORARY_REDIRECT"),
    ("308", "PERMANENT_REDIRECT"),
];

/// Makes `node` fit `shape`; what does not is reported and left out.
pub(crate) fn check<'a>(node: &mut Node<'a>, shape: &Shape, trail: &Trail<'_>, findings: &mut Findings<'_>) {
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
            (Shape::List(_) | Shape::Map(_) | Shape::Message(_), _) => {
                self.wrong_type(shape, node, trail, line);
                false
            }
            (_, Value::Scalar(scalar)) => self.scalar(scalar, shape, trail, line),
            (_, Value::List(_) | Value::Map(_)) => {
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

    /// The field that `entry` names; `None` when there is nothing to read, reported where it must be.
    fn known(
        &mut self,
        entry: &Entry<'_>,
        message: &'static Message,
        trail: &Trail<'_>,
    ) -> Option<&'static (String, Shape)> {
        if let Some(field) = message.field(&entry.key) {
            return Some(field);
        }
        let camel = camel_case(&entry.key);
        if let Some(field) = message.field(&camel) {
            return Some(field);
        }
        if !message.strict {
            return None;
        }
        match gloo_fields::find(&message.name, &camel) {
            // Only a field that says something can be missed.
            Some(_) if entry.value.is_null() => {}
            Some((standing, remark)) => self.gloo_field(&camel, standing, remark, entry, trail),
            None => self.unknown_field(entry, message, trail),
        }
        None
    }

    fn gloo_field(
        &mut self,
        name: &str,
        standing: Standing,
        remark: &str,
        entry: &Entry<'_>,
        trail: &Trail<'_>,
    ) {
        let field = trail.field(name);
        self.findings.drop_field(&field);
        let path = field.path();
        match standing {
            Standing::Without => {
                self.findings.warning(
                    path,
                    entry.line,
                    format!("Gloo's field {name:?} has no effect: {remark}"),
                );
            }
            Standing::Unguarded => {
                let message = format!("Gloo's field {name:?} has no effect: {remark}");
                let report = self.findings.warning(path, entry.line, message);
                report.hint = Some("requests are let through without it; guard them elsewhere first".into());
            }
            Standing::Refused => {
                self.findings.error(path, entry.line, remark);
            }
        }
    }

    fn unknown_field(&mut self, entry: &Entry<'_>, message: &'static Message, trail: &Trail<'_>) {
        let field = trail.field(&entry.key);
        self.findings.drop_field(&field);
        let Some(name) = shown(&entry.key) else {
            self.no_word(entry, trail);
            return;
        };
        let hint = self.field_hint(name, message);
        let report = self.findings.error(field.path(), entry.line, format!("unknown field {name:?}"));
        report.hint = Some(hint);
    }

    /// A field whose name is no word. It is not quoted: it may be a piece of a key that slipped out of
    /// its indentation.
    fn no_word(&mut self, entry: &Entry<'_>, trail: &Trail<'_>) {
        let blank = entry.key.chars().any(|c| c.is_whitespace() && !c.is_ascii());
        let (message, hint) = if blank {
            (
                "the line is indented with another blank than a space",
                "copied text often holds them; type spaces instead",
            )
        } else {
            ("unknown field, whose name is no word", "compare the indentation with the lines above")
        };
        self.findings.error(trail.path(), entry.line, message).hint = Some(hint.to_owned());
    }

    fn field_hint(&self, written: &str, message: &'static Message) -> String {
        let ours = || message.fields.iter().map(|field| field.0.as_str());
        if let Some(name) = nearest(written, ours().chain(gloo_fields::of(&message.name))) {
            return format!("did you mean {name:?}?");
        }
        if let Some(name) = self.below(&camel_case(written), message) {
            return format!("did you mean {name:?}?");
        }
        let names: Vec<_> = ours().collect();
        if names.is_empty() {
            "no fields are written here".to_owned()
        } else {
            format!("fields here are {}", names.join(", "))
        }
    }

    /// The field one level further down, such as `options.prefixRewrite`.
    fn below(&self, name: &str, message: &'static Message) -> Option<String> {
        message.fields.iter().find_map(|(child, shape)| match shape {
            Shape::Message(index) => {
                self.shapes.messages[*index].field(name).map(|field| format!("{child}.{}", field.0))
            }
            _ => None,
        })
    }

    fn duplicates(&mut self, map: &mut Mapping<'_>, trail: &Trail<'_>) {
        for duplicate in std::mem::take(&mut map.duplicates) {
            let Some(name) = shown(&duplicate.key) else {
                self.findings.error(trail.path(), duplicate.line, "a field is written twice");
                continue;
            };
            let first = self.findings.shown_line(duplicate.first_line);
            let message = format!("{name:?} is written twice, first on line {first}");
            let report = self.findings.error(trail.field(name).path(), duplicate.line, message);
            report.hint = Some("remove one of them".into());
        }
    }

    fn written_twice(&mut self, name: &str, line: u32, trail: &Trail<'_>) {
        let message = format!("{name:?} is written twice, in camelCase and in snake_case");
        let report = self.findings.error(trail.field(name).path(), line, message);
        report.hint = Some("remove one of them".into());
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

    fn scalar(&mut self, scalar: &mut Scalar<'_>, shape: &Shape, trail: &Trail<'_>, line: u32) -> bool {
        match shape {
            Shape::Bool if scalar.as_bool().is_some() => true,
            Shape::Float if scalar.as_float().is_some() => true,
            Shape::Integer { min, max } if scalar.as_integer().is_some() => {
                let value = scalar.as_integer().unwrap_or_default();
                if value < *min || value > *max {
                    let message = format!("{value} is out of range: {min} to {max}");
                    self.findings.error(trail.path(), line, message);
                    return false;
                }
                true
            }
            Shape::Duration => self.parsed(scalar.text.parse::<Duration>(), scalar, trail, line),
            Shape::Timestamp => self.parsed(scalar.text.parse::<Timestamp>(), scalar, trail, line),
            Shape::Word(words) => self.word(scalar, words, trail, line),
            Shape::Text | Shape::Secret if is_text(scalar) => true,
            _ => {
                self.wrong_scalar(shape, scalar, trail, line);
                false
            }
        }
    }

    fn parsed<T, E: std::fmt::Display>(
        &mut self,
        parsed: Result<T, E>,
        scalar: &Scalar<'_>,
        trail: &Trail<'_>,
        line: u32,
    ) -> bool {
        let Err(error) = parsed else { return true };
        let report = self.findings.error(trail.path(), line, error.to_string());
        if scalar.as_integer().is_some() {
            report.hint = Some(format!("write a unit: {}s", scalar.text));
        }
        false
    }

    fn word(&mut self, scalar: &mut Scalar<'_>, words: &[String], trail: &Trail<'_>, line: u32) -> bool {
        let alias = WORD_ALIASES
            .iter()
            .find(|(alias, word)| *alias == scalar.text && words.iter().any(|w| w == word));
        if let Some((_, word)) = alias {
            scalar.text = Cow::Borrowed(word);
            return true;
        }
        if words.iter().any(|word| *word == scalar.text) {
            return true;
        }
        let hint = match nearest(&scalar.text, words.iter().map(String::as_str)) {
            Some(word) => format!("did you mean {word:?}?"),
            None => format!("it is one of {}", words.join(", ")),
        };
        let report = self.findings.error(trail.path(), line, format!("unknown value {:?}", scalar.text));
        report.hint = Some(hint);
        false
    }

    fn wrong_scalar(&mut self, shape: &Shape, scalar: &Scalar<'_>, trail: &Trail<'_>, line: u32) {
        let message = format!("expected {}, found {}", expected(shape), found_scalar(scalar));
        let report = self.findings.error(trail.path(), line, message);
        report.hint = match shape {
            Shape::Secret => Some("put it in quotes".to_owned()),
            Shape::Text => Some(format!("put it in quotes: \"{}\"", scalar.text)),
            Shape::Bool if matches!(&*scalar.text, "true" | "false") => {
                Some("leave the quotes out".to_owned())
            }
            _ => None,
        };
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
        Value::Scalar(scalar) => found_scalar(scalar),
        Value::List(_) => "a list",
        Value::Map(_) => "a mapping",
    }
}

fn found_scalar(scalar: &Scalar<'_>) -> &'static str {
    if scalar.is_null() {
        "nothing"
    } else if scalar.is_number() {
        "a number"
    } else if scalar.plain && scalar.as_bool().is_some() {
        "a truth value"
    } else {
        "text"
    }
}

/// Whether a scalar reads as text. `yes` and `on` are text here, as in YAML 1.2.
fn is_text(scalar: &Scalar<'_>) -> bool {
    let truth = || matches!(&*scalar.text, "true" | "True" | "TRUE" | "false" | "False" | "FALSE");
    !scalar.plain || !(scalar.is_null() || scalar.is_number() || truth())
}

fn is_empty_text(node: &Node<'_>) -> bool {
    matches!(&node.value, Value::Scalar(scalar) if scalar.text.is_empty())
}

/// A name that a finding may show: one that looks like a field's.
fn shown<'a>(name: &'a Cow<'_, str>) -> Option<&'a str> {
    let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    (name.len() <= 48 && name.chars().all(word)).then_some(name)
}

/// protobuf's rule from a snake_case name to its camelCase.
fn camel_case(name: &str) -> Cow<'_, str> {
    if !name.contains('_') {
        return Cow::Borrowed(name);
    }
    let mut camel = String::with_capacity(name.len());
    let mut raise = false;
    for c in name.chars() {
        if c == '_' {
            raise = true;
        } else if raise {
            camel.extend(c.to_uppercase());
            raise = false;
        } else {
            camel.push(c);
        }
    }
    Cow::Owned(camel)
}
