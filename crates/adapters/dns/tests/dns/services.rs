//! Services behind names: priorities, weights, ports, targets.

use biplane_core::resources::upstream::discovery::DnsRecord;
use biplane_source::Listing;
use biplane_testkit::dns::{Mood, ResponseCode};

use crate::harness::{Harness, complete, next};

/// Three hosts, one with an address of each family.
async fn hosts() -> Harness {
    let harness = Harness::quick().await;
    let server = &harness.server;
    server.addresses("a.test", &["127.0.0.1".parse().unwrap(), "fd00::1".parse().unwrap()]);
    server.addresses("b.test", &["127.0.0.2".parse().unwrap()]);
    server.addresses("c.test", &["127.0.0.3".parse().unwrap()]);
    harness
}

#[tokio::test]
async fn services_bring_ports_and_weights_and_those_of_the_best_priority_alone_count() {
    let harness = hosts().await;
    let services = [(1, 10, 8080, "a.test"), (1, 0, 8081, "b.test"), (2, 5, 8082, "c.test")];
    harness.server.services("_http._tcp.test", &services);
    let told = complete(&mut harness.watch("_http._tcp.test", DnsRecord::Srv)).await;
    let told: Vec<_> =
        told.iter().map(|at| (at.place().to_string(), at.weight.get(), at.id.as_str())).collect();
    let expected = [
        ("127.0.0.1:8080".to_owned(), 10, "a.test"),
        ("127.0.0.2:8081".to_owned(), 1, "b.test"),
        ("[fd00::1]:8080".to_owned(), 10, "a.test"),
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_target_that_does_not_exist_has_no_addresses_and_one_that_fails_fails_the_listing() {
    let harness = hosts().await;
    harness.server.services("_http._tcp.test", &[(1, 1, 80, "b.test"), (1, 1, 80, "gone.test")]);
    let mut watch = harness.watch("_http._tcp.test", DnsRecord::Srv);
    assert_eq!(complete(&mut watch).await.len(), 1);
    harness.server.mood_about("b.test", Mood::Error(ResponseCode::ServFail));
    let told = next(&mut watch).await;
    assert!(matches!(&told, Listing::Failed(error) if error.message.contains("b.test")), "{told:?}");
}

#[tokio::test]
async fn services_without_a_port_are_no_known_absence() {
    let harness = hosts().await;
    harness.server.services("_http._tcp.test", &[(1, 1, 0, "b.test")]);
    let told = next(&mut harness.watch("_http._tcp.test", DnsRecord::Srv)).await;
    assert!(matches!(&told, Listing::Failed(error) if error.hint.is_some()), "{told:?}");
}
