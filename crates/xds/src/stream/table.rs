//! What one stream knows of one type: what the client asks for, what it was given, what is owed to it.
//! Invariant: a name that the client may hold is in `held`; a name whose state may differ from
//! the snapshot's is owed, leaving, suspect, outstanding, refused, or waits (see `waiting`).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use super::subscription::Subscription;
use crate::resource::{Resource, Stamp, Version};

/// What a client was given of one name.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// What we sent last; nothing after a refusal, or if it came from elsewhere.
    pub(super) sent: Option<Arc<Stamp>>,
    /// What the client confirmed last.
    pub(super) accepted: Option<Arc<Stamp>>,
    /// Clusters: whether the client could send requests to it, now or with an earlier version.
    pub(super) ready: bool,
    /// Whether it was sent away and the client has not answered yet: until then it may be using it.
    pub(super) taken: bool,
}

impl Held {
    /// The version that the client has when it has taken everything that is on its way.
    pub(super) fn version(&self) -> Option<Version> {
        self.sent.as_ref().filter(|_| !self.taken)?.version
    }

    /// What the client brought along from an earlier stream, if it was not known here and still counts.
    pub(super) fn brought(&self) -> Option<&Stamp> {
        let untouched = self.sent.is_none() && !self.taken;
        self.accepted.as_deref().filter(|stamp| stamp.references.is_none() && untouched)
    }

    /// The versions of it that may be in use.
    pub(super) fn stamps(&self) -> impl Iterator<Item = &Arc<Stamp>> {
        self.accepted.iter().chain(&self.sent)
    }
}

/// One entry of a response: a resource, or the word that there is none.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) name: Arc<str>,
    pub(super) stamp: Option<Arc<Stamp>>,
    /// The resource, where later responses may have to repeat it.
    pub(super) resource: Option<Arc<Resource>>,
}

/// A response that the client has not answered.
#[derive(Debug)]
pub(super) struct Outstanding {
    pub(super) nonce: u64,
    pub(super) items: Vec<Item>,
    /// When the snapshot that it was made from was published.
    pub(super) published: Instant,
}

/// A refused resource, or a refused removal.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) version: Option<Version>,
    pub(super) error: String,
    pub(super) origins: Arc<[Arc<str>]>,
    pub(super) at: Instant,
}

/// The bodies of a resource that a full response has to repeat.
#[derive(Debug, Default)]
pub(super) struct Bodies {
    pub(super) sent: Option<Arc<Resource>>,
    pub(super) accepted: Option<Arc<Resource>>,
}

impl Bodies {
    /// Whether an entry of a response is what was sent last.
    pub(super) fn sent_is(&self, item: &Item) -> bool {
        same(self.sent.as_ref().map(|sent| sent.stamp()), item.stamp.as_ref())
    }
}

/// Whether two stamps are of one and the same sending, or both of none.
pub(super) fn same(one: Option<&Arc<Stamp>>, other: Option<&Arc<Stamp>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (None, None) => true,
        _ => false,
    }
}

#[derive(Debug, Default)]
pub(super) struct Table {
    /// Whether the client has asked for the type at all.
    pub(super) requested: bool,
    pub(super) subscription: Subscription,
    pub(super) held: HashMap<Arc<str>, Held>,
    /// Names to look at for the next response.
    pub(super) owed: BTreeSet<Arc<str>>,
    /// Names that the client holds and the snapshot has not.
    pub(super) leaving: BTreeSet<Arc<str>>,
    /// Names to send although the client may hold them.
    pub(super) forced: HashSet<Arc<str>>,
    /// An answer is due even if it is empty: at once if nothing of the type waits, else by then.
    pub(super) answer_by: Option<Instant>,
    pub(super) outstanding: VecDeque<Outstanding>,
    /// Parts of refused responses, to be sent again one by one.
    pub(super) suspects: VecDeque<Vec<Arc<str>>>,
    pub(super) refused: BTreeMap<Arc<str>, Refusal>,
    /// A refusal that no resource can be blamed for.
    pub(super) refused_all: Option<Refusal>,
    /// Names that came back before the client confirmed that they went, each with the response in which
    /// they did: what the client says to earlier ones is about something that is no more.
    pub(super) reborn: HashMap<Arc<str>, u64>,
    /// State of the world, where responses are full: what the next one has to repeat.
    pub(super) bodies: BTreeMap<Arc<str>, Bodies>,
    pub(super) last_nonce: Option<u64>,
    pub(super) last_ack: Option<Instant>,
}

impl Table {
    /// Owes a name if the client asks for it.
    pub(super) fn owe(&mut self, name: &Arc<str>) {
        if self.subscription.covers(name) {
            self.owed.insert(name.clone());
        }
    }

    /// Forgets a name that the client no longer asks for.
    pub(super) fn forget(&mut self, name: &str) {
        self.held.remove(name);
        self.owed.remove(name);
        self.leaving.remove(name);
        self.forced.remove(name);
        self.refused.remove(name);
        self.bodies.remove(name);
        self.reborn.remove(name);
    }

    /// Whether the client has the resource in some version, as far as we know.
    pub(super) fn holds(&self, name: &str) -> bool {
        self.held.get(name).is_some_and(|held| !held.taken && held.stamps().next().is_some())
    }

    /// Drops the entries of an answered response that later ones have made meaningless.
    pub(super) fn retain_current(&mut self, response: &mut Outstanding) {
        if self.reborn.is_empty() {
            return;
        }
        let (reborn, nonce) = (&mut self.reborn, response.nonce);
        response.items.retain(|item| reborn.get(&item.name).is_none_or(|since| *since <= nonce));
        reborn.retain(|_, since| *since > nonce);
    }

    /// The client has taken an entry of a full response: this is what is repeated if a later one is refused.
    pub(super) fn accept_body(&mut self, item: &Item) {
        let Some(bodies) = self.bodies.get_mut(&item.name) else { return };
        bodies.accepted.clone_from(&item.resource);
        if bodies.sent.is_none() && bodies.accepted.is_none() {
            self.bodies.remove(&item.name);
        }
    }

    /// Whether the client has refused this version.
    pub(super) fn refuses(&self, name: &str, version: Version) -> bool {
        self.refused.get(name).is_some_and(|refusal| refusal.version == Some(version))
    }

    /// Names whose state at the client may differ from the snapshot's, without those that wait.
    pub(super) fn unsettled(&self) -> impl Iterator<Item = &Arc<str>> {
        let outstanding =
            self.outstanding.iter().flat_map(|response| response.items.iter().map(|item| &item.name));
        let suspects = self.suspects.iter().flatten();
        self.owed.iter().chain(&self.leaving).chain(outstanding).chain(suspects).chain(self.refused.keys())
    }

    /// Resources sent that were neither confirmed nor refused yet.
    pub(super) fn unanswered(&self) -> usize {
        let items = self.outstanding.iter().flat_map(|response| &response.items);
        items.filter(|item| item.stamp.is_some()).count()
    }
}
