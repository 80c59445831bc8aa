//! Clusters and their endpoints.

use std::time::Duration;

use crate::harness::*;

#[test]
fn first_change_leaves_at_once() {
    let mut client = Harness::delta([cluster("a", "1")]);
    client.ask(CDS, &[], &[]);
    client.settle();
    client.upsert([cluster("b", "1")]);
    assert_eq!(client.texts(), ["cds +b"]);
}

#[test]
fn changes_coalesce_behind_an_outstanding_response() {
    let mut client = Harness::delta([resource("lds/l", "1", &[])]);
    client.ask(LDS, &[], &[]);
    let first = client.take().unwrap();
    client.upsert([resource("lds/l", "2", &[])]);
    client.upsert([resource("lds/l", "3", &[]), resource("lds/m", "1", &[])]);
    assert!(client.take().is_none());
    client.ack(&first);
    let second = client.take().unwrap();
    assert_eq!(second.text(), "lds +l +m");
    assert_eq!(second.bodies[0], "lds/l@3");
}

#[test]
fn several_cluster_responses_may_be_outstanding() {
    let mut client = Harness::delta([cluster("a", "1")]);
    client.ask(CDS, &[], &[]);
    assert_eq!(client.texts(), ["cds +a"]);
    client.upsert([cluster("b", "1")]);
    assert_eq!(client.texts(), ["cds +b"]);
    client.upsert([cluster("c", "1")]);
    assert_eq!(client.texts(), ["cds +c"]);
}

#[test]
fn unanswered_cluster_responses_are_bounded() {
    let mut client = Harness::delta([cluster("a", "0")]);
    client.ask(CDS, &[], &[]);
    for version in 1..100 {
        client.upsert([cluster("a", &version.to_string())]);
        client.take_all();
    }
    let last = client.take_all();
    assert!(last.is_empty());
    assert!(client.stream.progress().next().unwrap().pending);
}

#[test]
fn endpoints_do_not_wait_for_the_cluster_ack() {
    let mut client = Harness::delta([cluster("a", "1"), endpoints("a", "1")]);
    client.ask(CDS, &[], &[]);
    assert_eq!(client.texts(), ["cds +a"]);
    client.ask(EDS, &["a"], &[]);
    assert_eq!(client.texts(), ["eds +a"]);
}

#[test]
fn changed_cluster_is_followed_by_its_unchanged_assignment() {
    let mut client = Harness::delta([cluster("a", "1"), endpoints("a", "1")]);
    client.ask(CDS, &[], &[]);
    client.ask(EDS, &["a"], &[]);
    client.settle();
    client.upsert([cluster("a", "2")]);
    assert_eq!(client.texts(), ["cds +a", "eds +a"]);
}

#[test]
fn cluster_whose_assignment_is_unknown_is_not_sent() {
    let mut client = Harness::delta([cluster("a", "1"), cluster("b", "1")]);
    client.publish(unknown(&["eds/a"]));
    client.ask(CDS, &[], &[]);
    assert_eq!(client.settle(), ["cds +b"]);
    client.upsert([endpoints("a", "1")]);
    assert_eq!(client.settle(), ["cds +a"]);
}

#[test]
fn route_waits_only_for_the_clusters_that_it_names() {
    let mut client = Harness::delta([]);
    client.ask(CDS, &[], &[]);
    client.ask(EDS, &["a", "b"], &[]);
    client.ask(RDS, &["r", "q"], &[]);
    client.settle();
    let route = |name: &str, cluster: &str| resource(name, "1", &[cluster]);
    client.upsert([cluster("a", "1"), cluster("b", "1"), route("rds/r", "cds/a"), route("rds/q", "cds/b")]);
    client.upsert([endpoints("b", "1")]);
    let got = client.take_all();
    assert_eq!(got.iter().map(Got::text).collect::<Vec<_>>(), ["cds +a +b", "eds +b -a"]);
    client.ack(&got[1]);
    assert_eq!(client.texts(), ["rds +q +r"]);
}

#[test]
fn route_to_a_discovered_cluster_waits_for_its_endpoints_ack() {
    let mut client = Harness::delta([]);
    client.ask(CDS, &[], &[]);
    client.ask(EDS, &["a", "b"], &[]);
    client.ask(RDS, &["r", "q"], &[]);
    client.settle();
    client.publish(unknown(&["eds/a"]));
    client.upsert([cluster("a", "1"), resource("rds/r", "1", &["cds/a"])]);
    client.upsert([cluster("b", "1"), endpoints("b", "1"), resource("rds/q", "1", &["cds/b"])]);
    let got = client.take_all();
    assert_eq!(got.iter().map(Got::text).collect::<Vec<_>>(), ["cds +b", "eds +b"]);
    client.pass(Duration::from_secs(10));
    assert!(client.take().is_none(), "ten seconds do not make a discovered cluster ready");
    client.ack(&got[1]);
    assert_eq!(client.texts(), ["rds +q"]);
    client.pass(Duration::from_secs(100));
    assert!(client.take().is_none(), "the route to `a` waits for as long as its endpoints are unknown");
}

