//! Rules of what is asked, known and served, without sources and without a graph.

use biplane_core::decode::decode;
use biplane_core::document::{IdentifyHint, identify};
use biplane_core::location::Location;
use biplane_core::report::Severity;
use biplane_source::SourceError;
use std::num::NonZeroU16;
use std::time::Duration;

use super::*;

/// The time of day.
const WALL: Timestamp = Timestamp(1_800_000_000);

/// Endpoints from a Consul, and what the graph was told of them.
struct World {
    discovery: Discovery,
    served: BTreeMap<ResourceRef, Arc<[Endpoint]>>,
    now: Instant,
}

impl World {
    fn new() -> Self {
        Self::with(Vec::new())
    }

    fn with(left: Vec<KeptEndpoints>) -> Self {
        let consul = DiscoverySource { name: "consul".into(), kind: "consul", required: false };
        let discovery = Discovery::new(vec![consul], left);
        Self { discovery, served: BTreeMap::new(), now: Instant::now() }
    }

    /// What the next run finds.
    fn left(&self) -> Vec<KeptEndpoints> {
        self.discovery.kept().values().cloned().collect()
    }

    fn take(&mut self, edits: Vec<Edit>) {
        for edit in edits {
            let Edit::Endpoints(key, endpoints) = edit else { panic!("{edit:?}") };
            self.served.insert(key.reference(), endpoints);
        }
    }

    /// An upstream is put that something names.
    fn put(&mut self, upstream: &str, spec: &str) {
        let edits = self.discovery.follow(&[edit(upstream, spec)], |_| None, |_| true);
        self.take(edits);
        self.discovery.forget_idle(WALL);
    }

    fn tell(&mut self, service: &str, ports: &[u16]) {
        self.hear(service, Listing::Complete(ports.iter().map(|port| endpoint(*port)).collect()));
    }

    fn hear(&mut self, service: &str, listing: Listing<Vec<Endpoint>>) {
        let mut wanted = self.discovery.wanted().keys();
        let question = wanted.find(|question| question.request.query.to_string() == service);
        let question = question.unwrap_or_else(|| panic!("{service} is not wanted")).clone();
        let edits = self.discovery.told(vec![Told { question, listing }], self.now);
        self.take(edits);
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        let edits = self.discovery.on_time(self.now);
        self.take(edits);
    }

    fn ports(&self, upstream: &str) -> Option<Vec<u16>> {
        let served = self.served.get(&ResourceRef::new("default", upstream))?;
        Some(served.iter().map(|endpoint| endpoint.port.get()).collect())
    }
}

fn endpoint(port: u16) -> Endpoint {
    Endpoint::new([127, 0, 0, 1].into(), NonZeroU16::new(port).expect("tests name real ports"))
}

fn edit(upstream: &str, spec: &str) -> Edit {
    let text = format!("kind: Upstream\nmetadata: {{name: {upstream}, namespace: default}}\nspec: {spec}\n");
    let key = identify(&text, &IdentifyHint::default()).expect("it says what it is");
    let decoded = decode(&text, &key, &Location::file("a.yaml", 1));
    Edit::Put(Box::new(decoded.object.unwrap_or_else(|| panic!("{:?}", decoded.reports))), None)
}

#[test]
fn upstreams_that_ask_the_same_share_one_question_and_one_answer() {
    let mut world = World::new();
    world.put("a", "{consul: {serviceName: web}}");
    world.put("b", "{consul: {serviceName: web}, useHttp2: true}");
    assert_eq!(world.discovery.wanted().len(), 1);
    world.tell("web", &[1, 2]);
    assert_eq!((world.ports("a"), world.ports("b")), (Some(vec![1, 2]), Some(vec![1, 2])));
}

#[test]
fn what_nothing_names_is_not_asked_for_and_what_was_known_stays_when_it_is_named_again() {
    let mut world = World::new();
    let name = ResourceRef::new("default", "a");
    let edits = world.discovery.follow(&[edit("a", "{consul: {serviceName: web}}")], |_| None, |_| false);
    world.take(edits);
    assert!(world.discovery.wanted().is_empty());
    assert!(world.discovery.named(&name, true).is_none(), "nothing is known yet");
    world.tell("web", &[1]);
    world.discovery.named(&name, false);
    world.discovery.forget_idle(WALL);
    assert!(world.discovery.wanted().is_empty());
    let asker = world.discovery.askers().next().map(|(_, asker, _)| asker.served.as_ref().map(|s| s.len()));
    assert_eq!(asker, Some(Some(1)));
}

