//! What resources look like in HCL: attributes with their types, made from the JSON Schema of core.
//!
//! [`generate`] makes them once at start; everything else (the protocol's schemas, documents, paths, the docs) walks
//! these trees. An attribute knows its name in HCL and its field in documents, so neither is ever guessed from the other.

pub(crate) mod generate;
mod name;
mod path;
mod protocol;
mod settle;

pub(crate) use name::snake_case;
pub(crate) use path::attribute_path;
pub(crate) use protocol::schema;
pub(crate) use settle::settled;

/// An attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attribute {
    /// In HCL: `virtual_host`.
    pub(crate) name: String,
    /// In documents: `virtualHost`.
    pub(crate) field: String,
    /// What it is for.
    pub(crate) description: String,
    /// What it holds.
    pub(crate) shape: Shape,
    /// Who gives it.
    pub(crate) mode: Mode,
    /// Whether it is hidden.
    pub(crate) sensitive: bool,
}

/// Who gives an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The user, always.
    Required,
    /// The user.
    Optional,
    /// The user, or else the provider.
    Defaulted,
    /// The provider.
    Computed,
}

/// What an attribute holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Text.
    Text,
    /// True or false.
    Bool,
    /// A number.
    Number,
    /// Anything, as JSON text: what has no type, or contains itself.
    Json,
    /// A list.
    List(Box<Shape>),
    /// A map.
    Map(Box<Shape>),
    /// An object.
    Object(Vec<Attribute>),
}

impl Attribute {
    /// An attribute that is no field of a document.
    pub(crate) fn own(name: &str, shape: Shape, mode: Mode, description: &str) -> Self {
        Self {
            name: name.to_owned(),
            field: name.to_owned(),
            description: description.to_owned(),
            shape,
            mode,
            sensitive: false,
        }
    }

    /// The same attribute, given by the provider, and so all below it.
    pub(crate) fn computed(&self) -> Self {
        Self { mode: Mode::Computed, shape: self.shape.computed(), ..self.clone() }
    }
}

impl Shape {
    fn computed(&self) -> Self {
        match self {
            Self::Object(attributes) => Self::Object(attributes.iter().map(Attribute::computed).collect()),
            Self::List(of) => Self::List(Box::new(of.computed())),
            Self::Map(of) => Self::Map(Box::new(of.computed())),
            plain => plain.clone(),
        }
    }
}
