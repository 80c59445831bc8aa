//! Which fields of which messages are maps, or have maps below them.
//!
//! The table is `table.txt`, made from Envoy's descriptors by `cargo run -p biplane-translator --example
//! descriptors`; messages that have no map and no `Any` below are not in it. A line is a message: its full
//! name, then its fields that matter. `7#` is a map, `7:12` a message whose line is the one of number 12
//! (from 0), `7#:12` a map whose entries are described there, `7*` an `Any`.

use std::collections::HashMap;
use std::sync::LazyLock;

const TEXT: &str = include_str!("table.txt");

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::parse(TEXT).expect("the table is generated"));

/// The line of a message in the table.
pub(super) type Index = u32;

/// What is inside a field's value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Below {
    /// No maps.
    Nothing,
    /// An `Any`: its type URL tells.
    Any,
    /// A message of the table.
    Message(Index),
}

/// A field that matters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// Whether the field is a map.
    pub(super) map: bool,
    /// What is inside the field's value; of a map: inside its entries.
    pub(super) below: Below,
}

/// The fields of one message that matter, sorted by number.
#[derive(Debug)]
pub(super) struct Fields(Vec<(u32, Shape)>);

impl Fields {
    /// The field of a number, if it matters.
    pub(super) fn field(&self, number: u32) -> Option<Shape> {
        let position = self.0.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        Some(self.0[position].1)
    }
}

struct Table {
    names: HashMap<&'static str, Index>,
    messages: Vec<Fields>,
}

impl Table {
    fn parse(text: &'static str) -> Option<Self> {
        let mut table = Self { names: HashMap::new(), messages: Vec::new() };
        for (index, line) in (0..).zip(text.lines()) {
            let mut words = line.split(' ');
            table.names.insert(words.next()?, index);
            table.messages.push(Fields(words.map(field).collect::<Option<_>>()?));
        }
        Some(table)
    }
}

fn field(word: &str) -> Option<(u32, Shape)> {
    let digits = word.find(|c: char| !c.is_ascii_digit())?;
    let (number, rest) = word.split_at(digits);
    let map = rest.starts_with('#');
    let below = match rest.trim_start_matches('#') {
        "" => Below::Nothing,
        "*" => Below::Any,
        line => Below::Message(line.strip_prefix(':')?.parse().ok()?),
    };
    Some((number.parse().ok()?, Shape { map, below }))
}

/// What is inside the message of this full name; `None`: no maps.
pub(super) fn find(message_name: &str) -> Option<Below> {
    if message_name == "google.protobuf.Any" {
        return Some(Below::Any);
    }
    TABLE.names.get(message_name).copied().map(Below::Message)
}

/// The fields that matter of a message of the table.
pub(super) fn message(index: Index) -> &'static Fields {
    &TABLE.messages[index as usize]
}
