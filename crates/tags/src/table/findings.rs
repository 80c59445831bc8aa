//! What there is to say about all tags, in a map whose copy costs nothing: who shows findings takes one when they have changed.

use std::sync::Arc;

use imbl::OrdMap;

use super::Subject;
use crate::finding::Finding;

/// All findings of a moment, in a stable order.
#[derive(Clone, Debug, Default)]
pub struct Findings(OrdMap<Subject, Arc<[Finding]>>);

impl Findings {
    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.0.values().flat_map(|findings| findings.iter())
    }

    /// Whether nothing has changed between the two. Looks at none of them.
    pub fn is_same(&self, other: &Self) -> bool {
        self.0.ptr_eq(&other.0)
    }

    /// These are all that there is to say about a subject.
    pub(super) fn say(&mut self, subject: Subject, mut findings: Vec<Finding>) {
        findings.sort();
        findings.dedup();
        if findings.is_empty() {
            self.forget(&subject);
        } else if self.0.get(&subject).is_none_or(|before| **before != *findings) {
            self.0.insert(subject, findings.into());
        }
    }

    /// There is nothing to say about it any more.
    pub(super) fn forget(&mut self, subject: &Subject) {
        if self.0.contains_key(subject) {
            self.0.remove(subject);
        }
    }
}
