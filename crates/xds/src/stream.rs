//! What one client is sent, and when. A [`Stream`] is told of requests, snapshots and the time; it is
//! asked for the next response. It does no I/O, owns no clock and shares nothing that changes.
//!
//! Responses are pulled: one is made from the newest state at the moment when the client can take
//! it. So changes coalesce by themselves while a response is on its way, a slow client costs a
//! few words per name and nobody else's time, and the first change of a quiet stream leaves at once.
//!
//! * `requests` turns both protocols' requests into subscriptions; `replies` pairs ACKs and NACKs.
//! * `answers` picks the next response; `encode` frames it for either protocol.
//! * `order` decides what must wait for what, so that nothing is broken before something else is made.
//!
//! Invariants:
//! * A version is sent only when all that it newly names has been given to the client, unless that is
//!   known not to exist, was refused by the client, or is a cluster that nobody has known for a while.
//! * What goes away is taken away only when the client uses nothing that named it.
//! * At most one response of a type is unanswered, but for clusters: Envoy confirms those when they are
//!   warm, and one that cannot warm must not hold up the next.
//! * A version that was refused on its own is not sent again.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::resource::{ResourceName, ResourceType, Version};
use crate::snapshot::Snapshot;
use crate::status::Protocol;

mod answers;
mod encode;
mod order;
mod progress;
mod replies;
mod requests;
mod subscription;
mod table;
mod waiting;

pub use encode::Response;
pub use progress::{Progress, Refused};
pub use replies::Reply;
use table::{Held, Table};
use waiting::{Blocker, Waiting};

/// How long a cluster without endpoint discovery may go unconfirmed before routes use it all the same.
const WARM_GRACE: Duration = Duration::from_secs(1);
/// How long routes wait for a cluster of which nobody knows what is in it, from when that began. A source that answers does
/// so sooner; one that is away must not hold up the routes to all other clusters.
const UNKNOWN_GRACE: Duration = Duration::from_secs(2);
/// How long a removal waits for requests that a client makes when it connects. Envoy makes them
/// within milliseconds; a client that never does must still get its removals.
const REQUEST_GRACE: Duration = Duration::from_secs(30);
/// The size at which a response is cut. A client gets to work on the first part while the next is
/// on its way, and clients that take 4 MiB at most are safe.
const RESPONSE_BYTES: usize = 1 << 20;

/// What a stream is.
#[derive(Clone, Copy, Debug)]
pub struct StreamOptions {
    /// How the client asks.
    pub protocol: Protocol,
    /// Whether the stream carries all types; only then can their order be kept.
    pub aggregated: bool,
    /// Answers are cut when they get longer than this.
    pub response_bytes: usize,
}

impl StreamOptions {
    /// An aggregated stream.
    pub const fn aggregated(protocol: Protocol) -> Self {
        Self { protocol, aggregated: true, response_bytes: RESPONSE_BYTES }
    }
}

/// A cluster that waits for its endpoints to be confirmed.
#[derive(Debug)]
struct Warming {
    cluster: Arc<str>,
    /// Only responses after this one count: an older one was for the cluster's older version.
    after: u64,
}

/// A cluster that becomes ready by the passing of time.
#[derive(Debug)]
struct Grace {
    until: Instant,
    cluster: Arc<str>,
    /// The response that it was sent in; once that is answered, the answer counts.
    nonce: u64,
}

/// The state of one client's stream.
#[derive(Debug)]
pub struct Stream {
    options: StreamOptions,
    snapshot: Arc<Snapshot>,
    started: Instant,
    open: bool,
    nonce: u64,
    tables: [Table; ResourceType::ALL.len()],
    waiting: Waiting,
    /// Clusters by the load assignment that makes them ready.
    warming: HashMap<Arc<str>, Vec<Warming>>,
    /// When clusters are taken for ready without a word from the client about the response that they came
    /// in; all wait equally long.
    grace: VecDeque<Grace>,
    /// When clusters that nobody knows, and that something waits for, are waited for no longer.
    unknown: BTreeSet<(Instant, ResourceName)>,
    /// When listeners leave without the additions that they would rather travel with.
    listeners_leave_by: Option<Instant>,
    /// Secrets of which the client's version has changed since somebody asked.
    secret_news: Vec<HeldSecret>,
}

/// A secret and the version of it that a client has confirmed; none: it has let go of it.
pub(crate) type HeldSecret = (Arc<str>, Option<Version>);

impl Stream {
    /// A stream of a client that has asked for nothing yet, and gets nothing until [`Stream::open`].
    pub fn new(options: StreamOptions, snapshot: Arc<Snapshot>, now: Instant) -> Self {
        Self {
            options,
            snapshot,
            started: now,
            open: false,
            nonce: 0,
            tables: std::array::from_fn(|_| Table::default()),
            waiting: Waiting::default(),
            warming: HashMap::new(),
            grace: VecDeque::new(),
            unknown: BTreeSet::new(),
            listeners_leave_by: None,
            secret_news: Vec::new(),
        }
    }

    /// Takes out the secrets of which the client's version has changed since the last call.
    pub(crate) fn take_secret_news(&mut self) -> Vec<HeldSecret> {
        std::mem::take(&mut self.secret_news)
    }

    /// Notes which version of a resource the client has now, for those that somebody waits for.
    fn note_held(&mut self, kind: ResourceType, name: &Arc<str>) {
        if kind != ResourceType::Secret {
            return;
        }
        let held = self.table(kind).held.get(name);
        let version = held.and_then(|held| held.accepted.as_ref()?.version);
        self.secret_news.push((name.clone(), version));
    }

