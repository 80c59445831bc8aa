//! Which resources are meant.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use biplane_core::key::{Kind, ObjectKey};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which resources; a field that is not set matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Filter {
    /// Of this kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// In this namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Of this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// With these labels: `app=web,tier!=test,canary,!old`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<Selector>,
}

impl Filter {
    /// Whether an object is meant.
    pub fn matches(&self, key: &ObjectKey, labels: &BTreeMap<String, String>) -> bool {
        self.kind.is_none_or(|kind| kind == key.kind)
            && self.namespace.as_deref().is_none_or(|namespace| namespace == &*key.namespace)
            && self.name.as_deref().is_none_or(|name| name == &*key.name)
            && self.selector.as_ref().is_none_or(|selector| selector.matches(labels))
    }
}

/// Conditions on labels, all of which must hold. Written as Kubernetes and Gloo write them.
#[derive(Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String")]
pub struct Selector(Vec<Condition>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Condition {
    Is(String, String),
    IsNot(String, String),
    Exists(String),
    Absent(String),
}

/// The text is not a selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a condition on a label: write key=value, key!=value, key or !key, with commas between")]
pub struct SelectorError(String);

impl Selector {
    /// Whether it asks for nothing, so that everything is selected.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all conditions hold.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.0.iter().all(|condition| match condition {
            Condition::Is(key, value) => labels.get(key) == Some(value),
            Condition::IsNot(key, value) => labels.get(key) != Some(value),
            Condition::Exists(key) => labels.contains_key(key),
            Condition::Absent(key) => !labels.contains_key(key),
        })
    }
}

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        text.split(',')
            .map(|part| condition(part.trim()).ok_or_else(|| SelectorError(part.to_owned())))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

fn condition(text: &str) -> Option<Condition> {
    let whole = |key: &str| (!key.is_empty() && !key.contains(['=', '!'])).then(|| key.trim().to_owned());
    if let Some((key, value)) = text.split_once("!=") {
        return Some(Condition::IsNot(whole(key)?, value.trim().to_owned()));
    }
    if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        return Some(Condition::Is(whole(key)?, value.trim().to_owned()));
    }
    match text.strip_prefix('!') {
        Some(key) => Some(Condition::Absent(whole(key)?)),
        None => Some(Condition::Exists(whole(text)?)),
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, condition) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            match condition {
                Condition::Is(key, value) => write!(f, "{key}={value}")?,
                Condition::IsNot(key, value) => write!(f, "{key}!={value}")?,
                Condition::Exists(key) => f.write_str(key)?,
                Condition::Absent(key) => write!(f, "!{key}")?,
            }
        }
        Ok(())
    }
}

impl Serialize for Selector {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Selector {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> BTreeMap<String, String> {
        BTreeMap::from([("app".into(), "web".into()), ("canary".into(), String::new())])
    }

    #[test]
    fn every_condition_must_hold() {
        for (text, holds) in [
            ("app=web", true),
            ("app==web,canary", true),
            ("app!=web", false),
            ("tier!=x", true),
            ("!old", true),
            ("!app", false),
            ("old", false),
        ] {
            let selector: Selector = text.parse().unwrap();
            assert_eq!(selector.matches(&labels()), holds, "{text}");
        }
    }

    #[test]
    fn a_selector_reads_what_it_writes() {
        let selector: Selector = "app=web, tier!=test,canary,!old".parse().unwrap();
        assert_eq!(selector.to_string(), "app=web,tier!=test,canary,!old");
        assert_eq!(selector.to_string().parse(), Ok(selector));
    }

    #[test]
    fn half_a_condition_is_refused() {
        for text in ["", "=web", "a=b,", "!", "!=x"] {
            assert!(text.parse::<Selector>().is_err(), "{text:?}");
        }
    }
}
