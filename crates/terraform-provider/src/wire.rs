//! The messages of provider protocol 6, as far as they are read or written here, described by hand as in `crates/xds`:
//! what is left out is skipped by the decoder, and needs neither a compiler of messages nor somebody else's file.
//!
//! Every method has a pair of messages, which are in [`calls`].

pub(crate) mod calls;
mod schema;

use bytes::Bytes;
use prost::{Enumeration, Message, Oneof};

pub(crate) use schema::{Attribute, Block, Nesting, Object, Schema};

/// A value, in MessagePack or, from old states, in JSON.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct DynamicValue {
    /// The usual form.
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) msgpack: Bytes,
    /// The other one.
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) json: Bytes,
}

/// A state as it was saved, in JSON.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RawState {
    /// The state.
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) json: Bytes,
}

/// Something to tell the user.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Diagnostic {
    /// How bad it is.
    #[prost(enumeration = "Severity", tag = "1")]
    pub(crate) severity: i32,
    /// One sentence.
    #[prost(string, tag = "2")]
    pub(crate) summary: String,
    /// The rest.
    #[prost(string, tag = "3")]
    pub(crate) detail: String,
    /// Which attribute it is about.
    #[prost(message, optional, tag = "4")]
    pub(crate) attribute: Option<AttributePath>,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Enumeration)]
#[repr(i32)]
pub(crate) enum Severity {
    /// Nobody said.
    Invalid = 0,
    /// Nothing more can be done.
    Error = 1,
    /// For the user to know.
    Warning = 2,
}

/// The way to an attribute.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct AttributePath {
    /// From the resource's root.
    #[prost(message, repeated, tag = "1")]
    pub(crate) steps: Vec<Step>,
}

/// One step of the way.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Step {
    /// Where to.
    #[prost(oneof = "Selector", tags = "1, 2, 3")]
    pub(crate) selector: Option<Selector>,
}

/// Where a step goes.
#[derive(Clone, PartialEq, Eq, Oneof)]
pub(crate) enum Selector {
    /// To an attribute of an object.
    #[prost(string, tag = "1")]
    Attribute(String),
    /// To an element of a map.
    #[prost(string, tag = "2")]
    Key(String),
    /// To an element of a list.
    #[prost(int64, tag = "3")]
    Index(i64),
}

impl From<Selector> for Step {
    fn from(selector: Selector) -> Self {
        Self { selector: Some(selector) }
    }
}

impl AttributePath {
    /// The path of a root attribute.
    pub(crate) fn root(name: &str) -> Self {
        Self { steps: vec![Selector::Attribute(name.to_owned()).into()] }
    }

    /// The path as HCL writes it: `virtual_host.routes[0].options`.
    pub(crate) fn written(&self) -> String {
        let steps = self.steps.iter().filter_map(|step| step.selector.as_ref());
        let words = steps.enumerate().map(|(position, selector)| match selector {
            Selector::Attribute(name) if position == 0 => name.clone(),
            Selector::Attribute(name) => format!(".{name}"),
            Selector::Key(key) => format!("[{key:?}]"),
            Selector::Index(index) => format!("[{index}]"),
        });
        words.collect()
    }

    /// As much of the path as OpenTofu finds in a configuration: a root attribute, and an element of it. For an attribute
    /// of an object it would look among those of the root, and show another one of the same name.
    pub(crate) fn located(mut self) -> Self {
        let is_element = |step: &Step| !matches!(step.selector, Some(Selector::Attribute(_)));
        let length = if self.steps.get(1).is_some_and(is_element) { 2 } else { 1 };
        self.steps.truncate(length);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_written_in_full_and_located_as_far_as_opentofu_looks() {
        let of = |selectors: &[Selector]| AttributePath {
            steps: selectors.iter().cloned().map(Into::into).collect(),
        };
        let attribute = |name: &str| Selector::Attribute(name.to_owned());
        let nested =
            of(&[attribute("virtual_host"), attribute("routes"), Selector::Index(0), attribute("name")]);
        assert_eq!(nested.written(), "virtual_host.routes[0].name");
        assert_eq!(nested.located().written(), "virtual_host");
        let element = of(&[attribute("labels"), Selector::Key("a.b".to_owned()), attribute("c")]);
        assert_eq!(element.located().written(), "labels[\"a.b\"]");
    }
}
