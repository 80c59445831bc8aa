//! A stream without a socket, and words to write tests in. Resources are written `eds/name`, responses
//! `eds +new -gone`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use biplane_xds::stream::{Reply, Response, Stream, StreamOptions};
use biplane_xds::wire::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse, ErrorDetail, Message,
};
use biplane_xds::{Change, Fleets, Protocol, Resource, ResourceName, ResourceType, Version};
use bytes::Bytes;

pub(crate) const CDS: ResourceType = ResourceType::Cluster;
pub(crate) const EDS: ResourceType = ResourceType::Endpoint;
pub(crate) const LDS: ResourceType = ResourceType::Listener;
pub(crate) const RDS: ResourceType = ResourceType::Route;
pub(crate) const SDS: ResourceType = ResourceType::Secret;

pub(crate) const FLEET: &str = "edge";

/// The resource name that `eds/name` writes.
pub(crate) fn name(text: &str) -> ResourceName {
    let (kind, name) = text.split_once('/').expect("type/name");
    let kind = ResourceType::ALL.into_iter().find(|known| known.short() == kind).expect("a type");
    ResourceName::new(kind, name)
}

/// A resource whose body is its name and `version`.
pub(crate) fn resource(text: &str, version: &str, references: &[&str]) -> Arc<Resource> {
    let body = format!("{text}@{version}");
    let references: Vec<_> = references.iter().map(|reference| name(reference)).collect();
    let origins: Vec<Arc<str>> = vec![format!("Object {text}").into()];
    Arc::new(Resource::new(name(text), Bytes::from(body), references, origins))
}

/// A cluster with endpoint discovery.
pub(crate) fn cluster(cluster: &str, version: &str) -> Arc<Resource> {
    resource(&format!("cds/{cluster}"), version, &[&format!("eds/{cluster}")])
}

pub(crate) fn endpoints(name: &str, version: &str) -> Arc<Resource> {
    resource(&format!("eds/{name}"), version, &[])
}

pub(crate) fn upserts(upserts: impl IntoIterator<Item = Arc<Resource>>) -> Change {
    Change { upserts: upserts.into_iter().collect(), ..Change::default() }
}

pub(crate) fn removals(names: &[&str]) -> Change {
    Change { removals: names.iter().map(|text| name(text)).collect(), ..Change::default() }
}

pub(crate) fn unknown(names: &[&str]) -> Change {
    Change { unknown: names.iter().map(|text| name(text)).collect(), ..Change::default() }
}

/// A response as a client reads it.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) kind: ResourceType,
    pub(crate) nonce: String,
    /// Names and versions.
    pub(crate) resources: Vec<(String, Version)>,
    pub(crate) bodies: Vec<Bytes>,
    pub(crate) removed: Vec<String>,
}

impl Got {
    pub(crate) fn decode(protocol: Protocol, response: &Response) -> Self {
        match protocol {
            Protocol::Delta => Self::delta(response),
            Protocol::Sotw => Self::sotw(response),
        }
    }

    fn delta(response: &Response) -> Self {
        let message = DeltaDiscoveryResponse::decode(response.to_bytes()).expect("a delta response");
        assert_eq!(message.type_url, response.kind.type_url());
        let (mut resources, mut bodies) = (Vec::new(), Vec::new());
        for entry in message.resources {
            let any = entry.resource.expect("an entry has its resource");
            assert_eq!(any.type_url, message.type_url);
            resources.push((entry.name, Version::parse(&entry.version).expect("our version")));
            bodies.push(any.value);
        }
        let removed = message.removed_resources;
        Self { kind: response.kind, nonce: message.nonce, resources, bodies, removed }
    }

    /// Bodies of tests tell their names; an empty assignment has its in the only field.
    fn sotw(response: &Response) -> Self {
        let message = DiscoveryResponse::decode(response.to_bytes()).expect("a response");
        assert_eq!(message.type_url, response.kind.type_url());
        let bodies: Vec<_> = message.resources.into_iter().map(|any| any.value).collect();
        let resources = bodies.iter().map(|body| (name_in(body), Version::of(body))).collect();
        Self { kind: response.kind, nonce: message.nonce, resources, bodies, removed: vec![] }
    }

    /// `eds +new -gone`; an empty assignment is `+name(empty)`.
    pub(crate) fn text(&self) -> String {
        let empty = |body: &Bytes| if body.contains(&b'@') { "" } else { "(empty)" };
        let added = self
            .resources
            .iter()
            .zip(&self.bodies)
            .map(|((name, _), body)| format!(" +{name}{}", empty(body)));
        let removed = self.removed.iter().map(|name| format!(" -{name}"));
        added.chain(removed).fold(self.kind.to_string(), |text, part| text + &part)
    }
}

fn name_in(body: &Bytes) -> String {
    let text = String::from_utf8_lossy(body);
    match text.split_once('@') {
        Some((name, _)) => name.split_once('/').expect("type/name").1.to_owned(),
        None => text[2..].to_owned(),
    }
}

