//! The parts of a document, whichever of its two forms it has: with its fields below `spec`, or beside `metadata`.

use serde_json::{Map, Value as Json};

/// Words that are not fields: who it is, and what Gloo leaves behind.
const NOT_FIELDS: [&str; 5] = ["apiVersion", "kind", "metadata", "status", "namespacedStatuses"];

/// A document, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    /// Its kind, where it says so.
    pub(crate) kind: Option<String>,
    /// Name, namespace, labels and the like.
    pub(crate) metadata: Map<String, Json>,
    /// The fields.
    pub(crate) spec: Map<String, Json>,
}

impl Parts {
    /// Takes a document apart; `None`: it has no fields at all.
    pub(crate) fn of(document: &Json) -> Option<Self> {
        let whole = document.as_object()?;
        let kind = whole.get("kind").and_then(Json::as_str).map(str::to_owned);
        let metadata = whole.get("metadata").and_then(Json::as_object).cloned().unwrap_or_default();
        let spec = match whole.get("spec") {
            Some(spec) => spec.as_object().cloned().unwrap_or_default(),
            None => without_head(whole),
        };
        Some(Self { kind, metadata, spec })
    }

    /// A text of the metadata.
    pub(crate) fn word(&self, field: &str) -> Option<&str> {
        self.metadata.get(field).and_then(Json::as_str).filter(|word| !word.is_empty())
    }
}

fn without_head(whole: &Map<String, Json>) -> Map<String, Json> {
    let is_field = |(name, _): &(&String, &Json)| !NOT_FIELDS.contains(&name.as_str());
    whole.iter().filter(is_field).map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_forms_have_the_same_parts() {
        let wrapped =
            json!({ "kind": "Upstream", "metadata": {"name": "a"}, "spec": {"pipe": {}}, "status": {} });
        let bare =
            json!({ "kind": "Upstream", "metadata": {"name": "a"}, "pipe": {}, "namespacedStatuses": {} });
        assert_eq!(Parts::of(&wrapped), Parts::of(&bare));
        let parts = Parts::of(&wrapped).expect("fields");
        assert_eq!((parts.kind.as_deref(), parts.word("name")), (Some("Upstream"), Some("a")));
        assert_eq!(Parts::of(&json!([])), None);
    }
}
