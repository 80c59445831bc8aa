//! Cross-origin policy.

use serde_json::{Map, Value, json};

use super::draft::Draft;
use super::scalar;

/// The lists of core's `Cors`.
const LISTS: &[(&str, &str)] = &[
    ("cors.allowOrigin", "allowOrigin"),
    ("cors.allowMethods", "allowMethods"),
    ("cors.allowHeaders", "allowHeaders"),
    ("cors.exposeHeaders", "exposeHeaders"),
];

/// The option `cors`, if a tag asks for it.
pub(super) fn policy(draft: &Draft<'_>, fault: &mut dyn FnMut(String, &str)) -> Option<Value> {
    let mut fields = Map::new();
    for (name, field) in LISTS {
        let Some(written) = draft.get(name) else { continue };
        match scalar::list(&written.value) {
            Ok(items) => drop(fields.insert((*field).to_owned(), json!(items))),
            Err(why) => fault(why, &written.tag),
        }
    }
    // A regex may hold commas.
    if let Some(written) = draft.get("cors.allowOriginRegex") {
        fields.insert("allowOriginRegex".to_owned(), json!([written.value]));
    }
    if let Some(written) = draft.get("cors.maxAge") {
        fields.insert("maxAge".to_owned(), json!(written.value));
    }
    if let Some(written) = draft.get("cors.allowCredentials") {
        match scalar::flag(&written.value) {
            Ok(flag) => drop(fields.insert("allowCredentials".to_owned(), json!(flag))),
            Err(why) => fault(why, &written.tag),
        }
    }
    (!fields.is_empty()).then_some(Value::Object(fields))
}
