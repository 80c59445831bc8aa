//! Make before break.

use std::time::Duration;

use biplane_xds::stream::StreamOptions;
use biplane_xds::{Fleets, Protocol};

use crate::harness::*;

/// A listener with a route to each of two warm clusters.
fn running() -> Harness {
    let mut client = Harness::delta([
        cluster("a", "1"),
        endpoints("a", "1"),
        cluster("b", "1"),
        endpoints("b", "1"),
        resource("rds/r", "1", &["cds/a"]),
        resource("lds/l", "1", &["rds/r"]),
    ]);
    client.ask(CDS, &[], &[]);
    client.ask(EDS, &["a", "b"], &[]);
    client.ask(LDS, &[], &[]);
    client.ask(RDS, &["r"], &[]);
    assert_eq!(client.settle(), ["cds +a +b", "eds +a +b", "lds +l", "rds +r"]);
    client
}

#[test]
fn types_take_turns_and_removals_come_last() {
    let mut client = running();
    client.ask(SDS, &["s"], &[]);
    client.settle();
    let mut change = upserts([
        resource("rds/r", "2", &["cds/b"]),
        resource("lds/l", "2", &["rds/r", "sds/s"]),
        resource("sds/s", "1", &[]),
        endpoints("b", "2"),
        cluster("b", "2"),
    ]);
    change.removals = vec![name("cds/a")];
    client.publish(change);
    assert_eq!(client.settle(), ["cds +b", "eds +b", "sds +s", "lds +l", "rds +r", "cds -a"]);
}

#[test]
fn cluster_removal_waits_for_the_ack_of_the_routes_that_let_go_of_it() {
    let mut client = running();
    let mut change = removals(&["cds/a"]);
    change.upserts = vec![resource("rds/r", "2", &["cds/b"])];
    client.publish(change);
    let routes = client.take_all();
    assert_eq!(routes.iter().map(Got::text).collect::<Vec<_>>(), ["rds +r"]);
    client.pass(Duration::from_mins(5));
    assert!(client.take().is_none());
    client.ack(&routes[0]);
    assert_eq!(client.settle(), ["cds -a"]);
}

#[test]
fn cluster_removal_waits_while_the_client_keeps_the_old_route() {
    let mut client = running();
    let mut change = removals(&["cds/a"]);
    change.upserts = vec![resource("rds/r", "bad", &["cds/b"])];
    client.publish(change);
    let routes = client.take().unwrap();
    client.nack(&routes, "no");
    assert!(client.settle().is_empty());
    client.upsert([resource("rds/r", "3", &["cds/b"])]);
    assert_eq!(client.settle(), ["rds +r", "cds -a"]);
}

#[test]
fn cluster_removal_waits_for_a_route_that_waits_itself() {
    let mut client = running();
    client.publish(unknown(&["eds/c"]));
    let mut change = removals(&["cds/a"]);
    change.upserts = vec![cluster("c", "1"), resource("rds/r", "2", &["cds/c"])];
    client.publish(change);
    assert!(client.settle().is_empty());
    client.ask(EDS, &["c"], &[]);
    client.upsert([endpoints("c", "1")]);
    assert_eq!(client.settle(), ["cds +c", "eds +c", "rds +r", "cds -a"]);
}

#[test]
fn cluster_that_nothing_unsettled_names_leaves_at_once() {
    let mut client = running();
    client.publish(unknown(&["cds/c"]));
    client.upsert([resource("rds/r", "2", &["cds/a", "cds/c"])]);
    assert!(client.settle().is_empty(), "the route waits for the unknown cluster");
    client.remove(&["cds/b", "eds/b"]);
    assert_eq!(client.settle(), ["cds -b", "eds +b(empty)"]);
}

#[test]
fn route_to_a_cluster_known_to_be_absent_is_sent() {
    let mut client = running();
    client.upsert([resource("rds/r", "2", &["cds/a", "cds/none"])]);
    assert_eq!(client.settle(), ["rds +r"]);
}

#[test]
fn route_to_a_cluster_that_becomes_absent_is_released() {
    let mut client = running();
    client.publish(unknown(&["cds/c"]));
    client.upsert([resource("rds/r", "2", &["cds/c"])]);
    assert!(client.settle().is_empty());
    client.remove(&["cds/c"]);
    assert_eq!(client.settle(), ["rds +r"]);
}

#[test]
fn route_that_names_nothing_new_waits_for_nothing() {
    let mut client = running();
    client.upsert([cluster("a", "2"), resource("rds/r", "2", &["cds/a"])]);
    assert_eq!(client.texts(), ["cds +a", "eds +a", "rds +r"]);
}

