//! The part of the protocol that describes what resources look like.

use std::collections::HashMap;

use prost::{Enumeration, Message};

/// What a resource, a data source or the provider itself takes.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Schema {
    /// Counts up when saved states have to be rewritten.
    #[prost(int64, tag = "1")]
    pub(crate) version: i64,
    /// The attributes.
    #[prost(message, optional, tag = "2")]
    pub(crate) block: Option<Block>,
}

/// Schemas by the names of types.
pub(crate) type Schemas = HashMap<String, Schema>;

/// Attributes of one level.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Block {
    /// The attributes.
    #[prost(message, repeated, tag = "2")]
    pub(crate) attributes: Vec<Attribute>,
    /// What it is for.
    #[prost(string, tag = "4")]
    pub(crate) description: String,
    /// 1: the description is Markdown.
    #[prost(int32, tag = "5")]
    pub(crate) description_kind: i32,
}

/// One attribute.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Attribute {
    /// Its name in HCL.
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    /// Its type in JSON, if it has no attributes of its own.
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) r#type: Vec<u8>,
    /// What it is for.
    #[prost(string, tag = "3")]
    pub(crate) description: String,
    /// It must be given.
    #[prost(bool, tag = "4")]
    pub(crate) required: bool,
    /// It may be given.
    #[prost(bool, tag = "5")]
    pub(crate) optional: bool,
    /// The provider gives it, if nobody else does.
    #[prost(bool, tag = "6")]
    pub(crate) computed: bool,
    /// It is not shown.
    #[prost(bool, tag = "7")]
    pub(crate) sensitive: bool,
    /// 1: the description is Markdown.
    #[prost(int32, tag = "8")]
    pub(crate) description_kind: i32,
    /// Its attributes, if it has any.
    #[prost(message, optional, tag = "10")]
    pub(crate) nested_type: Option<Object>,
}

/// Attributes of an attribute.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Object {
    /// The attributes.
    #[prost(message, repeated, tag = "1")]
    pub(crate) attributes: Vec<Attribute>,
    /// How many of such objects there are.
    #[prost(enumeration = "Nesting", tag = "3")]
    pub(crate) nesting: i32,
}

/// How many objects an attribute holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Enumeration)]
#[repr(i32)]
pub(crate) enum Nesting {
    /// Nobody said.
    Invalid = 0,
    /// One.
    Single = 1,
    /// A list of them.
    List = 2,
    /// A map of them.
    Map = 4,
}
