//! Rules of what is made of services, and when, without sources.

mod task;

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use biplane_core::key::Kind;
use biplane_source::{Endpoint, Health, Instance, Listing, Service, ServiceName, SourceError};
use tokio::time::Instant;

use super::shelf::Shelf;
use super::{CatalogSettings, Item, Made};

/// Services of a Nomad, and what was made of them.
struct World {
    shelf: Shelf,
    now: Instant,
    made: BTreeMap<String, serde_json::Value>,
    last: Option<Made>,
}

impl World {
    fn new() -> Self {
        let mut settings = CatalogSettings::default();
        settings.tags.biplane.enabled = true;
        settings.upstreams.insert("nomad".to_owned());
        let now = Instant::now();
        let sources = BTreeMap::from([(Arc::from("nomad"), "nomad")]);
        Self { shelf: Shelf::new(settings, sources, now), now, made: BTreeMap::new(), last: None }
    }

    fn list(&mut self, services: &[(&str, &[&str])]) {
        let service = |(name, tags): &(&str, &[&str])| Service {
            name: ServiceName { namespace: "default".to_owned(), ..ServiceName::new(*name) },
            tags: tags.iter().map(ToString::to_string).collect(),
        };
        let listing = Listing::Complete(services.iter().map(service).collect());
        self.shelf.services(&"nomad".into(), listing, self.now);
        self.take();
    }

    fn tell(&mut self, name: &str, instances: &[(Health, u64, &[&str])]) {
        let instance = |(number, (health, version, tags)): (usize, &(Health, u64, &[&str]))| Instance {
            endpoint: Endpoint {
                id: format!("i{number}"),
                health: *health,
                ..Endpoint::new([127, 0, 0, 1].into(), NonZeroU16::new(8080).expect("not zero"))
            },
            node: "n".to_owned(),
            tags: tags.iter().map(ToString::to_string).collect(),
            canary: false,
            version: *version,
        };
        let listing = Listing::Complete(instances.iter().enumerate().map(instance).collect());
        self.shelf.instances(vec![(item(name), listing)]);
        self.take();
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.shelf.on_time(self.now);
        self.take();
    }

    fn take(&mut self) {
        let Some(made) = self.shelf.take_made(self.now) else { return };
        for object in &made.puts {
            self.made.insert(object.key.to_string(), object.value.clone());
        }
        for key in &made.deletions {
            self.made.remove(&key.to_string());
        }
        self.last = Some(made);
    }

    /// The names of what is made of one kind.
    fn of(&self, kind: Kind) -> Vec<&str> {
        let prefix = format!("{kind} ");
        self.made.keys().filter_map(|key| key.strip_prefix(&prefix)).collect()
    }

    fn hosts(&self) -> Vec<String> {
        let services = self.made.iter().filter(|(key, _)| key.starts_with("VirtualService"));
        let domains =
            services.flat_map(|(_, value)| value["virtualHost"]["domains"].as_array().into_iter().flatten());
        // The host as a client spells it; those with a port or a last dot come with it.
        let plain = |domain: &&str| !domain.ends_with(":*") && !domain.ends_with('.');
        domains.filter_map(|domain| domain.as_str()).filter(plain).map(str::to_owned).collect()
    }
}

fn item(name: &str) -> Item {
    let name = ServiceName { namespace: "default".to_owned(), ..ServiceName::new(name) };
    Item { source: "nomad".into(), name }
}

const TAGS: &[&str] = &["biplane.enable=true", "biplane.hosts=web.example.com"];

#[test]
fn a_tag_on_a_service_becomes_a_virtual_service_and_the_service_an_upstream() {
    let mut world = World::new();
    world.list(&[("web", TAGS), ("db", &["primary"])]);
    assert!(world.last.is_none(), "web's instances are not known yet");
    assert_eq!(world.shelf.take_turns(), BTreeMap::from([(item("web"), true)]));
    world.tell("web", &[(Health::Healthy, 1, TAGS)]);
    assert_eq!(world.hosts(), ["web.example.com"]);
    let upstreams = world.of(Kind::Upstream);
    assert!(upstreams.contains(&"nomad/db") && upstreams.contains(&"nomad/web"), "{upstreams:?}");
    assert_eq!(world.made["Upstream nomad/db"]["nomad"]["serviceName"], "db");
}

#[test]
fn a_service_without_instances_keeps_its_route_and_one_that_is_not_listed_goes_after_a_while() {
    let mut world = World::new();
    world.list(&[("web", TAGS)]);
    world.tell("web", &[(Health::Healthy, 1, TAGS)]);
    world.tell("web", &[]);
    world.list(&[]);
    assert_eq!(world.hosts(), ["web.example.com"]);
    world.wait(Duration::from_secs(9));
    assert_eq!(world.hosts(), ["web.example.com"]);
    world.wait(Duration::from_secs(1));
    assert!(world.made.is_empty(), "{:?}", world.made);
}

