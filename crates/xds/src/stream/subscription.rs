//! What a client asks for of one type. Invariant: a name is asked for exactly if [`Subscription::covers`] it.

use std::collections::HashSet;
use std::sync::Arc;

/// The name that stands for everything.
pub(super) const WILDCARD: &str = "*";

#[derive(Debug, Default)]
pub(super) struct Subscription {
    /// Everything there is, and what will be.
    pub(super) wildcard: bool,
    /// Names that were asked for one by one, whether or not they exist.
    pub(super) names: HashSet<Arc<str>>,
    /// Whether a name was ever asked for: from then on, asking for nothing means nothing.
    pub(super) named: bool,
}

impl Subscription {
    pub(super) fn covers(&self, name: &str) -> bool {
        self.wildcard || self.names.contains(name)
    }

    /// Adds a name or the wildcard.
    pub(super) fn add(&mut self, name: &Arc<str>) {
        self.named = true;
        if &**name == WILDCARD {
            self.wildcard = true;
        } else {
            self.names.insert(name.clone());
        }
    }
}
