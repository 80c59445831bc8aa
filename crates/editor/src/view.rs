//! Stored objects as readers see them.

use std::collections::BTreeMap;

use biplane_admin_api::resources::{Filter, Resource};
use biplane_core::key::ObjectKey;
use biplane_store::StoredObject;
use serde_json::Value;

use crate::document;
use crate::redact;

/// What may be seen of a text.
pub(crate) struct Shown {
    pub(crate) text: String,
    pub(crate) redacted: bool,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) document: Option<Value>,
}

/// Looks at a value as a reader may.
pub(crate) fn show(key: &ObjectKey, value: &[u8]) -> Shown {
    let text = String::from_utf8_lossy(value);
    let document = document::parse(&text);
    let redacted = redact::holds_secrets(key, &text, document.as_ref());
    let Some(document) = document else {
        let text = if redacted { String::new() } else { text.into_owned() };
        return Shown { text, redacted, labels: BTreeMap::new(), document: None };
    };
    let labels = document::labels(&document, &text);
    if !redacted {
        let document = Some(document::complete(document, key));
        return Shown { text: text.into_owned(), redacted, labels, document };
    }
    let document = redact::redacted(document);
    let text = document::write(&document, &text);
    Shown { text, redacted, labels, document: Some(document::complete(document, key)) }
}

/// One object as the API gives it.
pub(crate) fn resource(object: &StoredObject) -> Resource {
    let Shown { text, redacted, labels, document } = show(&object.key, &object.value);
    Resource {
        kind: object.key.kind,
        namespace: object.key.namespace.clone(),
        name: object.key.name.clone(),
        revision: object.revision.0,
        location: object.location.to_string(),
        labels,
        text,
        redacted,
        document,
    }
}

/// A filter that reads no text unless it has to.
#[derive(Clone)]
pub(crate) struct Sieve {
    keys: Filter,
    whole: Filter,
}

impl Sieve {
    pub(crate) fn new(filter: &Filter) -> Self {
        Self { keys: Filter { selector: None, ..filter.clone() }, whole: filter.clone() }
    }

    /// Whether an object of this name may be meant.
    pub(crate) fn may_pass(&self, key: &ObjectKey) -> bool {
        self.keys.matches(key, &BTreeMap::new())
    }

    /// The object as the API gives it, if it is meant.
    pub(crate) fn pass(&self, object: &StoredObject) -> Option<Resource> {
        if !self.may_pass(&object.key) {
            return None;
        }
        let resource = resource(object);
        self.whole.matches(&object.key, &resource.labels).then_some(resource)
    }
}