#[test]
fn cluster_that_comes_back_before_it_left_stays() {
    let mut client = running();
    let mut change = removals(&["cds/a"]);
    change.upserts = vec![resource("rds/r", "2", &["cds/b"])];
    client.publish(change);
    let routes = client.take().unwrap();
    client.upsert([cluster("a", "1")]);
    client.ack(&routes);
    assert!(client.settle().is_empty());
}

#[test]
fn listener_removal_travels_with_additions() {
    let mut client = running();
    let mut change = removals(&["lds/l"]);
    change.upserts = vec![resource("lds/m", "1", &["rds/r"])];
    client.publish(change);
    assert_eq!(client.settle(), ["lds +m -l"]);
}

#[test]
fn listener_removal_waits_a_moment_for_an_addition_that_waits() {
    let mut client = running();
    let mut change = removals(&["lds/l"]);
    change.upserts = vec![cluster("c", "1"), endpoints("c", "1"), resource("lds/m", "1", &["cds/c"])];
    client.publish(change);
    let clusters = client.take_all();
    assert_eq!(clusters.iter().map(Got::text).collect::<Vec<_>>(), ["cds +c"]);
    client.ack(&clusters[0]);
    assert_eq!(client.settle(), ["lds +m -l"]);
}

#[test]
fn listener_removal_does_not_wait_longer_than_a_moment() {
    let mut client = running();
    client.publish(unknown(&["sds/s"]));
    let mut change = removals(&["lds/l"]);
    change.upserts = vec![resource("lds/m", "1", &["sds/s"])];
    client.publish(change);
    assert!(client.settle().is_empty());
    client.now = client.stream.next_deadline().unwrap();
    assert_eq!(client.settle(), ["lds -l"]);
    assert_eq!(client.stream.next_deadline(), None);
}

#[test]
fn unknown_secret_holds_a_listener_that_was_never_served() {
    let mut client = running();
    client.publish(unknown(&["sds/s"]));
    client.upsert([resource("lds/m", "1", &["sds/s"]), resource("lds/n", "1", &[])]);
    assert_eq!(client.settle(), ["lds +n"]);
    client.upsert([resource("sds/s", "1", &[])]);
    assert_eq!(client.settle(), ["lds +m"]);
}

#[test]
fn unknown_secret_leaves_a_served_listener_as_it_is() {
    let mut client = running();
    client.publish(unknown(&["sds/s"]));
    client.upsert([resource("lds/l", "2", &["rds/r", "sds/s"])]);
    assert!(client.settle().is_empty());
    client.remove(&["sds/s"]);
    assert_eq!(client.settle(), ["lds +l"]);
}

#[test]
fn unknown_secret_is_held_and_an_absent_one_answered_at_once() {
    let mut client = running();
    client.publish(unknown(&["sds/s"]));
    client.ask(SDS, &["s", "none"], &[]);
    assert_eq!(client.settle(), ["sds -none"]);
    client.remove(&["sds/s"]);
    assert_eq!(client.settle(), ["sds -s"]);
}

#[test]
fn secret_leaves_after_the_listener_that_let_go_of_it() {
    let mut client = running();
    client.upsert([resource("sds/s", "1", &[]), resource("lds/l", "2", &["sds/s"])]);
    client.ask(SDS, &["s"], &[]);
    client.settle();
    let mut change = removals(&["sds/s"]);
    change.upserts = vec![resource("lds/l", "3", &[])];
    client.publish(change);
    assert_eq!(client.texts(), ["lds +l"]);
    let mut later = running();
    later.upsert([resource("sds/s", "1", &[])]);
    later.ask(SDS, &["s"], &[]);
    later.settle();
    later.remove(&["sds/s"]);
    assert_eq!(later.settle(), ["sds -s"]);
}

#[test]
fn stream_of_one_type_waits_for_nothing_it_cannot_see() {
    let fleets = Fleets::new();
    fleets.publish(FLEET, upserts([cluster("a", "1"), resource("rds/r", "1", &["cds/a"])]));
    let options = StreamOptions { aggregated: false, ..StreamOptions::aggregated(Protocol::Delta) };
    let mut routes = Harness::connect(fleets.clone(), options);
    routes.ask(RDS, &["r"], &[]);
    assert_eq!(routes.settle(), ["rds +r"]);
    let mut clusters = Harness::connect(fleets, options);
    clusters.ask(CDS, &[], &[]);
    clusters.settle();
    clusters.remove(&["cds/a"]);
    assert_eq!(clusters.settle(), ["cds -a"]);
}
