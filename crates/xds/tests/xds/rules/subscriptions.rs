//! What clients ask for.

use biplane_xds::stream::StreamOptions;
use biplane_xds::wire::DeltaDiscoveryRequest;
use biplane_xds::{Fleets, Protocol};

use crate::harness::*;

#[test]
fn first_request_without_names_asks_for_all_clusters_and_listeners() {
    for kind in ["cds", "lds"] {
        let mut client = Harness::delta([resource(&format!("{kind}/a"), "1", &[])]);
        client.ask(name(&format!("{kind}/a")).kind, &[], &[]);
        assert_eq!(client.settle(), [format!("{kind} +a")]);
    }
}

#[test]
fn first_request_without_names_asks_for_no_routes() {
    let mut client = Harness::delta([resource("rds/r", "1", &[])]);
    client.ask(RDS, &[], &[]);
    assert!(client.settle().is_empty());
}

#[test]
fn wildcard_and_names_are_independent() {
    let mut client = Harness::delta([cluster("a", "1"), cluster("b", "1")]);
    client.ask(CDS, &[], &[]);
    client.settle();
    client.ask(CDS, &["a"], &[]);
    assert_eq!(client.settle(), ["cds +a"], "asking again means that it was forgotten");
    client.ask(CDS, &[], &["*"]);
    client.upsert([cluster("a", "2"), cluster("b", "2")]);
    assert_eq!(client.settle(), ["cds +a"]);
}

#[test]
fn name_that_is_let_go_under_a_wildcard_is_answered() {
    let mut client = Harness::delta([cluster("a", "1")]);
    client.ask(CDS, &["*", "a", "none"], &[]);
    assert_eq!(client.settle(), ["cds +a -none"]);
    client.ask(CDS, &[], &["a", "none", "phantom"]);
    assert_eq!(client.settle(), ["cds +a -none"]);
}

#[test]
fn missing_name_is_answered_at_once_and_sent_when_it_comes() {
    let mut client = Harness::delta([]);
    client.ask(RDS, &["r"], &[]);
    assert_eq!(client.settle(), ["rds -r"]);
    client.upsert([resource("rds/r", "1", &[])]);
    assert_eq!(client.settle(), ["rds +r"]);
    client.remove(&["rds/r"]);
    assert_eq!(client.settle(), ["rds -r"]);
    client.upsert([resource("rds/r", "1", &[])]);
    assert_eq!(client.settle(), ["rds +r"]);
}

#[test]
fn resubscription_resends_what_the_client_should_hold() {
    let mut client = Harness::delta([resource("rds/r", "1", &[])]);
    client.ask(RDS, &["r"], &[]);
    client.settle();
    client.ask(RDS, &["r"], &[]);
    assert_eq!(client.settle(), ["rds +r"]);
    client.ask(RDS, &[], &["r"]);
    client.ask(RDS, &["r"], &[]);
    assert_eq!(client.settle(), ["rds +r"]);
}

#[test]
fn name_that_is_let_go_is_not_sent_any_more() {
    let mut client = Harness::delta([resource("rds/r", "1", &[])]);
    client.ask(RDS, &["r"], &[]);
    client.settle();
    client.ask(RDS, &[], &["r"]);
    client.upsert([resource("rds/r", "2", &[])]);
    client.remove(&["rds/r"]);
    assert!(client.settle().is_empty());
}

#[test]
fn subscription_counts_even_with_a_stale_nonce() {
    let mut client = Harness::delta([resource("rds/r", "1", &[]), resource("rds/q", "1", &[])]);
    client.ask(RDS, &["r"], &[]);
    let got = client.take().unwrap();
    client.ack(&got);
    client.request(
        RDS,
        DeltaDiscoveryRequest {
            response_nonce: got.nonce,
            resource_names_subscribe: owned(&["q"]),
            ..DeltaDiscoveryRequest::default()
        },
    );
    assert_eq!(client.settle(), ["rds +q"]);
}

#[test]
fn request_confirms_and_subscribes_at_once() {
    let mut client = Harness::delta([resource("rds/r", "1", &[]), resource("rds/q", "1", &[])]);
    client.ask(RDS, &["r"], &[]);
    let got = client.take().unwrap();
    client.request(
        RDS,
        DeltaDiscoveryRequest {
            response_nonce: got.nonce,
            resource_names_subscribe: owned(&["q"]),
            ..DeltaDiscoveryRequest::default()
        },
    );
    assert_eq!(client.settle(), ["rds +q"]);
}

#[test]
fn wildcard_without_resources_is_answered_once() {
    let mut client = Harness::delta([]);
    client.ask(CDS, &[], &[]);
    assert_eq!(client.settle(), ["cds"]);
    client.ask(CDS, &[], &[]);
    assert!(client.settle().is_empty());
}

#[test]
fn wildcard_whose_resources_all_wait_is_answered_after_a_moment() {
    let mut client = Harness::delta([cluster("a", "1")]);
    client.publish(unknown(&["eds/a"]));
    client.ask(CDS, &[], &[]);
    assert!(client.take().is_none());
    client.now = client.stream.next_deadline().unwrap();
    assert_eq!(client.settle(), ["cds"]);
}

#[test]
fn answer_that_is_long_is_cut_and_goes_on_after_the_ack() {
    let fleets = Fleets::new();
    fleets.publish(FLEET, upserts((0..10).map(|number| endpoints(&format!("e{number}"), "1"))));
    let options = StreamOptions { response_bytes: 200, ..StreamOptions::aggregated(Protocol::Delta) };
    let mut client = Harness::connect(fleets, options);
    let names: Vec<_> = (0..10).map(|number| format!("e{number}")).collect();
    client.ask(EDS, &names.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
    assert_eq!(client.take_all().len(), 1);
    let mut client = Harness::connect(client.fleets, options);
    client.ask(EDS, &names.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
    let texts = client.settle();
    assert!(texts.len() > 2, "{texts:?}");
    assert_eq!(texts.concat().matches('+').count(), 10);
}

#[test]
fn name_comes_once_in_a_response() {
    let mut client = Harness::delta([resource("rds/r", "1", &[])]);
    client.ask(RDS, &["r", "r"], &[]);
    client.upsert([resource("rds/r", "2", &[])]);
    client.ask(RDS, &["r"], &[]);
    assert_eq!(client.settle(), ["rds +r"]);
}
