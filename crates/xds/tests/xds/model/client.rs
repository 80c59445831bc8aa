//! A model of Envoy: it takes a response whole or refuses it whole, asks for what its resources name, and
//! answers late. Each response is checked as it comes:
//!
//! * nonces and names are unique, only what was asked for comes, and nothing refused comes again;
//! * one response of a type is unanswered at most, but for clusters;
//! * a new version names no cluster that exists and is not here (make before break), but for those that nobody has known
//!   for a while;
//! * no cluster goes that a listener or route here still names (break after make);
//! * endpoints are not drained while the cluster that uses them is about to go.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use biplane_xds::stream::{Stream, StreamOptions};
use biplane_xds::wire::{DeltaDiscoveryRequest, DiscoveryRequest, ErrorDetail};
use biplane_xds::{Fleets, Protocol, ResourceName, ResourceType, Snapshot, Version};
use bytes::Bytes;

use super::world;
use crate::harness::{CDS, EDS, FLEET, Got, LDS, RDS, SDS};

/// How long a stream waits for a cluster of which nobody knows what is in it.
const UNKNOWN_GRACE: Duration = Duration::from_secs(2);

const KINDS: [ResourceType; 5] = [CDS, EDS, SDS, LDS, RDS];

/// What a client holds under a name.
#[derive(Clone, Debug)]
struct Held {
    version: Version,
    references: Vec<ResourceName>,
    empty: bool,
}

impl Held {
    fn new(body: &Bytes) -> Self {
        let empty = !body.contains(&b'@');
        Self { version: Version::of(body), references: world::references(body), empty }
    }
}

/// An answer that the client has not sent yet.
#[derive(Debug)]
struct Answer {
    nonce: String,
    refuses: bool,
    /// What must not come again once the answer was sent: the one resource that was refused.
    blames: Option<(ResourceName, Version)>,
}

pub(crate) struct Client {
    fleets: Fleets,
    protocol: Protocol,
    stream: Stream,
    now: Instant,
    held: BTreeMap<ResourceName, Held>,
    asked: BTreeMap<ResourceType, BTreeSet<String>>,
    requested: BTreeSet<ResourceType>,
    answers: HashMap<ResourceType, VecDeque<Answer>>,
    last_nonce: HashMap<ResourceType, String>,
    /// Of this stream.
    nonces: BTreeSet<String>,
    refused: BTreeSet<(ResourceName, Version)>,
    given: BTreeSet<ResourceName>,
    /// Came in a full set, taken or not: full sets repeat what is unanswered.
    offered: BTreeSet<(ResourceName, Version)>,
    /// Was absent from a full set that was not taken.
    withdrawn: BTreeSet<ResourceName>,
    /// What was said, for whoever has to understand a failure.
    log: Vec<String>,
}

impl Drop for Client {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the client heard and said: {:#?}", self.log);
        }
    }
}

impl Client {
    pub(crate) fn connect(protocol: Protocol, fleets: Fleets) -> Self {
        let mut client = Self::new(protocol, fleets, Instant::now());
        client.request(CDS);
        client.request(LDS);
        client
    }

    fn new(protocol: Protocol, fleets: Fleets, now: Instant) -> Self {
        let snapshot = fleets.snapshot(FLEET).expect("the fleet is configured");
        let mut stream = Stream::new(StreamOptions::aggregated(protocol), snapshot, now);
        stream.open();
        Self {
            fleets,
            protocol,
            stream,
            now,
            held: BTreeMap::new(),
            asked: BTreeMap::new(),
            requested: BTreeSet::new(),
            answers: HashMap::new(),
            last_nonce: HashMap::new(),
            nonces: BTreeSet::new(),
            refused: BTreeSet::new(),
            given: BTreeSet::new(),
            offered: BTreeSet::new(),
            withdrawn: BTreeSet::new(),
            log: Vec::new(),
        }
    }

    /// A new stream of a client that keeps what it holds.
    pub(crate) fn reconnect(mut self, cut_off: bool) -> Self {
        let mut client = Self::new(self.protocol, self.fleets.clone(), self.now);
        client.held = std::mem::take(&mut self.held);
        client.asked = std::mem::take(&mut self.asked);
        client.log = std::mem::take(&mut self.log);
        client.log.push("reconnect".to_owned());
        let cut_off = cut_off && client.protocol == Protocol::Delta;
        let order = if cut_off { [EDS, SDS, LDS, RDS, CDS] } else { [CDS, EDS, SDS, LDS, RDS] };
        for kind in order {
            let wanted =
                matches!(kind, CDS | LDS) || client.asked.get(&kind).is_some_and(|names| !names.is_empty());
            if wanted && !(cut_off && kind == CDS) {
                client.request(kind);
            }
        }
        client
    }

