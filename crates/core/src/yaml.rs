//! YAML as the rest of the crate needs it: a bounded event stream, a tree that knows its lines,
//! and the meaning of plain scalars. JSON is YAML, so this reads both.

mod de;
mod names;
mod scalar;
mod stream;
mod tree;

pub(crate) use names::camel_case;
pub(crate) use scalar::Scalar;
pub(crate) use stream::{Events, Item, Problem};
pub(crate) use tree::{Entry, Mapping, Node, Value, parse};