#[test]
fn cluster_ack_makes_discovered_clusters_ready_too() {
    let mut client = Harness::delta([cluster("a", "1"), resource("rds/r", "1", &["cds/a"])]);
    client.ask(CDS, &[], &[]);
    client.ask(RDS, &["r"], &[]);
    let clusters = client.take().unwrap();
    assert!(client.take().is_none());
    client.ack(&clusters);
    assert_eq!(client.texts(), ["rds +r"]);
}

#[test]
fn route_to_a_cluster_without_discovery_waits_for_its_ack_or_a_second() {
    let world = [resource("cds/a", "1", &[]), resource("rds/r", "1", &["cds/a"])];
    let mut client = Harness::delta(world);
    client.ask(CDS, &[], &[]);
    client.ask(RDS, &["r"], &[]);
    assert_eq!(client.texts(), ["cds +a"]);
    assert_eq!(client.stream.next_deadline(), Some(client.now + Duration::from_secs(1)));
    client.pass(Duration::from_millis(999));
    assert!(client.take().is_none());
    client.pass(Duration::from_millis(1));
    assert_eq!(client.texts(), ["rds +r"]);
    assert_eq!(client.stream.next_deadline(), None);
}

#[test]
fn endpoints_ack_from_before_the_cluster_makes_nothing_ready() {
    let mut client = Harness::delta([endpoints("a", "1"), resource("rds/r", "1", &[])]);
    client.ask(CDS, &[], &[]);
    client.ask(EDS, &["a"], &[]);
    client.ask(RDS, &["r"], &[]);
    let early = client.take_all();
    assert_eq!(early[1].text(), "eds +a");
    client.ack(&early[2]);
    client.upsert([cluster("a", "1"), resource("rds/r", "2", &["cds/a"])]);
    assert_eq!(client.texts(), ["cds +a"]);
    client.ack(&early[1]);
    let again = client.take_all();
    assert_eq!(again.iter().map(Got::text).collect::<Vec<_>>(), ["eds +a"]);
    client.ack(&again[0]);
    assert_eq!(client.texts(), ["rds +r"]);
}

#[test]
fn endpoints_that_are_gone_are_drained_by_an_empty_assignment() {
    let mut client = Harness::delta([cluster("a", "1"), endpoints("a", "1")]);
    client.ask(CDS, &[], &[]);
    client.ask(EDS, &["a"], &[]);
    client.settle();
    client.remove(&["eds/a"]);
    assert_eq!(client.settle(), ["eds +a(empty)"]);
    client.upsert([cluster("a", "2")]);
    assert_eq!(client.settle(), ["cds +a", "eds +a(empty)"]);
    client.upsert([endpoints("a", "1")]);
    assert_eq!(client.settle(), ["eds +a"]);
}

#[test]
fn endpoints_of_a_leaving_cluster_are_left_alone() {
    let route = |version: &str, cluster: &str| resource("rds/r", version, &[cluster]);
    let world =
        [cluster("a", "1"), endpoints("a", "1"), cluster("b", "1"), endpoints("b", "1"), route("1", "cds/a")];
    let mut client = Harness::delta(world);
    client.ask(CDS, &[], &[]);
    client.ask(LDS, &[], &[]);
    client.ask(EDS, &["a", "b"], &[]);
    client.ask(RDS, &["r"], &[]);
    client.settle();
    let mut change = removals(&["cds/a", "eds/a"]);
    change.upserts = vec![route("2", "cds/b")];
    client.publish(change);
    let routes = client.take_all();
    assert_eq!(routes.iter().map(Got::text).collect::<Vec<_>>(), ["rds +r"]);
    client.ack(&routes[0]);
    let clusters = client.take_all();
    assert_eq!(clusters.iter().map(Got::text).collect::<Vec<_>>(), ["cds -a"]);
    client.ask(EDS, &[], &["a"]);
    client.ack(&clusters[0]);
    assert!(client.take().is_none());
}

#[test]
fn name_without_endpoints_is_answered_at_once() {
    let mut client = Harness::delta([cluster("a", "1")]);
    client.ask(CDS, &[], &[]);
    client.ask(EDS, &["a"], &[]);
    assert_eq!(client.texts(), ["cds +a", "eds -a"]);
}
