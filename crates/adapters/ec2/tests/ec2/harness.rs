//! A source in front of moto, and the hands of those who run machines.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use biplane_core::resources::upstream::discovery::{AwsEc2Upstream, ConsulUpstream, TagFilter, TagPair};
use biplane_ec2::{Ec2Options, Ec2Source};
use biplane_source::conformance::EndpointHarness;
use biplane_source::{Credentials, Endpoint, EndpointRequest, EndpointSource, Listing, Query, Watch};
use biplane_testkit::moto::REGION;
use futures::StreamExt as _;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::cloud::{Cloud, Machine, fresh_tag};
use crate::proxy::{Fate, Proxy};

/// Longer than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

const PORT: u16 = 80;

/// The tag by which a test's machines are found.
pub(crate) const TAG: &str = "Service";

/// A source that polls once a second, and a world of its own: machines whose tags begin with a word of its own.
pub(crate) struct Harness {
    pub(crate) cloud: Arc<Cloud>,
    pub(crate) proxy: Proxy,
    pub(crate) source: Arc<Ec2Source>,
    prefix: String,
    running: Mutex<BTreeMap<String, Vec<Machine>>>,
}

impl Harness {
    pub(crate) async fn new() -> Self {
        Self::with("refresh=1s").await
    }

    pub(crate) async fn with(parameters: &str) -> Self {
        let cloud = Cloud::shared().await;
        let proxy = Proxy::start(cloud.address()).await;
        let source = Arc::new(source(&proxy, parameters));
        Self { cloud, proxy, source, prefix: fresh_tag(), running: Mutex::default() }
    }

    /// The value of the tag of a service's machines.
    pub(crate) fn tag(&self, service: &str) -> String {
        format!("{}-{service}", self.prefix)
    }

    /// An upstream of a service, changed.
    pub(crate) fn upstream(&self, service: &str, change: impl FnOnce(&mut AwsEc2Upstream)) -> AwsEc2Upstream {
        let pair = TagPair { key: TAG.to_owned(), value: self.tag(service) };
        let filters = vec![TagFilter { key: None, kv_pair: Some(pair) }];
        let mut upstream = AwsEc2Upstream { filters, ..AwsEc2Upstream::default() };
        change(&mut upstream);
        upstream
    }

    pub(crate) fn watch(&self, upstream: &AwsEc2Upstream) -> Watch<Vec<Endpoint>> {
        self.source.watch(&request(upstream))
    }
}

/// A source that sees AWS through a proxy.
pub(crate) fn source(proxy: &Proxy, parameters: &str) -> Ec2Source {
    let url = format!("ec2:?endpoint={}&region={REGION}&maxRate=100&{parameters}", proxy.url());
    Ec2Source::new(Ec2Options::from_url(&url, &|_| None).expect("good parameters"))
}

/// With credentials that moto takes, as a `secretRef` would give them.
pub(crate) fn request(upstream: &AwsEc2Upstream) -> EndpointRequest {
    EndpointRequest {
        query: Query::AwsEc2(upstream.clone()),
        credentials: Some(credentials("AKIDTEST", "s3cr3t")),
    }
}

pub(crate) fn credentials(id: &str, secret: &str) -> Credentials {
    let secret_key = Arc::new(Zeroizing::new(secret.to_owned()));
    Credentials { access_key: id.to_owned(), secret_key, session_token: None }
}

pub(crate) async fn next(watch: &mut Watch<Vec<Endpoint>>) -> Listing<Vec<Endpoint>> {
    timeout(PATIENCE, watch.next()).await.expect("an answer in time").expect("a watch does not end")
}

/// The next endpoints; a failure fails.
pub(crate) async fn complete(watch: &mut Watch<Vec<Endpoint>>) -> Vec<Endpoint> {
    match next(watch).await {
        Listing::Complete(endpoints) => endpoints,
        Listing::Failed(error) => panic!("{error}"),
    }
}

/// Their ids, sorted.
pub(crate) fn ids(endpoints: &[Endpoint]) -> BTreeSet<String> {
    endpoints.iter().map(|endpoint| endpoint.id.clone()).collect()
}

/// The message of the next failure.
pub(crate) async fn failed(watch: &mut Watch<Vec<Endpoint>>) -> String {
    loop {
        if let Listing::Failed(error) = next(watch).await {
            return error.message;
        }
    }
}

#[async_trait]
impl EndpointHarness for Harness {
    fn source(&self) -> Arc<dyn EndpointSource> {
        Arc::clone(&self.source) as _
    }

    fn request(&self, service: &str) -> EndpointRequest {
        request(&self.upstream(service, |_| {}))
    }

    fn foreign_request(&self) -> EndpointRequest {
        EndpointRequest { query: Query::Consul(ConsulUpstream::default()), credentials: None }
    }

    async fn scale(&self, service: &str, instances: usize) -> BTreeSet<SocketAddr> {
        let mut machines = self.running.lock().expect("held briefly").remove(service).unwrap_or_default();
        while machines.len() < instances {
            machines.push(self.cloud.run(&[(TAG, &self.tag(service))]).await.expect("it runs"));
        }
        for machine in machines.drain(instances..) {
            self.cloud.act("TerminateInstances", &machine.id).await.expect("it stops");
        }
        let places = machines.iter().map(|machine| (machine.address, PORT).into()).collect();
        self.running.lock().expect("held briefly").insert(service.to_owned(), machines);
        places
    }

    async fn take_away(&self) {
        self.proxy.rule(&[], Fate::Refused(503, "Unavailable"), None);
    }

    async fn give_back(&self) {
        self.proxy.heal();
    }
}
