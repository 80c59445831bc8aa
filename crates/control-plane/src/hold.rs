//! Deletions that wait: an object that others still refer to stays in use for a bounded time, so that
//! half an edit (the upstream went, the route that names it goes next) breaks nothing.
//!
//! Invariant: a held object is in the graph; it leaves when nothing names it or its time is up.

use std::collections::BTreeMap;
use std::time::Duration;

use biplane_core::key::{Kind, ObjectKey};
use tokio::time::Instant;

/// A deletion that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// When it was deleted.
    pub since: Instant,
    /// When it goes all the same.
    pub until: Instant,
}

/// All deletions that wait.
#[derive(Debug)]
pub struct Holds {
    limit: Duration,
    held: BTreeMap<ObjectKey, Held>,
}

impl Holds {
    /// Holds for at most `limit`.
    pub const fn new(limit: Duration) -> Self {
        Self { limit, held: BTreeMap::new() }
    }

    /// Whether objects of this kind are ever named by others.
    pub const fn applies(kind: Kind) -> bool {
        !matches!(kind, Kind::Gateway | Kind::VirtualService | Kind::Settings)
    }

    /// An object was deleted.
    pub fn add(&mut self, key: ObjectKey, now: Instant) {
        self.held.entry(key).or_insert(Held { since: now, until: now + self.limit });
    }

    /// The store shows the object again, be it as it was, changed or bad.
    pub fn cancel(&mut self, key: &ObjectKey) {
        self.held.remove(key);
    }

    /// Whether the object's deletion waits.
    pub fn contains(&self, key: &ObjectKey) -> bool {
        self.held.contains_key(key)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Takes out those that may go now: nothing names them, or their time is up.
    pub fn release(&mut self, now: Instant, is_named: impl Fn(&ObjectKey) -> bool) -> Vec<ObjectKey> {
        let free = self.held.extract_if(.., |key, held| held.until <= now || !is_named(key));
        free.map(|(key, _)| key).collect()
    }

    /// When the next one's time is up.
    pub fn deadline(&self) -> Option<Instant> {
        self.held.values().map(|held| held.until).min()
    }

    /// All that wait.
    pub fn iter(&self) -> impl Iterator<Item = (&ObjectKey, &Held)> {
        self.held.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upstream(name: &str) -> ObjectKey {
        ObjectKey::new(Kind::Upstream, "default", name)
    }

    #[tokio::test(start_paused = true)]
    async fn held_until_nothing_names_it() {
        let mut holds = Holds::new(Duration::from_secs(30));
        let now = Instant::now();
        holds.add(upstream("a"), now);
        assert_eq!(holds.release(now, |_| true), []);
        assert_eq!(holds.release(now, |_| false), [upstream("a")]);
        assert_eq!(holds.deadline(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn held_for_a_bounded_time() {
        let mut holds = Holds::new(Duration::from_secs(30));
        let now = Instant::now();
        holds.add(upstream("a"), now);
        assert_eq!(holds.deadline(), Some(now + Duration::from_secs(30)));
        assert_eq!(holds.release(now + Duration::from_secs(30), |_| true), [upstream("a")]);
    }
}