#[test]
fn an_edit_that_asks_the_same_touches_no_endpoint_and_one_that_asks_otherwise_keeps_them_until_the_answer() {
    let mut world = World::new();
    world.put("a", "{consul: {serviceName: web}}");
    world.tell("web", &[1]);
    world.put("a", "{consul: {serviceName: web}, useHttp2: true}");
    assert_eq!(world.ports("a"), Some(vec![1]));
    world.put("a", "{consul: {serviceName: web-2}}");
    assert_eq!(world.ports("a"), Some(vec![1]), "the new question has no answer yet");
    world.tell("web-2", &[2]);
    assert_eq!(world.ports("a"), Some(vec![2]));
    assert_eq!(world.discovery.wanted().len(), 1);
}

#[test]
fn a_failure_changes_nothing_and_is_said_about_the_upstream() {
    let mut world = World::new();
    world.put("a", "{consul: {serviceName: web}}");
    world.tell("web", &[1]);
    world.hear("web", Listing::Failed(SourceError::denied("no read on web").hint("grant it")));
    assert_eq!(world.ports("a"), Some(vec![1]));
    let reports = world.discovery.reports();
    assert_eq!(reports.len(), 1, "{reports:?}");
    assert_eq!((reports[0].severity, reports[0].path.to_string()), (Severity::Error, "consul".to_owned()));
    world.tell("web", &[1]);
    assert!(world.discovery.reports().is_empty());
}

#[test]
fn a_source_that_nobody_has_set_up_is_said_with_the_setting() {
    let mut world = World::new();
    world.put("a", "{nomad: {serviceName: web}}");
    let report = world.discovery.reports().remove(0);
    assert!(report.message.contains("no discovery source of kind nomad"), "{report}");
    world.put("a", "{consul: {serviceName: web, source: elsewhere}}");
    let report = world.discovery.reports().remove(0);
    assert!(report.path.to_string() == "consul.source" && report.to_string().contains("consul"), "{report}");
}

#[test]
fn one_service_that_vanishes_is_gone_after_a_moment() {
    let mut world = World::new();
    world.put("a", "{consul: {serviceName: web}}");
    world.tell("web", &[1]);
    world.tell("web", &[]);
    assert_eq!(world.ports("a"), Some(vec![1]));
    world.wait(Duration::from_secs(1));
    assert_eq!(world.ports("a"), Some(vec![]));
}

#[test]
fn many_services_that_vanish_at_once_are_held_until_they_are_back_or_somebody_means_it() {
    let mut world = World::new();
    let services: Vec<_> = (0..8).map(|number| format!("s{number}")).collect();
    for service in &services {
        world.put(service, &format!("{{consul: {{serviceName: {service}}}}}"));
        world.tell(service, &[1]);
    }
    for service in &services {
        world.tell(service, &[]);
    }
    world.wait(Duration::from_secs(1));
    assert!(services.iter().all(|service| world.ports(service) == Some(vec![1])));
    assert_eq!(world.discovery.held(), BTreeMap::from([("consul".into(), 8)]));
    world.tell("s0", &[2]);
    assert_eq!(world.ports("s0"), Some(vec![2]));
    let edits = world.discovery.accept("consul", world.now);
    world.take(edits);
    assert_eq!((world.ports("s0"), world.ports("s1")), (Some(vec![2]), Some(vec![])));
    assert!(world.discovery.held().is_empty());
}

#[test]
fn what_a_source_lets_go_upon_somebodys_word_is_not_held_again() {
    let mut world = World::new();
    let services: Vec<_> = (0..8).map(|number| format!("s{number}")).collect();
    for service in &services {
        world.put(service, &format!("{{consul: {{serviceName: {service}}}}}"));
        world.tell(service, &[1]);
        world.hear(
            service,
            Listing::Failed(SourceError { cause: Cause::Suspect, ..SourceError::new("anew") }),
        );
    }
    assert_eq!(world.discovery.doubted("consul"), 8);
    let edits = world.discovery.accept("consul", world.now);
    world.take(edits);
    for service in &services {
        world.tell(service, &[]);
    }
    world.wait(Duration::from_secs(1));
    assert!(services.iter().all(|service| world.ports(service) == Some(vec![])));
    assert!(world.discovery.held().is_empty());
}

#[test]
fn services_that_vanish_one_by_one_are_held_once_they_are_many() {
    let mut world = World::new();
    let services: Vec<_> = (0..10).map(|number| format!("s{number}")).collect();
    for service in &services {
        world.put(service, &format!("{{consul: {{serviceName: {service}}}}}"));
        world.tell(service, &[1]);
    }
    for service in &services {
        world.tell(service, &[]);
        world.wait(Duration::from_secs(1));
    }
    let gone = services.iter().filter(|service| world.ports(service) == Some(vec![])).count();
    assert_eq!(gone, 4, "fewer than five are nothing unusual");
}

