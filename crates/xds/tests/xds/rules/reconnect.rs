//! Clients that come back with what they hold.

use std::time::Duration;

use biplane_xds::Protocol;
use biplane_xds::stream::StreamOptions;

use crate::harness::*;

fn world() -> Harness {
    Harness::delta([
        cluster("a", "1"),
        endpoints("a", "1"),
        resource("rds/r", "1", &["cds/a"]),
        resource("lds/l", "1", &["rds/r"]),
    ])
}

#[test]
fn client_that_holds_everything_hears_once_that_it_does() {
    let mut client = world();
    client.ask_again(CDS, &["*"], &[("a", "1")]);
    assert_eq!(client.texts(), ["cds"]);
    client.ask_again(EDS, &["a"], &[("a", "1")]);
    client.ask_again(LDS, &["*"], &[("l", "1")]);
    client.ask_again(RDS, &["r"], &[("r", "1")]);
    assert!(client.settle().is_empty());
    client.upsert([endpoints("a", "2")]);
    assert_eq!(client.settle(), ["eds +a"]);
}

#[test]
fn client_is_sent_only_what_differs() {
    let mut client = world();
    client.ask_again(CDS, &["*"], &[("a", "1")]);
    client.ask_again(LDS, &["*"], &[("l", "0")]);
    client.ask_again(RDS, &["r"], &[("r", "1")]);
    assert_eq!(client.settle(), ["cds", "lds +l"]);
}

#[test]
fn client_that_asks_for_one_type_only_hears_that_it_holds_everything() {
    for (kind, name) in [(CDS, "a"), (EDS, "a"), (LDS, "l"), (RDS, "r")] {
        let options = StreamOptions { aggregated: false, ..StreamOptions::aggregated(Protocol::Delta) };
        let mut client = Harness::connect(world().fleets, options);
        client.ask_again(kind, &[name], &[(name, "1")]);
        assert_eq!(client.settle(), [kind.to_string()]);
    }
}

#[test]
fn changed_cluster_brings_its_assignment_even_if_the_client_holds_it() {
    let mut client = world();
    client.ask_again(CDS, &["*"], &[("a", "0")]);
    assert_eq!(client.texts(), ["cds +a"]);
    client.ask_again(EDS, &["a"], &[("a", "1")]);
    assert_eq!(client.texts(), ["eds +a"]);
}

#[test]
fn endpoints_asked_first_are_all_sent_again_and_wait_for_nothing() {
    let mut client = world();
    client.ask_again(EDS, &["a", "gone"], &[("a", "1"), ("gone", "1")]);
    client.ask_again(LDS, &["*"], &[("l", "0")]);
    client.ask_again(RDS, &["r"], &[("r", "0")]);
    assert_eq!(client.texts(), ["eds +a -gone", "lds +l", "rds +r"]);
}

#[test]
fn endpoints_that_went_meanwhile_are_drained_once_no_cluster_is_in_the_way() {
    let mut client = world();
    client.upsert([cluster("gone", "1")]);
    client.ask_again(EDS, &["a", "gone"], &[("a", "1"), ("gone", "1")]);
    assert_eq!(client.settle(), ["eds +a -gone"]);
    client.ask_again(CDS, &["*"], &[("a", "1"), ("gone", "1")]);
    assert_eq!(client.settle(), ["eds +gone(empty)"]);
}

#[test]
fn cluster_that_went_meanwhile_is_kept_until_the_routes_are_confirmed() {
    let mut client = world();
    client.ask_again(CDS, &["*"], &[("a", "1"), ("old", "1")]);
    assert_eq!(client.settle(), ["cds"], "who uses it is not known before listeners are asked for");
    client.ask_again(LDS, &["*"], &[("l", "1")]);
    assert!(client.take().is_none(), "nor before routes are");
    client.ask_again(RDS, &["r"], &[("r", "0")]);
    let routes = client.take_all();
    assert_eq!(routes.iter().map(Got::text).collect::<Vec<_>>(), ["rds +r"]);
    client.ack(&routes[0]);
    assert_eq!(client.settle(), ["cds -old"]);
}

#[test]
fn cluster_that_went_meanwhile_leaves_at_last_if_the_client_asks_for_nothing_else() {
    let mut client = world();
    client.ask_again(CDS, &["*"], &[("a", "1"), ("old", "1")]);
    assert_eq!(client.settle(), ["cds"]);
    client.now = client.stream.next_deadline().unwrap();
    assert_eq!(client.settle(), ["cds -old"]);
}

#[test]
fn versions_of_another_server_are_replaced() {
    let mut client = world();
    let mut request = biplane_xds::wire::DeltaDiscoveryRequest::default();
    request.initial_resource_versions.insert("a".into(), "7".into());
    client.request(CDS, request);
    assert_eq!(client.settle(), ["cds +a"]);
}

#[test]
fn held_cluster_needs_no_warming() {
    let mut client = world();
    client.ask_again(CDS, &["*"], &[("a", "0")]);
    client.ask_again(RDS, &["r"], &[("r", "0")]);
    assert_eq!(client.texts(), ["cds +a", "rds +r"]);
    client.pass(Duration::from_mins(1));
    assert!(client.take().is_none());
}

#[test]
fn version_that_becomes_known_later_is_recognised() {
    let mut client = Harness::delta([]);
    client.publish(unknown(&["cds/a", "lds/l"]));
    client.ask_again(CDS, &["*"], &[("a", "1"), ("b", "1")]);
    client.ask_again(LDS, &["*"], &[("l", "1")]);
    client.upsert([cluster("a", "1"), cluster("b", "1"), resource("lds/l", "2", &[])]);
    assert_eq!(client.settle(), ["cds", "lds +l"]);
}

#[test]
fn version_that_was_sent_away_is_not_taken_for_held() {
    let mut client = world();
    client.ask_again(CDS, &["*"], &[("a", "1"), ("b", "1")]);
    client.ask_again(LDS, &["*"], &[("l", "1")]);
    client.ask_again(RDS, &["r"], &[("r", "1")]);
    let got = client.take_all();
    assert_eq!(got.iter().map(Got::text).collect::<Vec<_>>(), ["cds", "cds -b"]);
    client.upsert([cluster("b", "1")]);
    assert_eq!(client.texts(), ["cds +b"]);
}
