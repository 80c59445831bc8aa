//! Names that exist though nobody knows yet what is in them.

use std::time::Duration;

use biplane_xds::Resource;

use crate::harness::*;

/// A fleet in which one source is away: nobody knows what cluster `u` is like, nor the certificate `s`, and so only a
/// part of the listener.
fn away() -> Harness {
    let mut client = Harness::delta([
        cluster("a", "1"),
        endpoints("a", "1"),
        resource("rds/r", "1", &["cds/a", "cds/u"]),
        listener("part"),
    ]);
    client.publish(unknown(&["cds/u", "eds/u", "sds/s"]));
    client
}

/// The listener without what needs the certificate `s`.
fn listener(version: &str) -> std::sync::Arc<Resource> {
    let part = Resource::clone(&resource("lds/l", version, &["rds/r"]));
    std::sync::Arc::new(part.lacking([name("sds/s")].into()))
}

fn whole() -> std::sync::Arc<Resource> {
    resource("lds/l", "whole", &["rds/r", "sds/s"])
}

/// Asks as a client does that has everything from an earlier stream.
fn come_back(client: &mut Harness) {
    client.ask_again(CDS, &["*"], &[("a", "1"), ("u", "1")]);
    client.ask_again(EDS, &["a", "u"], &[("a", "1"), ("u", "1")]);
    client.ask_again(LDS, &["*"], &[("l", "whole")]);
    client.ask_again(RDS, &["r"], &[("r", "1")]);
    client.ask_again(SDS, &["s"], &[("s", "1")]);
}

/// Everything that comes, however long one waits.
fn wait_long(client: &mut Harness) -> Vec<String> {
    let mut texts = client.settle();
    while let Some(deadline) = client.stream.next_deadline() {
        assert!(deadline > client.now, "a deadline that has passed and brought nothing");
        client.now = deadline;
        texts.extend(client.settle());
    }
    texts
}

#[test]
fn client_that_comes_back_keeps_what_nobody_knows() {
    let mut client = away();
    come_back(&mut client);
    assert_eq!(wait_long(&mut client), ["cds"]);
    client.pass(Duration::from_hours(1));
    client.upsert([endpoints("a", "2")]);
    assert_eq!(wait_long(&mut client), ["eds +a"], "others go on");
}

#[test]
fn what_gets_known_is_sent_as_far_as_it_differs() {
    let mut client = away();
    come_back(&mut client);
    wait_long(&mut client);
    client.upsert([cluster("u", "1"), endpoints("u", "2"), resource("sds/s", "1", &[]), whole()]);
    assert_eq!(wait_long(&mut client), ["eds +u"]);
}

#[test]
fn what_turns_out_to_be_absent_is_taken_away() {
    let mut client = away();
    come_back(&mut client);
    wait_long(&mut client);
    let mut change = removals(&["cds/u", "eds/u", "sds/s"]);
    change.upserts = vec![resource("lds/l", "without", &["rds/r"]), resource("rds/r", "2", &["cds/a"])];
    client.publish(change);
    assert_eq!(wait_long(&mut client), ["lds +l", "rds +r", "cds -u", "eds +u(empty)", "sds -s"]);
}

#[test]
fn changed_route_to_an_unknown_cluster_that_the_client_holds_is_sent_at_once() {
    let mut client = away();
    client.upsert([resource("rds/r", "2", &["cds/a", "cds/u"])]);
    come_back(&mut client);
    assert_eq!(client.settle(), ["rds +r"]);
}

#[test]
fn route_waits_a_moment_for_a_cluster_that_nobody_knows() {
    let mut client = away();
    come_back(&mut client);
    wait_long(&mut client);
    client.publish(unknown(&["cds/new", "cds/newer"]));
    client.upsert([resource("rds/r", "2", &["cds/a", "cds/new", "cds/newer"])]);
    assert!(client.settle().is_empty(), "the client has a better route");
    client.now = client.stream.next_deadline().expect("it does not wait for ever");
    assert_eq!(client.settle(), ["rds +r"], "the source is away, and there are other routes");
    client.upsert([resource("rds/r", "3", &["cds/a", "cds/new"])]);
    assert_eq!(client.settle(), ["rds +r"], "it has been waited for");
}

#[test]
fn route_to_a_cluster_that_gets_known_comes_when_that_is_warm() {
    let mut client = away();
    come_back(&mut client);
    wait_long(&mut client);
    client.publish(unknown(&["cds/new", "eds/new"]));
    client.upsert([resource("rds/r", "2", &["cds/new"])]);
    client.ask(EDS, &["new"], &[]);
    assert!(client.settle().is_empty());
    client.upsert([cluster("new", "1"), endpoints("new", "1")]);
    let got = client.take_all();
    assert_eq!(got.iter().map(Got::text).collect::<Vec<_>>(), ["cds +new", "eds +new"]);
    client.ack(&got[1]);
    assert_eq!(client.texts(), ["rds +r"]);
}

#[test]
fn new_client_waits_for_nothing_that_has_been_unknown_for_long() {
    let mut client = away();
    client.pass(Duration::from_secs(3));
    client.ask(CDS, &[], &[]);
    client.ask(LDS, &[], &[]);
    client.ask(EDS, &["a"], &[]);
    client.ask(RDS, &["r"], &[]);
    assert_eq!(client.settle(), ["cds +a", "eds +a", "lds +l", "rds +r"]);
}

#[test]
fn client_that_has_no_unknown_part_gets_the_known_ones() {
    let mut client = away();
    client.ask_again(LDS, &["*"], &[("l", "older")]);
    assert!(client.take().is_none(), "what secrets it holds is still to be told");
    client.ask_again(SDS, &["t"], &[]);
    assert_eq!(client.settle(), ["sds -t", "lds +l"]);
    client.upsert([listener("changed")]);
    assert_eq!(client.settle(), ["lds +l"]);
    client.upsert([resource("sds/s", "1", &[]), whole()]);
    assert_eq!(client.settle(), ["lds +l"]);
}

#[test]
fn client_that_asks_for_no_secrets_gets_the_known_parts_at_last() {
    let mut client = away();
    client.ask_again(LDS, &["*"], &[("l", "older")]);
    assert_eq!(wait_long(&mut client), ["lds", "lds +l"]);
}

#[test]
fn part_that_turns_out_to_be_all_reaches_a_client_that_kept_more() {
    let mut client = away();
    come_back(&mut client);
    wait_long(&mut client);
    client.upsert([resource("lds/l", "part", &["rds/r"])]);
    assert_eq!(client.settle(), ["lds +l"], "the bytes are the same, but now they are all there is");
}
