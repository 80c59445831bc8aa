//! NACKs.

use biplane_xds::Version;
use biplane_xds::stream::Reply;

use crate::harness::*;

/// Answers like a client that refuses every response with a body that says `bad`.
fn settle(client: &mut Harness) -> Vec<String> {
    let mut texts = Vec::new();
    while let Some(got) = client.take() {
        let bad = got.bodies.iter().any(|body| body.ends_with(b"bad"));
        let _ = if bad { client.nack(&got, "it is bad") } else { client.ack(&got) };
        texts.push(got.text() + if bad { " !" } else { "" });
        assert!(texts.len() < 100, "no loop");
    }
    texts
}

fn clusters(names: &[&str]) -> Vec<std::sync::Arc<biplane_xds::Resource>> {
    let version = |name: &str| if name.starts_with('x') { "bad" } else { "1" };
    names.iter().map(|name| resource(&format!("cds/{name}"), version(name), &[])).collect()
}

#[test]
fn refused_response_is_split_until_the_bad_one_is_found() {
    let mut client = Harness::delta(clusters(&["a", "b", "c", "x"]));
    client.ask(CDS, &[], &[]);
    assert_eq!(settle(&mut client), ["cds +a +b +c +x !", "cds +a +b", "cds +c +x !", "cds +c", "cds +x !"]);
    let refused = client.stream.refused();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].resource, Some(name("cds/x")));
    assert_eq!(refused[0].version, Some(Version::of(b"cds/x@bad")));
    assert_eq!(refused[0].error, "it is bad");
    assert_eq!(*refused[0].origins, ["Object cds/x".into()]);
    let progress = client.stream.progress().next().unwrap();
    assert_eq!((progress.subscribed, progress.sent, progress.acked, progress.pending), (4, 4, 3, false));
}

#[test]
fn refused_version_is_not_sent_again() {
    let mut client = Harness::delta(clusters(&["a", "x"]));
    client.ask(CDS, &[], &[]);
    settle(&mut client);
    client.upsert(clusters(&["b", "x"]));
    assert_eq!(settle(&mut client), ["cds +b"]);
    assert_eq!(client.stream.refused().len(), 1);
}

#[test]
fn change_or_removal_clears_a_refusal() {
    let mut client = Harness::delta(clusters(&["x", "xx"]));
    client.ask(CDS, &[], &[]);
    client.ask(LDS, &[], &[]);
    settle(&mut client);
    assert_eq!(client.stream.refused().len(), 2);
    client.upsert([resource("cds/x", "2", &[])]);
    assert_eq!(settle(&mut client), ["cds +x"]);
    client.remove(&["cds/xx"]);
    assert_eq!(settle(&mut client), ["cds -xx"], "it may have been taken in part");
    assert!(client.stream.refused().is_empty());
}

#[test]
fn change_while_the_refusal_is_on_its_way_is_sent() {
    let mut client = Harness::delta(clusters(&["x"]));
    client.ask(CDS, &[], &[]);
    let first = client.take().unwrap();
    client.upsert([resource("cds/x", "2", &[])]);
    assert_eq!(client.texts(), ["cds +x"]);
    client.nack(&first, "no");
    assert!(client.stream.refused().iter().all(|refused| refused.version == Some(Version::of(b"cds/x@bad"))));
}

#[test]
fn refused_cluster_does_not_hold_its_routes() {
    let mut client = Harness::delta(clusters(&["x"]));
    client.upsert([resource("rds/r", "1", &["cds/x"])]);
    client.ask(CDS, &[], &[]);
    client.ask(RDS, &["r"], &[]);
    assert_eq!(settle(&mut client), ["cds +x !", "rds +r"]);
}

#[test]
fn reply_tells_what_was_refused() {
    let mut client = Harness::delta(clusters(&["a", "x"]));
    client.ask(CDS, &[], &[]);
    let got = client.take().unwrap();
    let reply = client.nack(&got, "no");
    let first = Some(name("cds/a"));
    assert_eq!(reply, Reply::Refused { error: "no".into(), resources: 2, first });
    assert_eq!(client.nack(&got, "no"), Reply::None, "a nonce is answered once");
}

#[test]
fn refusal_of_nothing_is_reported_without_a_resource() {
    let mut client = Harness::delta([]);
    client.ask(CDS, &[], &[]);
    let got = client.take().unwrap();
    client.nack(&got, "cannot");
    assert_eq!(client.stream.refused()[0].resource, None);
    assert!(client.take().is_none());
}

#[test]
fn refused_listener_swap_is_repeated_with_the_removal_first() {
    let mut client = Harness::delta([resource("lds/old", "1", &[])]);
    client.ask(LDS, &[], &[]);
    settle(&mut client);
    let mut change = removals(&["lds/old"]);
    change.upserts = vec![resource("lds/new", "1", &[]), resource("lds/newer", "bad", &[])];
    client.publish(change);
    assert_eq!(
        settle(&mut client),
        ["lds +new +newer -old !", "lds -old", "lds +new +newer !", "lds +new", "lds +newer !"]
    );
}

#[test]
fn resubscription_sends_a_refused_version_once_more() {
    let mut client = Harness::delta(clusters(&["x"]));
    client.ask(CDS, &["x"], &[]);
    settle(&mut client);
    client.ask(CDS, &["x"], &[]);
    assert_eq!(settle(&mut client), ["cds +x !"]);
}
