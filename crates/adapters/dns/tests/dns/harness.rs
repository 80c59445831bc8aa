//! A source, its server, and the hands of those who change the zone.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use biplane_core::resources::upstream::discovery::{ConsulUpstream, DnsRecord, DnsUpstream};
use biplane_dns::{DnsOptions, DnsSource};
use biplane_source::conformance::EndpointHarness;
use biplane_source::{Endpoint, EndpointRequest, EndpointSource, Listing, Query, Watch};
use biplane_testkit::dns::{DnsServer, Mood, ResponseCode};
use futures::StreamExt as _;
use tokio::time::timeout;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

const PORT: u16 = 8080;

/// What the rules of a source are tested on: names with addresses that are looked at often.
pub(crate) struct Harness {
    pub(crate) server: DnsServer,
    pub(crate) source: Arc<DnsSource>,
    record: DnsRecord,
}

impl Harness {
    /// A source that looks at names twenty times a second.
    pub(crate) async fn quick() -> Self {
        Self::new("minRefresh=50ms&maxRefresh=50ms&timeout=500ms&retryMax=200ms", DnsRecord::A).await
    }

    /// The same over services.
    pub(crate) async fn quick_services() -> Self {
        Self { record: DnsRecord::Srv, ..Self::quick().await }
    }

    pub(crate) async fn new(parameters: &str, record: DnsRecord) -> Self {
        let server = DnsServer::start().await;
        let options = DnsOptions::from_url(&server.url(parameters)).expect("good parameters");
        Self { server, source: Arc::new(DnsSource::new(options)), record }
    }

    pub(crate) fn watch(&self, name: &str, record: DnsRecord) -> Watch<Vec<Endpoint>> {
        self.source.watch(&request(name, record))
    }
}

pub(crate) fn request(name: &str, record: DnsRecord) -> EndpointRequest {
    let port = (record != DnsRecord::Srv).then_some(u32::from(PORT));
    let upstream =
        DnsUpstream { name: name.to_owned(), record: Some(record), port, ..DnsUpstream::default() };
    EndpointRequest { query: Query::Dns(upstream), credentials: None }
}

pub(crate) async fn next(watch: &mut Watch<Vec<Endpoint>>) -> Listing<Vec<Endpoint>> {
    timeout(PATIENCE, watch.next()).await.expect("an answer in time").expect("a watch does not end")
}

/// The endpoints that are told next, which must be some.
pub(crate) async fn complete(watch: &mut Watch<Vec<Endpoint>>) -> Vec<Endpoint> {
    match next(watch).await {
        Listing::Complete(endpoints) => endpoints,
        Listing::Failed(error) => panic!("{error}"),
    }
}

/// `address:port` of each, in order.
pub(crate) fn places(endpoints: &[Endpoint]) -> Vec<String> {
    endpoints.iter().map(|endpoint| endpoint.place().to_string()).collect()
}

#[async_trait]
impl EndpointHarness for Harness {
    fn source(&self) -> Arc<dyn EndpointSource> {
        Arc::clone(&self.source) as _
    }

    fn request(&self, service: &str) -> EndpointRequest {
        request(&format!("{service}.test"), self.record)
    }

    fn foreign_request(&self) -> EndpointRequest {
        EndpointRequest { query: Query::Consul(ConsulUpstream::default()), credentials: None }
    }

    async fn scale(&self, service: &str, instances: usize) -> BTreeSet<SocketAddr> {
        let name = format!("{service}.test");
        let last = || (0..instances).map(|at| u8::try_from(at + 1).expect("a few instances"));
        let addresses: Vec<IpAddr> = last().map(|last| IpAddr::from([127, 0, 0, last])).collect();
        if self.record == DnsRecord::Srv {
            let targets: Vec<String> = last().map(|last| format!("host{last}.test")).collect();
            for (target, address) in targets.iter().zip(&addresses) {
                self.server.addresses(target, &[*address]);
            }
            let services: Vec<_> = targets.iter().map(|target| (1, 1, PORT, target.as_str())).collect();
            self.server.services(&name, &services);
        } else {
            self.server.addresses(&name, &addresses);
        }
        addresses.into_iter().map(|address| SocketAddr::new(address, PORT)).collect()
    }

    async fn take_away(&self) {
        self.server.mood(Mood::Error(ResponseCode::ServFail));
    }

    async fn give_back(&self) {
        self.server.mood(Mood::Well);
    }
}
