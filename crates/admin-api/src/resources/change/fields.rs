//! A change as it is read: all fields of all operations side by side, because serde cannot refuse unknown
//! fields of a struct that another one is flattened into.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Change, Expect, Name, Operation};

/// One change.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Change")]
pub(super) struct ChangeFields {
    /// What to do.
    operation: Word,
    /// Of `put`: the document.
    #[serde(default)]
    text: Option<String>,
    /// Of `put`: where the caller has it from, for findings: `petstore.yaml`. Line numbers count from `line`.
    #[serde(default)]
    origin: String,
    /// Of `put`: the line of `origin` on which `text` begins, from 1; 0 as 1.
    #[serde(default)]
    line: u32,
    /// Of `delete`: which object. Of `put`: which it must be, where the caller knows better than the text.
    #[serde(default)]
    key: Option<Name>,
    /// What must be true of the object before.
    #[serde(default)]
    expect: Expect,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Operation")]
enum Word {
    /// Write one document, YAML or JSON; which object it is stands in it.
    Put,
    /// Delete an object, which must exist.
    Delete,
}

impl TryFrom<ChangeFields> for Change {
    type Error = &'static str;

    fn try_from(fields: ChangeFields) -> Result<Self, Self::Error> {
        let ChangeFields { operation, text, origin, line, key, expect } = fields;
        let operation = match operation {
            Word::Put => Operation::Put { text: text.ok_or("a put needs a text")?, origin, line, key },
            Word::Delete if text.is_some() => return Err("a delete takes no text"),
            Word::Delete => Operation::Delete { key: key.ok_or("a delete needs a key")? },
        };
        Ok(Self { operation, expect })
    }
}
