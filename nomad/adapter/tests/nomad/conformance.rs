//! The suites of every endpoint and service source, in a namespace of each test's own.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use biplane_core::resources::upstream::discovery::DnsUpstream;
use biplane_nomad::NomadSource;
use biplane_source::conformance::{EndpointHarness, EndpointHealthHarness, ServiceHarness};
use biplane_source::{EndpointRequest, EndpointSource, Query, ServiceName, ServiceSource};
use biplane_testkit::nomad::{Check, Job};
use tokio::sync::Mutex;

use crate::harness::{World, registered, request, service};

struct Harness {
    world: World,
    source: Arc<NomadSource>,
    check: Check,
    /// How many jobs stand for a service whose instances differ.
    jobs: Mutex<usize>,
}

async fn unchecked() -> Harness {
    harness(Check::None).await
}

async fn checked() -> Harness {
    harness(Check::Http).await
}

async fn harness(check: Check) -> Harness {
    let world = World::new().await;
    let source = Arc::new(world.source());
    Harness { world, source, check, jobs: Mutex::default() }
}

biplane_source::endpoint_conformance_tests!(unchecked);
biplane_source::endpoint_health_conformance_tests!(checked);
biplane_source::service_conformance_tests!(unchecked);

impl Harness {
    fn job(&self, id: &str) -> Job {
        Job { check: self.check, ..self.world.job(id) }
    }
}

#[async_trait]
impl EndpointHarness for Harness {
    fn source(&self) -> Arc<dyn EndpointSource> {
        Arc::clone(&self.source) as _
    }

    fn request(&self, name: &str) -> EndpointRequest {
        request(service(name))
    }

    fn foreign_request(&self) -> EndpointRequest {
        let name = "web.internal".into();
        EndpointRequest {
            query: Query::Dns(DnsUpstream { name, ..DnsUpstream::default() }),
            credentials: None,
        }
    }

    async fn scale(&self, name: &str, instances: usize) -> BTreeSet<SocketAddr> {
        let job = Job { count: instances, ..self.job(name) };
        self.world.up(&job).await
    }

    async fn take_away(&self) {
        self.world.link.cut();
    }

    async fn give_back(&self) {
        self.world.link.heal();
    }
}

#[async_trait]
impl EndpointHealthHarness for Harness {
    async fn set_healthy(&self, _: &str, at: SocketAddr, healthy: bool) {
        self.world.nomad().set_well(at, healthy).expect("changed");
    }
}

#[async_trait]
impl ServiceHarness for Harness {
    fn source(&self) -> Arc<dyn ServiceSource> {
        Arc::clone(&self.source) as _
    }

    fn name(&self, name: &str) -> ServiceName {
        let namespace = self.world.namespace.clone();
        ServiceName { datacenter: String::new(), namespace, name: name.into() }
    }

    async fn set(&self, name: &str, tags: &[&[&str]]) {
        let mut jobs = self.jobs.lock().await;
        for (number, tags) in tags.iter().enumerate() {
            let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
            self.world
                .run(&Job { service: name.into(), tags, ..self.job(&format!("{name}-{number}")) })
                .await;
        }
        for number in tags.len()..*jobs {
            self.world.nomad().stop(&self.job(&format!("{name}-{number}")), true).await.expect("stopped");
        }
        *jobs = tags.len();
        registered(self.world.nomad(), &self.world.namespace, name, tags.len()).await;
    }

    async fn take_away(&self) {
        self.world.link.cut();
    }

    async fn give_back(&self) {
        self.world.link.heal();
    }
}
