//! Questions as JSON that lasts: their answers are kept on disk under it, and later versions are to find them.
//!
//! Invariant: fields are sorted, and one that says nothing is left out, whether it is absent or has its default. So a field
//! that a later version adds changes nothing for those who do not use it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

/// What a question says.
pub(crate) fn said<T: Serialize + Default>(query: &T) -> Value {
    let by_default = plain(&T::default());
    let mut said = plain(query);
    said.retain(|field, value| by_default.get(field) != Some(value));
    canonical(Value::Object(said))
}

fn plain(query: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(query) {
        Ok(Value::Object(fields)) => fields,
        other => unreachable!("a query is a struct of plain fields: {other:?}"),
    }
}

/// Sorted, and without what is absent.
fn canonical(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let said = fields.into_iter().filter(|(_, value)| !value.is_null());
            let sorted: BTreeMap<_, _> = said.map(|(field, value)| (field, canonical(value))).collect();
            Value::Object(sorted.into_iter().collect())
        }
        Value::Array(items) => items.into_iter().map(canonical).collect(),
        other => other,
    }
}
