//! A document as a tree that remembers its lines.

use std::borrow::Cow;
use std::collections::HashMap;

use super::names::camel_case;
use super::scalar::Scalar;
use super::stream::{Events, Item, MAX_DEPTH, Problem};
use crate::path::{FieldPath, Step};

/// Most nodes of one document, aliases counted as often as they are used. An object at the size
/// limit that is not made to hurt has a tenth of it.
const MAX_NODES: usize = 100_000;

/// A value and its line, from 1.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node<'a> {
    pub value: Value<'a>,
    pub line: u32,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Scalar(Scalar<'a>),
    List(Vec<Node<'a>>),
    Map(Mapping<'a>),
}

/// Fields in the order in which they were written.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Mapping<'a> {
    pub entries: Vec<Entry<'a>>,
    /// Fields that an earlier one of the same name hides.
    pub duplicates: Vec<Duplicate<'a>>,
}

/// A field: its name, the line of the name, its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry<'a> {
    pub key: Cow<'a, str>,
    pub line: u32,
    pub value: Node<'a>,
}

/// A second field of one name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Duplicate<'a> {
    pub key: Cow<'a, str>,
    pub line: u32,
    pub first_line: u32,
}

impl<'a> Node<'a> {
    pub(crate) fn text(text: impl Into<Cow<'a, str>>, line: u32) -> Self {
        Self { value: Value::Scalar(Scalar { text: text.into(), plain: false }), line }
    }

    pub(crate) fn map(entries: Vec<Entry<'a>>, line: u32) -> Self {
        Self { value: Value::Map(Mapping { entries, duplicates: Vec::new() }), line }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(scalar) if scalar.is_null())
    }

    /// The line of the field at `path`, or of the nearest one above it; `None` when there is not even
    /// the first step of it.
    pub(crate) fn line_of(&self, path: &FieldPath) -> Option<u32> {
        let (mut node, mut line) = (self, None);
        for step in &path.0 {
            let next = match (step, &node.value) {
                (Step::Field(name), Value::Map(map)) => {
                    map.find(name).map(|entry| (&entry.value, entry.line))
                }
                (Step::Index(index), Value::List(list)) => {
                    list.get(*index).map(|element| (element, element.line))
                }
                _ => None,
            };
            let Some((child, child_line)) = next else { break };
            (node, line) = (child, Some(child_line));
        }
        line
    }

    /// How many nodes this is, and how many levels.
    fn extent(&self) -> (usize, usize) {
        let add = |sum: (usize, usize), child: &Self| {
            let (nodes, levels) = child.extent();
            (sum.0 + nodes, sum.1.max(levels + 1))
        };
        match &self.value {
            Value::Scalar(_) => (1, 1),
            Value::List(list) => list.iter().fold((1, 1), add),
            Value::Map(map) => map.entries.iter().map(|entry| &entry.value).fold((1, 1), add),
        }
    }
}

impl<'a> Mapping<'a> {
    pub(crate) fn get(&self, key: &str) -> Option<&Entry<'a>> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// The field in camelCase, whichever way it is written.
    fn find(&self, name: &str) -> Option<&Entry<'a>> {
        self.get(name).or_else(|| self.entries.iter().find(|entry| camel_case(&entry.key) == name))
    }

    /// Takes the field out.
    pub(crate) fn take(&mut self, key: &str) -> Option<Entry<'a>> {
        let at = self.entries.iter().position(|entry| entry.key == key)?;
        Some(self.entries.remove(at))
    }
}

/// Reads one document.
pub(crate) fn parse(text: &str) -> Result<Node<'_>, Problem> {
    let mut builder = Builder { events: Events::new(text), anchors: HashMap::new(), nodes: 0 };
    let (item, line) = builder.events.next()?.ok_or_else(|| Problem::new(1, "the document is empty"))?;
    let root = builder.node(item, line, 1)?;
    builder.events.finish()?;
    Ok(root)
}

struct Builder<'a> {
    events: Events<'a>,
    anchors: HashMap<usize, Node<'a>>,
    nodes: usize,
}