#[test]
fn a_service_that_comes_back_in_time_was_never_gone() {
    let mut world = World::new();
    world.list(&[("web", TAGS)]);
    world.tell("web", &[(Health::Healthy, 1, TAGS)]);
    world.list(&[]);
    world.wait(Duration::from_secs(5));
    world.list(&[("web", TAGS)]);
    world.wait(Duration::from_mins(1));
    assert_eq!(world.hosts(), ["web.example.com"]);
}

#[test]
fn a_tag_that_is_taken_off_takes_its_route_at_once() {
    let mut world = World::new();
    world.list(&[("web", TAGS)]);
    world.tell("web", &[(Health::Healthy, 1, TAGS)]);
    world.list(&[("web", &[])]);
    assert!(world.hosts().is_empty());
    assert_eq!(world.of(Kind::Upstream), ["nomad/web"]);
}

#[test]
fn an_instance_that_changes_nothing_of_what_is_made_is_not_told() {
    let mut world = World::new();
    world.list(&[("web", TAGS)]);
    world.tell("web", &[(Health::Healthy, 1, TAGS)]);
    world.last = None;
    world.tell("web", &[(Health::Healthy, 1, TAGS), (Health::Unhealthy, 1, TAGS)]);
    world.list(&[("web", TAGS)]);
    assert!(world.last.is_none(), "{:?}", world.last);
    let wrong: &[&str] = &["biplane.enable=true", "biplane.hosts=web.example.com", "biplane.pth=/"];
    world.tell("web", &[(Health::Healthy, 1, wrong)]);
    assert!(world.last.as_ref().is_some_and(|made| made.findings.iter().count() == 1), "{:?}", world.last);
    assert!(world.last.as_ref().is_some_and(|made| made.puts.is_empty()), "a finding alone is told");
}

#[test]
fn many_services_that_vanish_at_once_are_held_until_somebody_means_it() {
    let mut world = World::new();
    let names: Vec<_> = (0..8).map(|number| format!("s{number}")).collect();
    let services: Vec<_> = names.iter().map(|name| (name.as_str(), &[] as &[&str])).collect();
    world.list(&services);
    world.list(&[]);
    world.wait(Duration::from_secs(10));
    assert_eq!(world.of(Kind::Upstream).len(), 8);
    assert_eq!(world.last.as_ref().map(|made| made.held.clone()), Some(vec![("nomad".into(), 8)]));
    world.shelf.accept("nomad", world.now);
    world.take();
    assert!(world.made.is_empty());
}

#[test]
fn a_source_that_cannot_be_read_changes_nothing_and_is_waited_for_only_so_long() {
    let mut world = World::new();
    let failed = Listing::Failed(SourceError::new("no route to host"));
    world.shelf.services(&"nomad".into(), failed, world.now);
    world.take();
    assert!(world.last.is_none());
    world.wait(Duration::from_secs(5));
    let waits_for = world.last.as_ref().map(|made| made.waits_for.clone());
    assert_eq!(waits_for, Some(["nomad".into()].into()), "what there is goes out, as not settled");
    world.list(&[("web", &[])]);
    assert!(world.last.as_ref().is_some_and(|made| made.waits_for.is_empty()));
    assert_eq!(world.of(Kind::Upstream), ["nomad/web"]);
}

#[test]
fn sources_whose_upstreams_would_have_the_same_names_are_found() {
    let of = |names: &[&str]| CatalogSettings {
        upstreams: names.iter().map(ToString::to_string).collect(),
        ..CatalogSettings::default()
    };
    assert_eq!(of(&["a_b", "a.b", "ab"]).shared_namespace(), None);
    assert_eq!(of(&["a_b", "z", "a-b"]).shared_namespace(), Some((["a-b", "a_b"], "a-b".to_owned())));
}

#[test]
fn people_see_all_services_with_what_is_known_of_their_instances() {
    let mut world = World::new();
    world.list(&[("web", TAGS), ("other", &["plain"])]);
    world
        .tell("web", &[(Health::Healthy, 1, TAGS), (Health::Unhealthy, 1, TAGS), (Health::Unknown, 1, TAGS)]);
    let told = |world: &World| {
        let status = world.shelf.status().into_iter();
        status
            .map(|seen| (seen.name, seen.watched, (seen.healthy, seen.instances), seen.gone))
            .collect::<Vec<_>>()
    };
    let other = ("other".to_owned(), false, (0, 0), false);
    assert_eq!(told(&world), [other.clone(), ("web".to_owned(), true, (2, 3), false)]);
    assert_eq!(world.shelf.status()[1].tags, TAGS);
    world.list(&[("other", &["plain"])]);
    assert_eq!(told(&world), [other.clone(), ("web".to_owned(), true, (2, 3), true)]);
    world.wait(Duration::from_secs(11));
    assert_eq!(told(&world), [other]);
}
