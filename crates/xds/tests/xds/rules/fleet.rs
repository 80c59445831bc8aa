//! Gates, unconfigured fleets and streams that are far behind.

use std::time::Instant;

use biplane_xds::stream::{Stream, StreamOptions};
use biplane_xds::{Change, Fleets, Protocol};

use crate::harness::*;

#[test]
fn nothing_is_answered_before_the_gate_opens() {
    let fleets = Fleets::new();
    fleets.publish(FLEET, upserts([cluster("a", "1")]));
    let now = Instant::now();
    let snapshot = fleets.snapshot(FLEET).unwrap();
    let stream = Stream::new(StreamOptions::aggregated(Protocol::Delta), snapshot, now);
    let mut client = Harness { fleets, stream, protocol: Protocol::Delta, now };
    client.ask(CDS, &[], &[]);
    client.ask_again(EDS, &["a"], &[]);
    assert!(client.take().is_none());
    assert_eq!(client.stream.next_deadline(), None);
    client.stream.open();
    assert_eq!(client.settle(), ["cds +a", "eds -a"]);
}

#[test]
fn fleet_without_resources_gets_an_empty_answer() {
    let mut client = Harness::new(Protocol::Delta, Change::default());
    client.ask(CDS, &[], &[]);
    client.ask(LDS, &["*"], &[]);
    client.ask(EDS, &["a"], &[]);
    assert_eq!(client.settle(), ["cds", "eds -a", "lds"]);
}

#[test]
fn stream_that_is_behind_the_journal_compares_in_full() {
    let mut client = Harness::delta([cluster("a", "1"), cluster("b", "1"), cluster("c", "1")]);
    client.ask(CDS, &[], &[]);
    client.ask(LDS, &[], &[]);
    client.settle();
    let many = (0..70_000).map(|number| endpoints(&number.to_string(), "1"));
    client.fleets.publish(FLEET, upserts([cluster("a", "2"), cluster("d", "1")]));
    client.fleets.publish(FLEET, removals(&["cds/c"]));
    client.fleets.publish(FLEET, upserts(many));
    client.publish(Change::default());
    assert_eq!(client.settle(), ["cds +a +d", "cds -c"]);
}