impl<'a> Builder<'a> {
    fn node(&mut self, item: Item<'a>, line: u32, depth: usize) -> Result<Node<'a>, Problem> {
        self.count(1, depth, line)?;
        let (value, anchor) = match item {
            Item::Scalar { text, plain, anchor } => (Value::Scalar(Scalar { text, plain }), anchor),
            Item::SequenceStart { anchor } => (Value::List(self.list(depth)?), anchor),
            Item::MappingStart { anchor } => (Value::Map(self.map(depth)?), anchor),
            Item::Alias(anchor) => return self.alias(anchor, line, depth),
            Item::SequenceEnd | Item::MappingEnd => return Err(unfinished(line)),
        };
        let node = Node { value, line };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node<'a>>, Problem> {
        let mut list = Vec::new();
        loop {
            match self.next()? {
                (Item::SequenceEnd, _) => return Ok(list),
                (item, line) => list.push(self.node(item, line, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Mapping<'a>, Problem> {
        let mut entries = Vec::new();
        loop {
            let (key, line) = match self.next()? {
                (Item::MappingEnd, _) => return merged(unique(entries)),
                (Item::Scalar { text, .. }, line) => (text, line),
                (_, line) => return Err(Problem::new(line, "a field's name must be a word")),
            };
            let (item, value_line) = self.next()?;
            let value = self.node(item, value_line, depth + 1)?;
            entries.push(Entry { key, line, value });
        }
    }

    fn alias(&mut self, anchor: usize, line: u32, depth: usize) -> Result<Node<'a>, Problem> {
        let target = self
            .anchors
            .get(&anchor)
            .ok_or_else(|| Problem::new(line, "an alias inside the very thing that it names"))?;
        let (nodes, levels) = target.extent();
        let node = Node { line, ..target.clone() };
        self.count(nodes, depth + levels, line)?;
        Ok(node)
    }

    fn count(&mut self, nodes: usize, depth: usize, line: u32) -> Result<(), Problem> {
        self.nodes += nodes;
        if depth > MAX_DEPTH {
            return Err(Problem::new(line, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        if self.nodes > MAX_NODES {
            return Err(Problem::new(line, format!("more than {MAX_NODES} values, aliases included")));
        }
        Ok(())
    }

    fn next(&mut self) -> Result<(Item<'a>, u32), Problem> {
        self.events.next()?.ok_or_else(|| unfinished(1))
    }
}

fn unfinished(line: u32) -> Problem {
    Problem::new(line, "not valid YAML: the document ends too early")
}

/// Sorts out fields that repeat a name; the first of them counts.
fn unique(entries: Vec<Entry<'_>>) -> Mapping<'_> {
    let mut first: HashMap<Cow<'_, str>, u32> = HashMap::new();
    let mut mapping = Mapping { entries: Vec::with_capacity(entries.len()), duplicates: Vec::new() };
    // Below this a scan is cheaper than a table.
    let small = entries.len() <= 16;
    for entry in entries {
        let before = if small {
            mapping.get(&entry.key).map(|first| first.line)
        } else {
            first.get(&entry.key).copied()
        };
        if let Some(first_line) = before {
            mapping.duplicates.push(Duplicate { key: entry.key, line: entry.line, first_line });
            continue;
        }
        if !small {
            first.insert(entry.key.clone(), entry.line);
        }
        mapping.entries.push(entry);
    }
    mapping
}

/// Carries out YAML's merge key: fields of `<<` that the mapping does not have itself.
fn merged(mut mapping: Mapping<'_>) -> Result<Mapping<'_>, Problem> {
    let Some(merge) = mapping.take("<<") else { return Ok(mapping) };
    let sources = match merge.value.value {
        Value::List(list) => list,
        _ => vec![merge.value],
    };
    for source in sources {
        let Value::Map(source) = source.value else {
            return Err(Problem::new(merge.line, "`<<` merges mappings only"));
        };
        for entry in source.entries {
            if mapping.get(&entry.key).is_none() {
                mapping.entries.push(entry);
            }
        }
    }
    Ok(mapping)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    fn refused(text: &str) -> (u32, String) {
        let problem = parse(text).unwrap_err();
        (problem.line, problem.message)
    }

    #[test]
    fn tree_knows_the_lines_of_names_and_values() {
        let Value::Map(map) = parse("a: 1\nb:\n- x\n-\n  c: d\n").unwrap().value else { panic!("a mapping") };
        let b = map.get("b").unwrap();
        let Value::List(list) = &b.value.value else { panic!("a list") };
        assert_eq!((b.line, list[0].line, list[1].line), (2, 3, 5));
    }

    #[test]
    fn aliases_and_merge_keys_are_carried_out() {
        let Value::Map(map) = parse("x: &x {a: 1, b: 2}\ny:\n  <<: *x\n  b: 3\nz: *x\n").unwrap().value
        else {
            panic!("a mapping")
        };
        let Value::Map(y) = &map.get("y").unwrap().value.value else { panic!("a mapping") };
        let fields: Vec<_> = y.entries.iter().map(|entry| entry.key.as_ref()).collect();
        assert_eq!(fields, ["b", "a"]);
        assert_eq!(map.get("z").unwrap().value.line, 5);
    }

    #[test]
    fn bombs_are_refused_before_they_grow() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            let below = format!("*a{}, ", level - 1).repeat(10);
            writeln!(bomb, "a{level}: &a{level} [{}]", below.trim_end_matches(", ")).unwrap();
        }
        assert!(refused(&bomb).1.contains("aliases included"));
        assert_eq!(refused("a: &a [*a]").1, "an alias inside the very thing that it names");
        assert!(refused(&"[".repeat(10_000)).1.contains("deeper than 64"));
        assert!(refused(&"- ".repeat(10_000)).1.contains("deeper than 64"));
        let mixed = format!("{}{}", "- ".repeat(40), "[".repeat(40) + &"]".repeat(40));
        assert!(refused(&mixed).1.contains("deeper than 64"));
    }

    #[test]
    fn more_than_one_document_is_refused() {
        assert!(refused("{a: 1} {b: 2}").1.contains("not valid YAML"));
        assert_eq!(refused("a: 1\n---\nb: 2\n"), (2, "more than one document".into()));
    }
}