    /// Lets answers out.
    pub fn open(&mut self) {
        self.open = true;
    }

    /// Takes the fleet's newest snapshot: what changed is owed. Costs as much as the change, unless the
    /// stream is so far behind that the journal has forgotten.
    pub fn advance(&mut self, snapshot: Arc<Snapshot>) {
        let before = std::mem::replace(&mut self.snapshot, snapshot);
        let current = self.snapshot.clone();
        let first = current.configured() && !before.configured();
        match current.changes_since(before.generation()).filter(|_| !first) {
            Some(names) => names.for_each(|name| self.touch(name)),
            None => self.compare_all(),
        }
    }

    /// When [`Stream::next_response`] may have something without anything having happened.
    pub fn next_deadline(&self) -> Option<Instant> {
        if !self.open {
            return None;
        }
        let requests = self.waiting.for_requests().then(|| self.started + REQUEST_GRACE);
        // What cannot be sent before the client answers is not due.
        let listeners = self.listeners_leave_by.filter(|_| self.may_send(ResourceType::Listener));
        let sending = ResourceType::ALL.into_iter().filter(|kind| self.may_send(*kind));
        let answers = sending.filter_map(|kind| self.table(kind).answer_by);
        let grace = self.grace.front().map(|grace| grace.until);
        let unknown = self.unknown.first().map(|(until, _)| *until);
        answers.chain(requests).chain(listeners).chain(grace).chain(unknown).min()
    }

    fn table(&self, kind: ResourceType) -> &Table {
        &self.tables[kind.index()]
    }

    fn table_mut(&mut self, kind: ResourceType) -> &mut Table {
        &mut self.tables[kind.index()]
    }

    /// A name changed in the snapshot.
    fn touch(&mut self, name: &ResourceName) {
        let version = self.snapshot.get(name.kind, &name.name).map(|resource| resource.version);
        let table = self.table_mut(name.kind);
        if table.refused.get(&name.name).is_some_and(|refusal| refusal.version != version) {
            table.refused.remove(&name.name);
        }
        table.owe(&name.name);
        if !self.unknown.is_empty() {
            self.unknown.retain(|(_, unknown)| unknown != name);
        }
        self.release(name);
    }

    /// Owes whatever differs, of all that the client asks for.
    fn compare_all(&mut self) {
        for kind in ResourceType::ALL {
            self.owe_differences(kind);
            let snapshot = self.snapshot.clone();
            let current = |name: &Arc<str>| snapshot.get(kind, name).map(|resource| resource.version);
            self.table_mut(kind).refused.retain(|name, refusal| refusal.version == current(name));
        }
        self.unknown.clear();
        for name in self.waiting.release_all() {
            self.table_mut(name.kind).owe(&name.name);
        }
    }

    /// Owes what differs between what a client was given of a type and what it ought to have.
    fn owe_differences(&mut self, kind: ResourceType) {
        let snapshot = self.snapshot.clone();
        let table = self.table_mut(kind);
        let differs = |table: &Table, name: &str| match (snapshot.get(kind, name), table.held.get(name)) {
            (Some(resource), held) => held.and_then(Held::version) != Some(resource.version),
            (None, held) => held.is_some(),
        };
        let mut names: Vec<Arc<str>> = Vec::new();
        if table.subscription.wildcard {
            let resources = snapshot.resources(kind).map(|resource| &resource.name.name);
            names.extend(resources.filter(|name| differs(table, name)).cloned());
        }
        let asked = table.subscription.names.iter().chain(table.held.keys());
        names.extend(asked.filter(|name| differs(table, name)).cloned());
        for name in &names {
            table.owe(name);
        }
    }

    /// Something happened to a resource: what waits for it is judged anew.
    fn release(&mut self, name: &ResourceName) {
        if !self.waiting.is_empty() {
            self.release_behind(&Blocker::Name(name.clone()));
        }
    }

    fn release_behind(&mut self, blocker: &Blocker) {
        for name in self.waiting.release(blocker) {
            self.table_mut(name.kind).owe(&name.name);
        }
    }

    /// The client can send requests to a cluster, unless it has refused it meanwhile.
    fn cluster_ready(&mut self, cluster: &Arc<str>) {
        let Some(held) = self.table_mut(ResourceType::Cluster).held.get_mut(cluster) else { return };
        if !held.taken && held.stamps().next().is_some() && !std::mem::replace(&mut held.ready, true) {
            self.release(&ResourceName { kind: ResourceType::Cluster, name: cluster.clone() });
        }
    }

    /// Does what became due.
    fn run_timers(&mut self, now: Instant) {
        while let Some(grace) = self.grace.pop_front_if(|grace| grace.until <= now) {
            let unanswered = &self.table(ResourceType::Cluster).outstanding;
            if unanswered.iter().any(|response| response.nonce == grace.nonce) {
                self.cluster_ready(&grace.cluster);
            }
        }
        while self.unknown.first().is_some_and(|(until, _)| *until <= now) {
            let (_, cluster) = self.unknown.pop_first().expect("just looked at");
            self.release(&cluster);
        }
        if now >= self.started + REQUEST_GRACE && self.waiting.for_requests() {
            for kind in ResourceType::ALL {
                self.release_behind(&Blocker::Asked(kind));
            }
        }
    }
}
