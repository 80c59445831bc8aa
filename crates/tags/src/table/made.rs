//! The documents that are served now, and what changed since they were last asked for.

use std::collections::BTreeMap;

use biplane_core::key::ObjectKey;
use serde_json::Value;

use super::{Changes, Document};
use crate::compile::Domain;

/// All documents.
#[derive(Default)]
pub(super) struct Made {
    now: BTreeMap<ObjectKey, Value>,
    /// What was there before the changes that nobody has been told of yet.
    before: BTreeMap<ObjectKey, Option<Value>>,
    of_domain: BTreeMap<Domain, Vec<ObjectKey>>,
    /// How many routers need an upstream or a secret.
    uses: BTreeMap<ObjectKey, usize>,
}

impl Made {
    /// What changed since the last call.
    pub(super) fn changes(&mut self) -> Changes {
        let mut changes = Changes::default();
        for (key, before) in std::mem::take(&mut self.before) {
            match self.now.get(&key) {
                None if before.is_some() => changes.deletions.push(key),
                Some(value) if before.as_ref() != Some(value) => {
                    changes.puts.push(Document { key, value: value.clone() });
                }
                _ => {}
            }
        }
        changes
    }

    /// Replaces the virtual services of a domain.
    pub(super) fn replace_domain(&mut self, domain: &Domain, documents: Vec<Document>) {
        let before = self.of_domain.remove(domain).unwrap_or_default();
        let keys: Vec<_> = documents.iter().map(|document| document.key.clone()).collect();
        for key in before.iter().filter(|key| !keys.contains(key)) {
            self.set(key, None);
        }
        for Document { key, value } in documents {
            self.set(&key, Some(value));
        }
        if !keys.is_empty() {
            self.of_domain.insert(domain.clone(), keys);
        }
    }

    /// A router needs these.
    pub(super) fn need<'a>(&mut self, documents: impl Iterator<Item = &'a Document>) {
        for Document { key, value } in documents {
            *self.uses.entry(key.clone()).or_default() += 1;
            self.set(key, Some(value.clone()));
        }
    }

    /// A router needs them no longer.
    pub(super) fn release<'a>(&mut self, documents: impl Iterator<Item = &'a Document>) {
        for Document { key, .. } in documents {
            let uses = self.uses.get_mut(key).expect("what is released was needed");
            *uses -= 1;
            if *uses == 0 {
                self.uses.remove(key);
                self.set(key, None);
            }
        }
    }

    fn set(&mut self, key: &ObjectKey, value: Option<Value>) {
        let before = match value {
            Some(value) => self.now.insert(key.clone(), value),
            None => self.now.remove(key),
        };
        self.before.entry(key.clone()).or_insert(before);
    }
}
