//! The conformance suites of endpoints, their health and services, each with and without connections to wait on.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use biplane_consul_catalog::ConsulCatalog;
use biplane_core::resources::upstream::discovery::DnsUpstream;
use biplane_source::conformance::{EndpointHarness, EndpointHealthHarness, ServiceHarness};
use biplane_source::{EndpointRequest, EndpointSource, Query, ServiceName, ServiceSource};
use biplane_testkit::FaultProxy;
use tokio::sync::Mutex;

use crate::harness::{Instance, Server, connect, fresh, options, request, shared, upstream};

struct World {
    server: Arc<Server>,
    proxy: FaultProxy,
    source: Arc<ConsulCatalog>,
    /// Before the names of services.
    prefix: String,
    registered: Mutex<BTreeMap<String, Vec<Instance>>>,
}

impl World {
    async fn new(max_watches: usize) -> Self {
        let server = shared().await;
        let proxy = FaultProxy::start(server.consul.address());
        let mut options = options(proxy.address());
        options.max_watches = max_watches;
        let source = Arc::new(connect(options));
        Self { server, proxy, source, prefix: fresh("world"), registered: Mutex::default() }
    }

    fn service(&self, service: &str) -> String {
        format!("{}-{service}", self.prefix)
    }

    /// Makes the service have exactly these instances.
    async fn now_has(&self, service: &str, instances: Vec<Instance>) {
        let mut registered = self.registered.lock().await;
        let before = registered.insert(service.to_owned(), instances.clone()).unwrap_or_default();
        for instance in &instances {
            instance.register(&self.server.consul).await;
        }
        for instance in before.iter().filter(|before| instances.iter().all(|now| now.id != before.id)) {
            instance.deregister(&self.server.consul).await;
        }
    }
}

#[async_trait]
impl EndpointHarness for World {
    fn source(&self) -> Arc<dyn EndpointSource> {
        self.source.clone()
    }

    fn request(&self, service: &str) -> EndpointRequest {
        request(upstream(&self.service(service)))
    }

    fn foreign_request(&self) -> EndpointRequest {
        EndpointRequest { query: Query::Dns(DnsUpstream::default()), credentials: None }
    }

    async fn scale(&self, service: &str, instances: usize) -> BTreeSet<SocketAddr> {
        let instances = u16::try_from(instances).expect("rules scale to a few");
        let instances: Vec<_> =
            (0..instances).map(|number| Instance::new(&self.service(service), number)).collect();
        let places = instances.iter().map(Instance::at).collect();
        self.now_has(service, instances).await;
        places
    }

    async fn take_away(&self) {
        self.proxy.cut();
    }

    async fn give_back(&self) {
        self.proxy.heal();
    }
}

#[async_trait]
impl EndpointHealthHarness for World {
    async fn set_healthy(&self, service: &str, at: SocketAddr, healthy: bool) {
        let registered = self.registered.lock().await;
        let instance =
            registered[service].iter().find(|instance| instance.at() == at).expect("it is registered");
        let status = if healthy { "passing" } else { "critical" };
        instance.clone().status(status).register(&self.server.consul).await;
    }
}

#[async_trait]
impl ServiceHarness for World {
    fn source(&self) -> Arc<dyn ServiceSource> {
        self.source.clone()
    }

    fn name(&self, service: &str) -> ServiceName {
        ServiceName::new(self.service(service))
    }

    async fn set(&self, service: &str, tags: &[&[&str]]) {
        let name = self.service(service);
        let numbered = (0..).zip(tags);
        let instances = numbered.map(|(number, tags)| Instance::new(&name, number).tags(tags)).collect();
        self.now_has(service, instances).await;
    }

    async fn take_away(&self) {
        self.proxy.cut();
    }

    async fn give_back(&self) {
        self.proxy.heal();
    }
}

/// Every service has a connection to wait on.
mod waiting {
    async fn harness() -> super::World {
        super::World::new(64).await
    }

    biplane_source::endpoint_conformance_tests!(harness);
    biplane_source::endpoint_health_conformance_tests!(harness);
    biplane_source::service_conformance_tests!(harness);
}

/// None has.
mod hinted {
    async fn harness() -> super::World {
        super::World::new(0).await
    }

    biplane_source::endpoint_conformance_tests!(harness);
    biplane_source::endpoint_health_conformance_tests!(harness);
}