#[test]
fn a_service_whose_instances_all_fail_their_checks_has_not_vanished() {
    let mut world = World::new();
    world.put("a", "{consul: {serviceName: web}}");
    world.tell("web", &[1]);
    let sick = Endpoint { health: biplane_source::Health::Unhealthy, ..endpoint(1) };
    world.hear("web", Listing::Complete(vec![sick.clone()]));
    assert_eq!(world.served[&ResourceRef::new("default", "a")].to_vec(), [sick]);
}

#[test]
fn what_the_last_run_knew_is_served_until_the_source_answers() {
    let mut world = World::new();
    world.put("a", "{consul: {serviceName: web}}");
    world.tell("web", &[1]);
    let mut next = World::with(world.left());
    next.put("a", "{consul: {serviceName: web}}");
    assert_eq!(next.ports("a"), Some(vec![1]));
    assert!(next.discovery.awaited().is_empty());
    next.tell("web", &[2]);
    assert_eq!(next.ports("a"), Some(vec![2]));
}

#[test]
fn first_answers_wait_for_a_source_of_which_nothing_is_known() {
    let mut world = World::new();
    world.put("a", "{consul: {serviceName: web}}");
    assert_eq!(world.discovery.awaited().len(), 1);
    world.hear("web", Listing::Failed(SourceError::new("no route to host")));
    assert!(world.discovery.awaited().is_empty());
}

#[test]
fn an_answer_that_was_doubted_before_its_moment_had_passed_takes_nothing_away() {
    let mut world = World::new();
    world.put("a", "{consul: {serviceName: web}}");
    world.tell("web", &[1]);
    world.tell("web", &[]);
    world.hear("web", Listing::Failed(SourceError::new("no leader")));
    world.wait(Duration::from_mins(1));
    assert_eq!(world.ports("a"), Some(vec![1]));
    assert_eq!(world.discovery.reports().len(), 1, "it still cannot be read");
    world.tell("web", &[]);
    world.wait(Duration::from_secs(1));
    assert_eq!(world.ports("a"), Some(vec![]));
}

#[test]
fn a_source_of_few_services_that_shows_none_of_them_is_not_believed() {
    let mut world = World::new();
    for service in ["s0", "s1", "s2"] {
        world.put(service, &format!("{{consul: {{serviceName: {service}}}}}"));
        world.tell(service, &[1]);
    }
    for service in ["s0", "s1", "s2"] {
        world.tell(service, &[]);
    }
    world.wait(Duration::from_secs(1));
    assert_eq!(world.ports("s0"), Some(vec![1]));
    assert_eq!(world.discovery.held(), BTreeMap::from([("consul".into(), 3)]));
}

#[test]
fn what_is_wanted_anew_is_asked_anew_though_nobody_looked_in_between() {
    let mut world = World::new();
    let name = ResourceRef::new("default", "a");
    world.put("a", "{consul: {serviceName: web}}");
    let before = world.discovery.wanted().clone();
    world.discovery.named(&name, false);
    world.discovery.forget_idle(WALL);
    world.discovery.named(&name, true);
    let after = world.discovery.wanted().clone();
    assert_eq!(before.diff(&after).count(), 1, "the watch begins again and tells what there is");
}

#[test]
fn what_nothing_named_for_a_while_and_what_is_asked_with_new_credentials_is_guarded_like_before() {
    let mut world = World::new();
    let name = ResourceRef::new("default", "a");
    world.put("a", "{consul: {serviceName: web}}");
    world.tell("web", &[1]);
    world.discovery.named(&name, false);
    world.discovery.forget_idle(WALL);
    world.discovery.named(&name, true);
    world.tell("web", &[]);
    assert_eq!(world.ports("a"), Some(vec![1]), "others may vanish with it");
}

#[test]
fn endpoints_of_the_question_before_are_not_kept_as_the_answer_to_the_new_one() {
    let mut world = World::new();
    world.put("a", "{consul: {serviceName: web}}");
    world.tell("web", &[1]);
    world.put("a", "{consul: {serviceName: other}}");
    let mut next = World::with(world.left());
    next.put("b", "{consul: {serviceName: other}}");
    assert_eq!(next.ports("b"), None);
}

#[test]
fn what_the_last_run_left_of_questions_that_nobody_asks_is_dropped() {
    let mut world = World::new();
    world.put("a", "{consul: {serviceName: web}}");
    world.put("b", "{consul: {serviceName: other}}");
    world.tell("web", &[1]);
    world.tell("other", &[1]);
    let mut next = World::with(world.left());
    next.put("a", "{consul: {serviceName: web}}");
    assert_eq!(next.discovery.kept().len(), 2);
    next.discovery.drop_strays(WALL);
    assert_eq!(next.discovery.kept().len(), 1);
}

