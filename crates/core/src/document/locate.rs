//! From a field's path back to its line: for findings that are made long after decoding, by parts
//! that hold no text.

use std::fmt;

use crate::path::FieldPath;
use crate::yaml::{Node, Value, parse};

/// The lines of one document, read once for any number of paths.
pub struct Lines<'a>(Node<'a>);

impl<'a> Lines<'a> {
    /// The lines of a document; `None`: the text is not one.
    pub fn of(slice: &'a str) -> Option<Self> {
        parse(slice).ok().map(Self)
    }

    /// The line, from 1, of the field at `path`, or of the last field on the way there.
    pub fn line(&self, path: &FieldPath) -> u32 {
        let root = &self.0;
        let wrapped = match &root.value {
            Value::Map(map) if !path.0.is_empty() => map.get("spec"),
            _ => None,
        };
        let (fields, line) = wrapped.map_or((root, root.line), |entry| (&entry.value, entry.line));
        fields.line_of(path).unwrap_or(line)
    }
}

/// The text may be secret.
impl fmt::Debug for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lines")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locate(slice: &str, path: &FieldPath) -> Option<u32> {
        Some(Lines::of(slice)?.line(path))
    }

    const WRAPPED: &str = "kind: VirtualService\nmetadata: {name: a}\nspec:\n  virtual_host:\n    routes:\n    - matchers:\n      - prefix: /\n";

    #[test]
    fn field_of_a_wrapped_object_is_found_in_either_spelling() {
        let path = FieldPath::root().field("virtualHost").field("routes").index(0).field("matchers").index(0);
        assert_eq!(locate(WRAPPED, &path.field("prefix")), Some(7));
    }

    #[test]
    fn field_of_a_bare_object_is_found() {
        let path = FieldPath::root().field("routes").index(0);
        assert_eq!(locate("metadata: {name: a}\nroutes:\n- name: x\n", &path), Some(3));
    }

    #[test]
    fn absent_field_is_where_its_parent_is() {
        let path = FieldPath::root().field("virtualHost").field("options").field("cors");
        assert_eq!(locate(WRAPPED, &path), Some(4));
        assert_eq!(locate(WRAPPED, &FieldPath::root().field("sslConfig")), Some(3));
        assert_eq!(locate(WRAPPED, &FieldPath::root()), Some(1));
    }
}
