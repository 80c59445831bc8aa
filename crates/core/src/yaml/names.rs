//! The two spellings of a field's name.

use std::borrow::Cow;

/// protobuf's rule from a snake_case name to its camelCase.
pub(crate) fn camel_case(name: &str) -> Cow<'_, str> {
    if !name.contains('_') {
        return Cow::Borrowed(name);
    }
    let mut camel = String::with_capacity(name.len());
    let mut raise = false;
    for c in name.chars() {
        if c == '_' {
            raise = true;
        } else if raise {
            camel.extend(c.to_uppercase());
            raise = false;
        } else {
            camel.push(c);
        }
    }
    Cow::Owned(camel)
}