#[test]
fn what_versions_before_have_kept_is_served_and_kept_under_the_new_spelling() {
    let mut world = World::new();
    world.put("a", "{consul: {serviceName: web}}");
    world.tell("web", &[1]);
    world.put("b", "{consul: {serviceName: spare}}");
    world.tell("spare", &[2]);
    let mut old = world.left();
    let texts: Vec<_> = old.iter().map(|kept| kept.question.to_string()).collect();
    assert_eq!(
        texts,
        [r#"consul {"consul":{"serviceName":"spare"}}"#, r#"consul {"consul":{"serviceName":"web"}}"#]
    );
    for (kept, service) in old.iter_mut().zip(["spare", "web"]) {
        kept.question = format!("consul Consul(ConsulUpstream {{ service_name: Some({service:?}), service_tags: [], subset_tags: [], instance_tags: [], instance_blacklist_tags: [], connect_enabled: None, connect_service: None, data_centers: [], consistency_mode: None, query_options: None, namespace: None, partition: None, prepared_query: None, tagged_address: None, port: None, warning_is_healthy: None, source: None }})").into();
    }
    let mut next = World::with(old);
    next.put("a", "{consul: {serviceName: web}}");
    assert_eq!(next.ports("a"), Some(vec![1]));
    let edits = next.discovery.follow(&[edit("b", "{consul: {serviceName: spare}}")], |_| None, |_| false);
    next.take(edits);
    next.discovery.drop_strays(WALL);
    let texts: Vec<_> = next.left().iter().map(|kept| kept.question.to_string()).collect();
    assert_eq!(
        texts,
        [r#"consul {"consul":{"serviceName":"spare"}}"#, r#"consul {"consul":{"serviceName":"web"}}"#]
    );
}

#[test]
fn what_nothing_names_is_kept_for_three_days_over_all_restarts() {
    const DAY: i64 = 24 * 60 * 60;
    let stale = |world: &World, days: i64| {
        let later = Timestamp(WALL.0 + days * DAY);
        world.left().iter().map(|kept| kept.is_stale(later)).collect::<Vec<_>>()
    };
    let name = ResourceRef::new("default", "a");
    let mut world = World::new();
    world.put("a", "{consul: {serviceName: web}}");
    world.tell("web", &[1]);
    assert_eq!(stale(&world, 99), [false], "something names it");
    world.discovery.named(&name, false);
    world.discovery.forget_idle(WALL);
    assert_eq!((stale(&world, 2), stale(&world, 3)), (vec![false], vec![true]));

    let mut next = World::with(world.left());
    let edits = next.discovery.follow(&[edit("a", "{consul: {serviceName: web}}")], |_| None, |_| false);
    next.take(edits);
    next.discovery.drop_strays(Timestamp(WALL.0 + 2 * DAY));
    assert_eq!(
        (stale(&next, 2), stale(&next, 3)),
        (vec![false], vec![true]),
        "a restart is no new beginning"
    );
    let edit = next.discovery.named(&name, true);
    next.take(edit.into_iter().collect());
    assert_eq!(next.ports("a"), Some(vec![1]));
    assert_eq!(stale(&next, 99), [false], "something names it again");
}

#[test]
fn what_was_named_when_the_last_run_ended_and_is_not_any_more_is_kept_from_then_on() {
    let mut world = World::new();
    world.put("a", "{consul: {serviceName: web}}");
    world.tell("web", &[1]);
    let mut next = World::with(world.left());
    let edits = next.discovery.follow(&[edit("a", "{consul: {serviceName: web}}")], |_| None, |_| false);
    next.take(edits);
    next.discovery.drop_strays(WALL);
    assert_eq!(next.left()[0].unnamed, Some(WALL));
}

#[test]
fn endpoints_are_kept_as_long_as_an_upstream_has_been_given_them() {
    let mut world = World::new();
    for upstream in ["a", "b"] {
        world.put(upstream, "{consul: {serviceName: web}}");
    }
    world.tell("web", &[1]);
    world.put("a", "{consul: {serviceName: other}}");
    assert_eq!(world.left().len(), 1, "nothing is known of the other yet");
    world.tell("other", &[2]);
    assert_eq!(world.left().len(), 2);
    world.put("b", "{consul: {serviceName: other}}");
    assert_eq!(world.left().len(), 1);
    let before = world.discovery.edition();
    world.put("b", "{static: {hosts: [{addr: 127.0.0.1, port: 1}]}}");
    world.put("a", "{static: {hosts: [{addr: 127.0.0.1, port: 1}]}}");
    assert!(world.left().is_empty());
    assert!(world.discovery.edition() > before);
}
