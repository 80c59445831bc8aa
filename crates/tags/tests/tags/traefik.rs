//! Traefik's tags: what becomes of them, and of what cannot be had.

mod closed;
mod exposure;
mod instances;
mod middlewares;
mod priorities;
mod random;
mod redirects;
mod services;

use std::collections::BTreeMap;

use biplane_core::key::ResourceRef;
use biplane_tags::finding::{Finding, Severity};
use biplane_tags::service::{Instance, Service, ServiceId, SourceKind};
use biplane_tags::settings::{Certificate, Settings};
use biplane_tags::table::Table;
use serde_json::Value;

use crate::envoy::Documents;

/// A table that reads Traefik's tags, and the documents that it has told so far.
struct Gateway {
    table: Table,
    documents: BTreeMap<String, Value>,
    /// The same, decoded, which every test checks with it.
    decoded: Documents,
}

fn settings() -> Settings {
    let secret_ref = ResourceRef { namespace: "certs".to_owned(), name: "all".to_owned() };
    let certificates = vec![Certificate { secret_ref, ..Certificate::default() }];
    let mut settings = Settings { certificates, ..Settings::default() };
    settings.traefik.enabled = true;
    settings.traefik.exposed_by_default = true;
    settings
}

fn id(source: SourceKind, name: &str) -> ServiceId {
    ServiceId {
        source,
        source_name: "s".to_owned(),
        datacenter: "dc1".to_owned(),
        namespace: "default".to_owned(),
        name: name.to_owned(),
    }
}

/// A healthy instance of version 1 at 10.0.0.1:8080.
fn instance(id: &str, tags: &[&str]) -> Instance {
    Instance {
        id: id.to_owned(),
        node: "node".to_owned(),
        tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
        address: "10.0.0.1".to_owned(),
        port: 8080,
        healthy: true,
        canary: false,
        version: 1,
    }
}

impl Gateway {
    fn new(settings: Settings) -> Self {
        Self { table: Table::new(settings), documents: BTreeMap::new(), decoded: Documents::default() }
    }

    /// A gateway that has seen the service `web` with one instance with these tags, whose prefix is left out.
    fn of(tags: &[&str]) -> Self {
        let mut gateway = Self::new(settings());
        let tags: Vec<String> = tags.iter().map(|tag| format!("traefik.http.{tag}")).collect();
        let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
        gateway.set(SourceKind::Nomad, "web", vec![instance("i", &tags)]);
        gateway
    }

    fn set(&mut self, source: SourceKind, name: &str, instances: Vec<Instance>) {
        let id = id(source, name);
        let service = Service { id: id.clone(), instances };
        let changes = self.table.set(&id, Some(&service));
        self.decoded.apply(changes.clone());
        for document in changes.puts {
            self.documents.insert(document.key.to_string(), document.value);
        }
        for key in changes.deletions {
            self.documents.remove(&key.to_string());
        }
    }

    /// The routes of a host, TLS or not, in their order.
    fn routes(&self, host: &str) -> Vec<&Value> {
        let serves = |document: &&Value| {
            let domains = document["virtualHost"]["domains"].as_array();
            domains.is_some_and(|domains| domains.iter().any(|domain| domain == host))
        };
        let documents = self.documents.values().filter(serves);
        documents.flat_map(|document| document["virtualHost"]["routes"].as_array().expect("routes")).collect()
    }

    /// The only route of a host.
    fn route(&self, host: &str) -> &Value {
        match self.routes(host).as_slice() {
            [only] => only,
            routes => panic!("{host} has {routes:#?}, findings {:#?}", self.told()),
        }
    }

    /// The options of the last route of a host: the one that forwards.
    fn options(&self, host: &str) -> Value {
        let routes = self.routes(host);
        let last = routes.last().unwrap_or_else(|| panic!("{host} has no route: {:#?}", self.told()));
        let mut options = last["options"].clone();
        if let Some(options) = options.as_object_mut() {
            options.shift_remove("timeout");
            options.shift_remove("upgrades");
        }
        options
    }

    /// The upstreams, without their metadata.
    fn upstreams(&self) -> Vec<Value> {
        let is_upstream =
            |document: &&Value| ["nomad", "consul", "static"].iter().any(|kind| !document[kind].is_null());
        let upstreams = self.documents.values().filter(is_upstream).cloned();
        upstreams
            .map(|mut upstream| {
                upstream.as_object_mut().expect("an object").shift_remove("metadata");
                upstream
            })
            .collect()
    }

    fn told(&self) -> Vec<String> {
        self.table.findings().map(Finding::to_string).collect()
    }

    #[track_caller]
    fn tells(&self, severity: Severity, part: &str) {
        let told =
            self.table.findings().any(|one| one.severity == severity && one.to_string().contains(part));
        assert!(told, "no {} has {part:?}: {:#?}", severity.as_str(), self.told());
    }

    #[track_caller]
    fn tells_nothing(&self) {
        assert_eq!(self.told(), Vec::<String>::new());
    }
}

/// The status that a route answers with itself.
fn status(route: &Value) -> Option<u64> {
    route["directResponseAction"]["status"].as_u64()
}