/// A stream, its fleet and the time.
pub(crate) struct Harness {
    pub(crate) fleets: Fleets,
    pub(crate) stream: Stream,
    pub(crate) protocol: Protocol,
    pub(crate) now: Instant,
}

impl Harness {
    /// An aggregated stream with an open gate.
    pub(crate) fn new(protocol: Protocol, change: Change) -> Self {
        let fleets = Fleets::new();
        fleets.publish(FLEET, change);
        Self::connect(fleets, StreamOptions::aggregated(protocol))
    }

    pub(crate) fn delta(upserts_: impl IntoIterator<Item = Arc<Resource>>) -> Self {
        Self::new(Protocol::Delta, upserts(upserts_))
    }

    pub(crate) fn sotw(upserts_: impl IntoIterator<Item = Arc<Resource>>) -> Self {
        Self::new(Protocol::Sotw, upserts(upserts_))
    }

    pub(crate) fn connect(fleets: Fleets, options: StreamOptions) -> Self {
        let now = Instant::now();
        let snapshot = fleets.snapshot(FLEET).expect("the fleet is configured");
        let mut stream = Stream::new(options, snapshot, now);
        stream.open();
        Self { fleets, stream, protocol: options.protocol, now }
    }

    pub(crate) fn publish(&mut self, change: Change) {
        self.fleets.publish(FLEET, change);
        self.stream.advance(self.fleets.snapshot(FLEET).expect("just published"));
    }

    pub(crate) fn upsert(&mut self, resources: impl IntoIterator<Item = Arc<Resource>>) {
        self.publish(upserts(resources));
    }

    pub(crate) fn remove(&mut self, names: &[&str]) {
        self.publish(removals(names));
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    /// A spontaneous delta request.
    pub(crate) fn ask(&mut self, kind: ResourceType, subscribe: &[&str], unsubscribe: &[&str]) {
        self.request(
            kind,
            DeltaDiscoveryRequest {
                resource_names_subscribe: owned(subscribe),
                resource_names_unsubscribe: owned(unsubscribe),
                ..DeltaDiscoveryRequest::default()
            },
        );
    }

    /// The first request of a client that holds something already: `(name, version)` of test resources.
    pub(crate) fn ask_again(&mut self, kind: ResourceType, subscribe: &[&str], held: &[(&str, &str)]) {
        let version = |name: &str, version: &str| Version::of(format!("{kind}/{name}@{version}").as_bytes());
        let held: HashMap<_, _> =
            held.iter().map(|(name, held)| ((*name).to_owned(), version(name, held).to_string())).collect();
        self.request(
            kind,
            DeltaDiscoveryRequest {
                resource_names_subscribe: owned(subscribe),
                initial_resource_versions: held,
                ..DeltaDiscoveryRequest::default()
            },
        );
    }

    pub(crate) fn request(&mut self, kind: ResourceType, request: DeltaDiscoveryRequest) -> Reply {
        self.stream.on_delta_request(kind, request, self.now)
    }

    /// A state-of-the-world request.
    pub(crate) fn ask_sotw(&mut self, kind: ResourceType, nonce: &str, names: &[&str]) -> Reply {
        let request = DiscoveryRequest {
            resource_names: owned(names),
            response_nonce: nonce.to_owned(),
            ..DiscoveryRequest::default()
        };
        self.stream.on_sotw_request(kind, request, self.now)
    }

    pub(crate) fn take(&mut self) -> Option<Got> {
        let response = self.stream.next_response(self.now)?;
        Some(Got::decode(self.protocol, &response))
    }

    /// Every response that comes without an answer.
    pub(crate) fn take_all(&mut self) -> Vec<Got> {
        std::iter::from_fn(|| self.take()).collect()
    }

    /// The same as text.
    pub(crate) fn texts(&mut self) -> Vec<String> {
        self.take_all().iter().map(Got::text).collect()
    }

    pub(crate) fn ack(&mut self, got: &Got) -> Reply {
        self.request(
            got.kind,
            DeltaDiscoveryRequest { response_nonce: got.nonce.clone(), ..DeltaDiscoveryRequest::default() },
        )
    }

    pub(crate) fn nack(&mut self, got: &Got, error: &str) -> Reply {
        self.request(
            got.kind,
            DeltaDiscoveryRequest {
                response_nonce: got.nonce.clone(),
                error_detail: Some(ErrorDetail { code: 3, message: error.to_owned() }),
                ..DeltaDiscoveryRequest::default()
            },
        )
    }

    pub(crate) fn nack_sotw(&mut self, got: &Got, names: &[&str], error: &str) -> Reply {
        let request = DiscoveryRequest {
            resource_names: owned(names),
            response_nonce: got.nonce.clone(),
            error_detail: Some(ErrorDetail { code: 3, message: error.to_owned() }),
            ..DiscoveryRequest::default()
        };
        self.stream.on_sotw_request(got.kind, request, self.now)
    }

    /// Acknowledges everything until nothing comes any more.
    pub(crate) fn settle(&mut self) -> Vec<String> {
        let mut texts = Vec::new();
        while let Some(got) = self.take() {
            self.ack(&got);
            texts.push(got.text());
        }
        texts
    }
}

pub(crate) fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}
