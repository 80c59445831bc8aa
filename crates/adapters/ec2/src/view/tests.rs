//! What an upstream sees of machines.

use std::net::Ipv4Addr;

use biplane_core::resources::upstream::discovery::TagPair;

use super::*;

fn machine(last: u8, tags: &[(&str, &str)]) -> Machine {
    Machine {
        state: State::Running,
        private: Some(Ipv4Addr::new(10, 0, 0, last)),
        public: (last != 2).then(|| Ipv4Addr::new(54, 0, 0, last)),
        ipv6: Some(format!("fd00::{last}").parse().expect("an address")),
        zone: "eu-west-1a".to_owned(),
        tags: tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
    }
}

/// Machines that pass their checks: `i-1`, `i-2`, ...
fn snapshot(tags: &[&[(&str, &str)]]) -> Snapshot {
    let mut snapshot = Snapshot { region: "eu-west-1".to_owned(), ..Snapshot::default() };
    for (last, tags) in (1..).zip(tags) {
        let id = format!("i-{last}");
        snapshot.machines.insert(id.clone(), machine(last, tags));
        snapshot.passes.insert(id, true);
    }
    snapshot
}

fn upstream(change: impl FnOnce(&mut AwsEc2Upstream)) -> AwsEc2Upstream {
    let mut upstream = AwsEc2Upstream::default();
    change(&mut upstream);
    upstream
}

fn places(snapshot: &Snapshot, upstream: &AwsEc2Upstream) -> Vec<String> {
    endpoints(snapshot, upstream).iter().map(|endpoint| endpoint.place().to_string()).collect()
}

fn healths(snapshot: &Snapshot, upstream: &AwsEc2Upstream) -> Vec<(String, Health)> {
    endpoints(snapshot, upstream).into_iter().map(|endpoint| (endpoint.id, endpoint.health)).collect()
}

fn pair(key: &str, value: &str) -> TagFilter {
    TagFilter { key: None, kv_pair: Some(TagPair { key: key.to_owned(), value: value.to_owned() }) }
}

#[test]
fn machines_are_chosen_by_all_tags_as_they_are_written() {
    let snapshot = snapshot(&[&[("App", "web"), ("team", "a")], &[("app", "web")], &[("App", "Web")]]);
    let filtered = |filters: Vec<TagFilter>| places(&snapshot, &upstream(|it| it.filters = filters));
    assert_eq!(filtered(vec![pair("App", "web")]), ["10.0.0.1:80"]);
    assert_eq!(filtered(vec![TagFilter { key: Some("App".to_owned()), kv_pair: None }]).len(), 2);
    assert_eq!(filtered(vec![pair("App", "web"), pair("team", "b")]), [""; 0]);
    assert_eq!(filtered(Vec::new()).len(), 3, "without filters every machine counts");
}

#[test]
fn the_address_is_the_one_that_is_wanted_and_who_has_none_is_left_out() {
    let snapshot = snapshot(&[&[], &[]]);
    assert_eq!(places(&snapshot, &upstream(|it| it.public_ip = Some(true))), ["54.0.0.1:80"]);
    assert_eq!(places(&snapshot, &upstream(|it| it.ipv6 = Some(true))), ["[fd00::1]:80", "[fd00::2]:80"]);
}

#[test]
fn port_weight_and_subsets_come_from_tags_where_a_machine_carries_them() {
    let snapshot =
        snapshot(&[&[("port", "8081"), ("weight", "5"), ("stage", "canary")], &[], &[("port", "http")]]);
    let upstream = upstream(|it| {
        it.port = Some(8080);
        it.port_tag = Some("port".to_owned());
        it.weight_tag = Some("weight".to_owned());
        it.subset_tags = vec!["stage".to_owned()];
    });
    let told = endpoints(&snapshot, &upstream);
    let told: Vec<_> =
        told.iter().map(|at| (at.place().to_string(), at.weight.get(), at.metadata.len())).collect();
    assert_eq!(told, [("10.0.0.1:8081".to_owned(), 5, 1), ("10.0.0.2:8080".to_owned(), 1, 0)]);
}

#[test]
fn who_has_no_share_finishes_what_it_has() {
    let snapshot = snapshot(&[&[("weight", "0")]]);
    let upstream = upstream(|it| it.weight_tag = Some("weight".to_owned()));
    assert_eq!(healths(&snapshot, &upstream), [("i-1".to_owned(), Health::Draining)]);
}

#[test]
fn only_a_machine_that_runs_and_passes_its_checks_is_healthy() {
    let mut snapshot = snapshot(&[&[], &[], &[], &[]]);
    snapshot.passes.insert("i-2".to_owned(), false);
    snapshot.passes.remove("i-3");
    snapshot.machines.get_mut("i-4").expect("four machines").state = State::Starting;
    let healths_by = |status| {
        let healths = healths(&snapshot, &upstream(|it| it.instance_status = status));
        healths.into_iter().map(|(_, health)| health).collect::<Vec<_>>()
    };
    let unhealthy = Health::Unhealthy;
    assert_eq!(healths_by(None), [Health::Healthy, unhealthy, unhealthy, unhealthy]);
    assert_eq!(healths_by(Some(false)), [Health::Unknown, Health::Unknown, Health::Unknown, unhealthy]);
}

#[test]
fn of_a_group_those_in_service_count_and_those_that_leave_drain() {
    let mut snapshot = snapshot(&[&[], &[], &[], &[], &[]]);
    for (id, group, phase, is_healthy) in [
        ("i-1", "web", Phase::InService, true),
        ("i-2", "web", Phase::Leaving, true),
        ("i-3", "web", Phase::Aside, true),
        ("i-4", "api", Phase::InService, true),
        ("i-5", "web", Phase::InService, false),
    ] {
        snapshot.members.insert(id.to_owned(), Member { group: group.to_owned(), phase, is_healthy });
    }
    let upstream = upstream(|it| it.auto_scaling_groups = vec!["web".to_owned()]);
    let expected = [("i-1", Health::Healthy), ("i-2", Health::Draining), ("i-5", Health::Unhealthy)];
    assert_eq!(healths(&snapshot, &upstream), expected.map(|(id, health)| (id.to_owned(), health)));
}

#[test]
fn an_endpoint_says_where_it_is() {
    let told = endpoints(&snapshot(&[&[]]), &AwsEc2Upstream::default());
    let expected = Locality { region: "eu-west-1".to_owned(), zone: "eu-west-1a".to_owned() };
    assert_eq!(told[0].locality, expected);
}
