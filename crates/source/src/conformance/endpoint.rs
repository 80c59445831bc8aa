//! What every endpoint source must do, one named rule each. Use [`endpoint_conformance_tests!`](crate::endpoint_conformance_tests).

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU16;
use std::sync::Arc;

use async_trait::async_trait;

use super::next;
use crate::{Endpoint, EndpointSource, Listing, ServiceName, Watch};

/// A source under test and the world that it reads.
#[async_trait]
pub trait EndpointHarness: Send + Sync {
    /// The source under test.
    fn source(&self) -> Arc<dyn EndpointSource>;
    /// Makes the service listen on exactly these ports of 127.0.0.1.
    async fn set(&self, service: &ServiceName, ports: &[u16]);
    /// Makes the source unreadable.
    async fn take_away(&self);
    /// Makes it readable again.
    async fn give_back(&self);
}

/// Makes one `#[tokio::test]` per rule; the argument is an async function that makes a fresh harness.
#[macro_export]
macro_rules! endpoint_conformance_tests {
    ($harness:path) => {
        $crate::endpoint_conformance_tests!(@rules $harness:
            an_unknown_service_is_known_to_have_no_endpoints
            every_listing_is_whole_and_sorted
            a_service_without_endpoints_is_known_empty
            failed_is_never_empty
            a_source_that_comes_back_tells_what_it_missed
        );
    };
    (@rules $harness:path: $($rule:ident)*) => {
        $(
            #[tokio::test]
            async fn $rule() {
                $crate::conformance::endpoint::$rule($harness().await).await;
            }
        )*
    };
}

/// Nobody waits for ever for a service that is not there.
pub async fn an_unknown_service_is_known_to_have_no_endpoints(harness: impl EndpointHarness) {
    let mut watch = watch(&harness, "unknown");
    assert_eq!(next(&mut watch).await, Listing::Complete(Vec::new()));
}

/// A listing replaces the one before it.
pub async fn every_listing_is_whole_and_sorted(harness: impl EndpointHarness) {
    let mut watch = watch(&harness, "a");
    set(&harness, "a", &[3, 1]).await;
    until_ports(&mut watch, &[1, 3]).await;
    set(&harness, "a", &[2, 3]).await;
    until_ports(&mut watch, &[2, 3]).await;
}

/// Scaling to nothing is told as such.
pub async fn a_service_without_endpoints_is_known_empty(harness: impl EndpointHarness) {
    set(&harness, "a", &[1]).await;
    let mut watch = watch(&harness, "a");
    until_ports(&mut watch, &[1]).await;
    set(&harness, "a", &[]).await;
    until_ports(&mut watch, &[]).await;
}

/// The one rule that everything rests on.
pub async fn failed_is_never_empty(harness: impl EndpointHarness) {
    set(&harness, "a", &[1]).await;
    let mut watch = watch(&harness, "a");
    until_ports(&mut watch, &[1]).await;
    harness.take_away().await;
    let told = next(&mut watch).await;
    assert!(matches!(told, Listing::Failed(_)), "{told:?}");
}

/// A watch outlives the failure of its source.
pub async fn a_source_that_comes_back_tells_what_it_missed(harness: impl EndpointHarness) {
    harness.take_away().await;
    let mut watch = watch(&harness, "a");
    let told = next(&mut watch).await;
    assert!(matches!(told, Listing::Failed(_)), "{told:?}");
    set(&harness, "a", &[1]).await;
    harness.give_back().await;
    until_ports(&mut watch, &[1]).await;
}

fn watch(harness: &impl EndpointHarness, service: &str) -> Watch<Vec<Endpoint>> {
    harness.source().watch(&ServiceName::new(service))
}

async fn set(harness: &impl EndpointHarness, service: &str, ports: &[u16]) {
    harness.set(&ServiceName::new(service), ports).await;
}

async fn until_ports(watch: &mut Watch<Vec<Endpoint>>, ports: &[u16]) {
    while !matches!(next(watch).await, Listing::Complete(told) if told.iter().map(|at| at.port.get()).eq(ports.iter().copied()))
    {
    }
}

/// An endpoint on 127.0.0.1, for harnesses.
pub fn local(port: u16) -> Endpoint {
    Endpoint::new(IpAddr::V4(Ipv4Addr::LOCALHOST), NonZeroU16::new(port).expect("tests name real ports"))
}
