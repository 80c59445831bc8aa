//! State of the world.

use biplane_xds::stream::Reply;

use crate::harness::*;

/// Confirms everything but bodies that say `bad`; `names` are the subscriptions of types that are not asked for as a whole.
fn settle(client: &mut Harness, names: &[(biplane_xds::ResourceType, &[&str])]) -> Vec<String> {
    let mut texts = Vec::new();
    while let Some(got) = client.take() {
        let asked = names.iter().find(|(kind, _)| *kind == got.kind).map_or(&[][..], |(_, names)| names);
        let bad = got.bodies.iter().any(|body| body.ends_with(b"bad"));
        let _ = if bad {
            client.nack_sotw(&got, asked, "no")
        } else {
            client.ask_sotw(got.kind, &got.nonce, asked)
        };
        texts.push(got.text() + if bad { " !" } else { "" });
        assert!(texts.len() < 100, "no loop");
    }
    texts
}

#[test]
fn clusters_and_listeners_come_as_full_sets() {
    let mut client = Harness::sotw([cluster("a", "1"), cluster("b", "1")]);
    client.ask_sotw(CDS, "", &[]);
    assert_eq!(settle(&mut client, &[]), ["cds +a +b"]);
    client.upsert([cluster("a", "2")]);
    assert_eq!(settle(&mut client, &[]), ["cds +a +b"]);
}

#[test]
fn other_types_come_as_asked_and_changed() {
    let mut client = Harness::sotw([endpoints("a", "1"), endpoints("b", "1"), endpoints("c", "1")]);
    client.ask_sotw(EDS, "", &["a", "b"]);
    assert_eq!(settle(&mut client, &[(EDS, &["a", "b"])]), ["eds +a +b"]);
    client.upsert([endpoints("b", "2"), endpoints("c", "2")]);
    assert_eq!(settle(&mut client, &[(EDS, &["a", "b"])]), ["eds +b"]);
}

#[test]
fn stale_nonce_is_ignored() {
    let mut client = Harness::sotw([endpoints("a", "1"), endpoints("b", "1")]);
    client.ask_sotw(EDS, "", &["a"]);
    let first = client.take().unwrap();
    client.ask_sotw(EDS, &first.nonce, &["a"]);
    client.upsert([endpoints("a", "2")]);
    let second = client.take().unwrap();
    assert_eq!(client.ask_sotw(EDS, &first.nonce, &["a", "b"]), Reply::None);
    assert!(client.take().is_none());
    client.ask_sotw(EDS, &second.nonce, &["a", "b"]);
    assert_eq!(client.take().unwrap().text(), "eds +b");
}

#[test]
fn list_that_once_had_names_and_is_empty_means_nothing() {
    let mut client = Harness::sotw([cluster("a", "1"), cluster("b", "1")]);
    client.ask_sotw(CDS, "", &["a"]);
    let got = client.take().unwrap();
    assert_eq!(got.text(), "cds +a");
    client.ask_sotw(CDS, &got.nonce, &[]);
    client.upsert([cluster("a", "2")]);
    assert!(client.take().is_none());
}

#[test]
fn cluster_that_routes_still_use_is_sent_along_until_they_are_confirmed() {
    let world = [
        cluster("a", "1"),
        cluster("b", "1"),
        endpoints("a", "1"),
        endpoints("b", "1"),
        resource("rds/r", "1", &["cds/a"]),
        resource("lds/l", "1", &["rds/r"]),
    ];
    let asked: &[(_, &[&str])] = &[(EDS, &["a", "b"]), (RDS, &["r"])];
    let mut client = Harness::sotw(world);
    client.ask_sotw(CDS, "", &[]);
    client.ask_sotw(EDS, "", &["a", "b"]);
    client.ask_sotw(LDS, "", &[]);
    client.ask_sotw(RDS, "", &["r"]);
    assert_eq!(settle(&mut client, asked), ["cds +a +b", "eds +a +b", "lds +l", "rds +r"]);
    let mut change = removals(&["cds/a"]);
    change.upserts = vec![cluster("b", "2"), resource("rds/r", "2", &["cds/b"])];
    client.publish(change);
    assert_eq!(settle(&mut client, asked), ["cds +a +b", "eds +b", "rds +r", "cds +b"]);
}

#[test]
fn changed_cluster_is_followed_by_its_assignment() {
    let mut client = Harness::sotw([cluster("a", "1"), endpoints("a", "1")]);
    client.ask_sotw(CDS, "", &[]);
    client.ask_sotw(EDS, "", &["a"]);
    settle(&mut client, &[(EDS, &["a"])]);
    client.upsert([cluster("a", "2")]);
    assert_eq!(settle(&mut client, &[(EDS, &["a"])]), ["cds +a", "eds +a"]);
}

#[test]
fn name_without_endpoints_gets_an_empty_assignment() {
    let mut client = Harness::sotw([cluster("a", "1")]);
    client.ask_sotw(CDS, "", &[]);
    client.ask_sotw(EDS, "", &["a"]);
    assert_eq!(settle(&mut client, &[(EDS, &["a"])]), ["cds +a", "eds +a(empty)"]);
}

#[test]
fn removal_is_absence_from_the_full_set() {
    let mut client = Harness::sotw([resource("lds/a", "1", &[]), resource("lds/b", "1", &[])]);
    client.ask_sotw(LDS, "", &[]);
    settle(&mut client, &[]);
    client.remove(&["lds/a"]);
    assert_eq!(settle(&mut client, &[]), ["lds +b"]);
    client.remove(&["lds/b"]);
    assert_eq!(settle(&mut client, &[]), ["lds"]);
}

#[test]
fn bad_resource_is_found_and_left_at_its_old_version() {
    let listener = |name: &str, version: &str| resource(&format!("lds/{name}"), version, &[]);
    let mut client = Harness::sotw([listener("a", "1"), listener("b", "1"), listener("c", "1")]);
    client.ask_sotw(LDS, "", &[]);
    settle(&mut client, &[]);
    client.upsert([listener("a", "2"), listener("b", "bad"), listener("c", "2")]);
    let texts = settle(&mut client, &[]);
    assert_eq!(texts, ["lds +a +b +c !", "lds +a +b +c", "lds +a +b +c !", "lds +a +b +c !", "lds +a +b +c"]);
    client.upsert([listener("a", "3")]);
    assert_eq!(client.take().unwrap().bodies, ["lds/a@3", "lds/b@1", "lds/c@2"]);
    assert_eq!(client.stream.refused()[0].resource, Some(name("lds/b")));
}

#[test]
fn later_response_repeats_what_is_unanswered_and_blames_the_right_one() {
    let static_cluster = |name: &str, version: &str| resource(&format!("cds/{name}"), version, &[]);
    let mut client = Harness::sotw([static_cluster("a", "bad")]);
    client.ask_sotw(CDS, "", &[]);
    let first = client.take().unwrap();
    client.upsert([static_cluster("b", "1")]);
    let second = client.take().unwrap();
    assert_eq!(second.text(), "cds +a +b");
    client.nack_sotw(&first, &[], "no");
    client.nack_sotw(&second, &[], "no");
    assert_eq!(settle(&mut client, &[]), ["cds +a !", "cds +b"]);
    let refused: Vec<_> = client.stream.refused().into_iter().map(|refused| refused.resource).collect();
    assert_eq!(refused, [Some(name("cds/a"))]);
}

#[test]
fn request_without_resources_is_answered() {
    let mut client = Harness::sotw([]);
    client.ask_sotw(CDS, "", &[]);
    assert_eq!(settle(&mut client, &[]), ["cds"]);
}
