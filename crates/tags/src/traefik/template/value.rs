//! Values in templates.

use std::collections::BTreeMap;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Text(String),
    Number(i64),
    Flag(bool),
    List(Vec<String>),
    Map(BTreeMap<String, String>),
}

impl Value {
    /// What stands in the text that is made.
    pub(super) fn printed(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Flag(flag) => flag.to_string(),
            Self::List(list) => format!("[{}]", list.join(" ")),
            Self::Map(map) => {
                let pairs: Vec<_> = map.iter().map(|(key, value)| format!("{key}:{value}")).collect();
                format!("map[{}]", pairs.join(" "))
            }
        }
    }

    /// Whether it counts as true: what is empty, false or 0 does not.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Text(text) => !text.is_empty(),
            Self::Number(number) => *number != 0,
            Self::Flag(flag) => *flag,
            Self::List(list) => !list.is_empty(),
            Self::Map(map) => !map.is_empty(),
        }
    }
}
