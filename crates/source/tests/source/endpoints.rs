//! The fixed source of endpoints.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::sync::Arc;

use async_trait::async_trait;
use biplane_core::resources::upstream::discovery::{ConsulUpstream, DnsUpstream};
use biplane_source::conformance::EndpointHarness;
use biplane_source::{Endpoint, EndpointRequest, EndpointSource, FixedEndpoints, Query, SourceError};

struct Fixed(Arc<FixedEndpoints>);

#[async_trait]
impl EndpointHarness for Fixed {
    fn source(&self) -> Arc<dyn EndpointSource> {
        self.0.clone()
    }

    fn request(&self, service: &str) -> EndpointRequest {
        let query = Query::Dns(DnsUpstream { name: service.to_owned(), ..DnsUpstream::default() });
        EndpointRequest { query, credentials: None }
    }

    fn foreign_request(&self) -> EndpointRequest {
        EndpointRequest { query: Query::Consul(ConsulUpstream::default()), credentials: None }
    }

    async fn scale(&self, service: &str, instances: usize) -> BTreeSet<SocketAddr> {
        let endpoints: Vec<_> = (1..=instances).map(endpoint).collect();
        self.0.set(self.request(service), endpoints.clone());
        endpoints.iter().map(Endpoint::place).collect()
    }

    async fn take_away(&self) {
        self.0.fail(Some(SourceError::new("taken away")));
    }

    async fn give_back(&self) {
        self.0.fail(None);
    }
}

fn endpoint(number: usize) -> Endpoint {
    let port = u16::try_from(number).ok().and_then(NonZeroU16::new).expect("rules scale to a few");
    Endpoint::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

async fn harness() -> Fixed {
    Fixed(Arc::new(FixedEndpoints::new("dns")))
}

biplane_source::endpoint_conformance_tests!(harness);