    /// The first request of a type on a stream.
    fn request(&mut self, kind: ResourceType) {
        self.requested.insert(kind);
        let names = self.names(kind);
        if self.protocol == Protocol::Sotw {
            let request = DiscoveryRequest { resource_names: names, ..DiscoveryRequest::default() };
            self.stream.on_sotw_request(kind, request, self.now);
            return;
        }
        let held = self.held.iter().filter(|(name, _)| name.kind == kind);
        let request = DeltaDiscoveryRequest {
            resource_names_subscribe: names,
            initial_resource_versions: held
                .map(|(name, held)| (name.name.to_string(), held.version.to_string()))
                .collect(),
            ..DeltaDiscoveryRequest::default()
        };
        self.stream.on_delta_request(kind, request, self.now);
    }

    fn names(&self, kind: ResourceType) -> Vec<String> {
        self.asked.get(&kind).into_iter().flatten().cloned().collect()
    }

    fn snapshot(&self) -> std::sync::Arc<Snapshot> {
        self.fleets.snapshot(FLEET).expect("the fleet is configured")
    }

    pub(crate) fn advance(&mut self) {
        self.log.push(format!("generation {}", self.snapshot().generation()));
        self.stream.advance(self.snapshot());
        self.forgive();
    }

    /// What was refused may come again once it has been something else.
    fn forgive(&mut self) {
        let snapshot = self.snapshot();
        let current =
            |name: &ResourceName| snapshot.get(name.kind, &name.name).map(|resource| resource.version);
        self.refused.retain(|(name, version)| current(name) == Some(*version));
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    /// Takes the next response, if there is one.
    pub(crate) fn deliver(&mut self) -> bool {
        let Some(response) = self.stream.next_response(self.now) else { return false };
        let got = Got::decode(self.protocol, &response);
        self.log.push(format!("{} {}", got.nonce, got.text()));
        self.check_form(&got);
        let refuses = got.bodies.iter().any(|body| world::is_bad(body));
        let blames = self.check_refusals(&got, refuses);
        if !refuses {
            self.check_order(&got);
            self.take(&got);
        }
        self.outdate(&got);
        self.last_nonce.insert(got.kind, got.nonce.clone());
        let answer = Answer { nonce: got.nonce, refuses, blames };
        self.answers.entry(got.kind).or_default().push_back(answer);
        // State of the world confirms by asking, so that only clusters' answers can be held back.
        if self.protocol == Protocol::Sotw && got.kind != CDS {
            self.answer_one(got.kind);
        }
        self.ask_for_named();
        true
    }

    fn check_form(&mut self, got: &Got) {
        assert!(self.nonces.insert(got.nonce.clone()), "nonce {} twice", got.nonce);
        let names: BTreeSet<_> = got.resources.iter().map(|(name, _)| name).chain(&got.removed).collect();
        assert_eq!(names.len(), got.resources.len() + got.removed.len(), "a name twice: {}", got.text());
        let unanswered = self.answers.get(&got.kind).map_or(0, VecDeque::len);
        assert!(unanswered < if got.kind == CDS { 32 } else { 1 }, "too many unanswered: {}", got.text());
        for name in names {
            let covered = matches!(got.kind, CDS | LDS) || self.asked[&got.kind].contains(name);
            assert!(covered, "{name} was not asked for: {}", got.text());
        }
        assert!(self.requested.contains(&got.kind));
    }

    /// What was refused alone must not come again. Which part of a full set was new the client cannot tell.
    fn check_refusals(&self, got: &Got, refuses: bool) -> Option<(ResourceName, Version)> {
        for (name, held) in self.changed(got) {
            assert!(!self.refused.contains(&(name.clone(), held.version)), "refused before: {name}");
        }
        let full = self.protocol == Protocol::Sotw && matches!(got.kind, CDS | LDS);
        match (&*got.resources, &*got.removed) {
            ([(name, version)], []) if refuses && !full => {
                Some((ResourceName::new(got.kind, &**name), *version))
            }
            _ => None,
        }
    }

    /// A newer word on a name makes what is still to be said about older ones meaningless.
    fn outdate(&mut self, got: &Got) {
        let named = |name: &ResourceName| {
            got.resources.iter().map(|(name, _)| name).chain(&got.removed).any(|new| **new == *name.name)
        };
        for answer in self.answers.entry(got.kind).or_default() {
            answer.blames = answer.blames.take().filter(|(name, _)| !named(name));
        }
        if self.protocol == Protocol::Sotw && matches!(got.kind, CDS | LDS) {
            let offered =
                got.resources.iter().map(|(name, version)| (ResourceName::new(got.kind, &**name), *version));
            self.offered.extend(offered);
            self.withdrawn.retain(|name| name.kind != got.kind);
            self.withdrawn.extend(self.gone(got));
        }
    }

    /// The resources of a response that differ from what is here.
    fn changed(&self, got: &Got) -> Vec<(ResourceName, Held)> {
        let named = got.resources.iter().zip(&got.bodies);
        let all = named.map(|((name, _), body)| (ResourceName::new(got.kind, &**name), Held::new(body)));
        all.filter(|(name, held)| self.held.get(name).is_none_or(|here| here.version != held.version))
            .collect()
    }

    fn check_order(&self, got: &Got) {
        let snapshot = self.snapshot();
        for (name, held) in self.changed(got) {
            if self.offered.contains(&(name.clone(), held.version)) {
                continue;
            }
            for reference in &held.references {
                self.check_reference(&snapshot, &name, reference);
            }
            let had = self.told(&name) && self.held.get(&name).is_some_and(|held| !held.empty);
            if name.kind == EDS && held.empty && had {
                let users = self.users(&name);
                let leaving = users.iter().find(|user| is_absent(&snapshot, user) && self.told(user));
                assert!(leaving.is_none(), "{name} drained before {leaving:?} went");
            }
        }
        let gone = self.gone(got).into_iter().filter(|name| !self.withdrawn.contains(name));
        for name in gone.filter(|name| name.kind == CDS) {
            for user in self.users(&name).into_iter().filter(|user| self.told(user)) {
                let current = snapshot.get(user.kind, &user.name).map(|resource| resource.version);
                assert_eq!(Some(self.held[&user].version), current, "{name} went while {user} names it");
            }
        }
    }

    fn check_reference(&self, snapshot: &Snapshot, name: &ResourceName, reference: &ResourceName) {
        let here = self.held.contains_key(reference);
        let before = self.held.get(name).is_some_and(|held| held.references.contains(reference));
        let unknown = snapshot.unknown().any(|unknown| unknown == reference);
        let current = snapshot.get(reference.kind, &reference.name);
        match reference.kind {
            CDS if self.requested.contains(&CDS) && !before && !here => {
                let refused = current.is_some_and(|resource| world::is_bad(&resource.body));
                let absent = current.is_none() && !unknown;
                let since = snapshot.unknown_since(reference);
                let given_up = since.is_some_and(|since| self.now >= since + UNKNOWN_GRACE);
                // An answer that is late may turn out to be a refusal.
                let late =
                    self.answers.get(&CDS).is_some_and(|answers| answers.iter().any(|answer| answer.refuses));
                assert!(absent || refused || late || given_up, "{name} names {reference}, which is not here");
            }
            EDS => assert!(!unknown, "{name} came though its {reference} is unknown"),
            SDS if !before => assert!(!unknown || here, "{name} came though its {reference} is unknown"),
            _ => {}
        }
    }

    /// Whether the server can know that a name is here: in state of the world, earlier streams are forgotten.
    fn told(&self, name: &ResourceName) -> bool {
        self.protocol == Protocol::Delta || self.given.contains(name)
    }

    fn users(&self, name: &ResourceName) -> Vec<ResourceName> {
        let users = self.held.iter().filter(|(_, held)| held.references.contains(name));
        users.map(|(user, _)| user.clone()).collect()
    }

    /// What goes with a response. State of the world cannot keep what it does not know of.
    fn gone(&self, got: &Got) -> Vec<ResourceName> {
        if self.protocol == Protocol::Delta {
            return got.removed.iter().map(|name| ResourceName::new(got.kind, &**name)).collect();
        }
        let stays = |name: &ResourceName| got.resources.iter().any(|(stays, _)| **stays == *name.name);
        let full = matches!(got.kind, CDS | LDS);
        let absent = self.held.keys().filter(|name| full && name.kind == got.kind && !stays(name));
        absent.filter(|name| self.given.contains(*name)).cloned().collect()
    }

    fn take(&mut self, got: &Got) {
        for name in self.gone(got) {
            // Envoy keeps endpoints that it is told are gone.
            if name.kind != EDS {
                self.held.remove(&name);
            }
        }
        if self.protocol == Protocol::Sotw && matches!(got.kind, CDS | LDS) {
            self.held.retain(|name, _| name.kind != got.kind);
        }
        for ((name, _), body) in got.resources.iter().zip(&got.bodies) {
            let name = ResourceName::new(got.kind, &**name);
            self.given.insert(name.clone());
            self.held.insert(name, Held::new(body));
        }
    }

    /// Asks for what clusters and listeners name, and no longer for what they do not.
    fn ask_for_named(&mut self) {
        for kind in [EDS, SDS, RDS] {
            let parents = self.held.iter().filter(|(name, _)| matches!(name.kind, CDS | LDS));
            let named = parents.flat_map(|(_, held)| &held.references).filter(|name| name.kind == kind);
            let wanted: BTreeSet<String> = named.map(|name| name.name.to_string()).collect();
            let before = self.asked.insert(kind, wanted.clone()).unwrap_or_default();
            if wanted != before {
                let stays = |name: &ResourceName| name.kind != kind || wanted.contains(&*name.name);
                self.held.retain(|name, _| stays(name));
                self.refused
                    .retain(|(name, _)| stays(name) && (name.kind != kind || before.contains(&*name.name)));
                self.resubscribe(kind, &before, &wanted);
            }
        }
    }

    fn resubscribe(&mut self, kind: ResourceType, before: &BTreeSet<String>, wanted: &BTreeSet<String>) {
        if !self.requested.contains(&kind) {
            return self.request(kind);
        }
        if self.protocol == Protocol::Sotw {
            let response_nonce = self.last_nonce.get(&kind).cloned().unwrap_or_default();
            let resource_names = self.names(kind);
            let request = DiscoveryRequest { resource_names, response_nonce, ..DiscoveryRequest::default() };
            self.stream.on_sotw_request(kind, request, self.now);
            return;
        }
        let request = DeltaDiscoveryRequest {
            resource_names_subscribe: wanted.difference(before).cloned().collect(),
            resource_names_unsubscribe: before.difference(wanted).cloned().collect(),
            ..DeltaDiscoveryRequest::default()
        };
        self.stream.on_delta_request(kind, request, self.now);
    }

    /// Sends an answer of a type; a client that was cut off asks for clusters instead.
    pub(crate) fn answer(&mut self, kind: usize) {
        let kind = KINDS[kind];
        if kind == CDS && !self.requested.contains(&CDS) {
            self.request(CDS);
        } else {
            self.answer_one(kind);
        }
    }

    fn answer_one(&mut self, kind: ResourceType) -> bool {
        let Some(answer) = self.answers.entry(kind).or_default().pop_front() else { return false };
        self.refused.extend(answer.blames);
        self.forgive();
        self.log.push(format!("{} {}", answer.nonce, if answer.refuses { "refused" } else { "confirmed" }));
        let error_detail = answer.refuses.then(|| ErrorDetail { code: 3, message: "bad".into() });
        let response_nonce = answer.nonce;
        if self.protocol == Protocol::Sotw {
            let resource_names = self.names(kind);
            let request =
                DiscoveryRequest { resource_names, response_nonce, error_detail, ..Default::default() };
            self.stream.on_sotw_request(kind, request, self.now);
        } else {
            let request = DeltaDiscoveryRequest { response_nonce, error_detail, ..Default::default() };
            self.stream.on_delta_request(kind, request, self.now);
        }
        true
    }

    /// Asks again for a name that it holds.
    pub(crate) fn repeat(&mut self, index: usize) {
        let names: Vec<_> =
            self.held.iter().filter(|(name, _)| matches!(name.kind, EDS | SDS | RDS)).collect();
        let Some((name, _)) = names.get(index) else { return };
        if self.protocol == Protocol::Delta && self.asked[&name.kind].contains(&*name.name) {
            let (kind, one) = (name.kind, BTreeSet::from([name.name.to_string()]));
            let name = (*name).clone();
            self.refused.retain(|(refused, _)| *refused != name);
            self.resubscribe(kind, &BTreeSet::new(), &one);
        }
    }

    pub(crate) fn stale(&mut self, kind: usize) {
        let kind = KINDS[kind];
        let response_nonce = "4711".to_owned();
        if !self.requested.contains(&kind) {
        } else if self.protocol == Protocol::Sotw {
            let request = DiscoveryRequest { response_nonce, ..DiscoveryRequest::default() };
            self.stream.on_sotw_request(kind, request, self.now);
        } else {
            let request = DeltaDiscoveryRequest { response_nonce, ..DeltaDiscoveryRequest::default() };
            self.stream.on_delta_request(kind, request, self.now);
        }
    }

    /// Answers everything until nothing comes, however long one waits.
    pub(crate) fn settle(&mut self) {
        if !self.requested.contains(&CDS) {
            self.request(CDS);
        }
        for _ in 0..1000 {
            let delivered = self.deliver();
            let answered = KINDS.into_iter().any(|kind| self.answer_one(kind));
            match self.stream.next_deadline() {
                _ if delivered || answered => {}
                Some(deadline) => {
                    assert!(deadline > self.now, "a deadline that has passed and brought nothing");
                    self.now = deadline;
                }
                None => return,
            }
        }
        panic!("the stream never settles");
    }

    /// Whether the client holds exactly what the snapshot says, but for what it refused and what has to wait.
    pub(crate) fn check_converged(&self) {
        let snapshot = self.snapshot();
        for kind in KINDS {
            for resource in snapshot.resources(kind) {
                let name = &resource.name;
                let asked = matches!(kind, CDS | LDS)
                    || self.asked.get(&kind).is_some_and(|names| names.contains(&*name.name));
                let waits = self.waits(&snapshot, name);
                if asked && !waits && !world::is_bad(&resource.body) {
                    let here = self.held.get(name).map(|held| held.version);
                    assert_eq!(here, Some(resource.version), "{name} is not what it ought to be");
                }
            }
        }
        for (name, held) in &self.held {
            let known = snapshot.get(name.kind, &name.name).is_some()
                || snapshot.unknown().any(|unknown| unknown == name);
            let silent = self.protocol == Protocol::Sotw && matches!(name.kind, RDS | SDS);
            if !known && !held.empty && !silent {
                assert!(self.may_be_used(&snapshot, name), "{name} ought to be gone");
            }
        }
    }

    /// Whether something stands in the way of a resource: an unknown name that is not here. Unknown clusters are waited for
    /// at most for a while, which is over when the stream has settled.
    fn waits(&self, snapshot: &Snapshot, name: &ResourceName) -> bool {
        let Some(resource) = snapshot.get(name.kind, &name.name) else { return false };
        resource.references.iter().any(|reference| {
            let unknown = snapshot.unknown().any(|unknown| unknown == reference) && reference.kind != CDS;
            let here = self.told(reference) && self.held.contains_key(reference) && reference.kind != EDS;
            let clusters_wait = reference.kind == CDS && self.waits(snapshot, reference);
            !here && (unknown || clusters_wait)
        })
    }

    /// Whether a resource that may name it is not what it ought to be, and so cannot let go of it.
    fn may_be_used(&self, snapshot: &Snapshot, name: &ResourceName) -> bool {
        let parents: &[ResourceType] = match name.kind {
            CDS => &[LDS, RDS],
            EDS => &[CDS],
            SDS => &[CDS, LDS],
            _ => &[LDS],
        };
        let held = self.held.iter().filter(|(user, _)| parents.contains(&user.kind));
        let mut differ = held.filter(|(user, held)| {
            let current = snapshot.get(user.kind, &user.name).map(|resource| resource.version);
            // What came from an earlier stream may name anything until it has been replaced.
            let foreign = !self.given.contains(user) && self.waits(snapshot, user);
            current != Some(held.version) || foreign
        });
        differ.next().is_some()
    }
}

/// Whether a name is known not to exist.
fn is_absent(snapshot: &Snapshot, name: &ResourceName) -> bool {
    snapshot.get(name.kind, &name.name).is_none() && snapshot.unknown().all(|unknown| unknown != name)
}
