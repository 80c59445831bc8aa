//! Headers that a route adds and removes.

use serde_json::{Map, Value, json};

use super::draft::Draft;
use super::scalar;

/// The option `headerManipulation`, if a tag asks for it.
pub(super) fn manipulation(draft: &Draft<'_>, fault: &mut dyn FnMut(String, &str)) -> Option<Value> {
    let mut fields = Map::new();
    for name in ["requestHeadersToAdd", "responseHeadersToAdd"] {
        let added: Vec<_> = draft
            .all(name)
            .map(|written| json!({ "header": { "key": written.key, "value": plain(&written.value) }, "append": false }))
            .collect();
        if !added.is_empty() {
            fields.insert(name.to_owned(), json!(added));
        }
    }
    for name in ["requestHeadersToRemove", "responseHeadersToRemove"] {
        let Some(written) = draft.get(name) else { continue };
        match scalar::list(&written.value) {
            Ok(names) => drop(fields.insert(name.to_owned(), json!(names))),
            Err(why) => fault(why, &written.tag),
        }
    }
    (!fields.is_empty()).then_some(Value::Object(fields))
}

/// A value as it stands: Envoy's substitutions could show a job's author the files and the environment of the gateway.
fn plain(value: &str) -> String {
    value.replace('%', "%%")
}
