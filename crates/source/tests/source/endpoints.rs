//! The fixed source of endpoints.

use std::sync::Arc;

use async_trait::async_trait;
use biplane_source::conformance::{EndpointHarness, local};
use biplane_source::{EndpointSource, FixedEndpoints, ServiceName, SourceError};

struct Fixed(Arc<FixedEndpoints>);

#[async_trait]
impl EndpointHarness for Fixed {
    fn source(&self) -> Arc<dyn EndpointSource> {
        self.0.clone()
    }

    async fn set(&self, service: &ServiceName, ports: &[u16]) {
        self.0.set(service.clone(), ports.iter().map(|port| local(*port)).collect());
    }

    async fn take_away(&self) {
        self.0.fail(Some(SourceError::new("taken away")));
    }

    async fn give_back(&self) {
        self.0.fail(None);
    }
}

async fn harness() -> Fixed {
    Fixed(Arc::new(FixedEndpoints::new()))
}

biplane_source::endpoint_conformance_tests!(harness);
