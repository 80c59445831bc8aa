//! When a service is read again, and what is told of it.

use serde_json::json;

use super::*;

/// A service of one job: `registered` and `there` are the ends of allocations' names.
struct World {
    service: Service,
    specs: BTreeMap<SpecKey, Arc<Spec>>,
    start: Instant,
}

fn registration(name: &str, port: u16) -> Registration {
    serde_json::from_value(json!({
        "ID": format!("_nomad-task-{name}-group-group-web-http"), "ServiceName": "web", "JobID": "job",
        "AllocID": name, "Address": "10.0.0.1", "Port": port, "Datacenter": "dc1", "Tags": ["v1"],
    }))
    .expect("a registration")
}

fn allocation(name: &str, desired: &str, client: &str) -> (String, Allocation) {
    let allocation = serde_json::from_value(json!({
        "ID": name, "JobID": "job", "TaskGroup": "group", "DesiredStatus": desired, "ClientStatus": client,
        "NodeName": "node", "TaskStates": { "main": { "State": "running" } }, "ModifyIndex": 7,
    }));
    (name.to_owned(), allocation.expect("an allocation"))
}

impl World {
    fn new(is_checked: bool) -> Self {
        let spec = Spec {
            region: "eu".into(),
            revision: 70,
            grace: Duration::from_secs(5),
            ..Spec::with(&[("web", is_checked)], &["main"])
        };
        let key = ("job".to_owned(), "group".to_owned(), 0);
        Self {
            service: Service::default(),
            specs: BTreeMap::from([(key, Arc::new(spec))]),
            start: Instant::now(),
        }
    }

    /// What is told, as id and health.
    fn read(
        &mut self,
        seconds: u64,
        registered: &[(&str, u16)],
        there: &[(&str, &str, &str)],
    ) -> Vec<(String, Health)> {
        let reading = Reading {
            registrations: registered.iter().map(|(name, port)| registration(name, *port)).collect(),
            allocations: there
                .iter()
                .map(|(name, desired, client)| allocation(name, desired, client))
                .collect(),
            addresses: BTreeMap::from([("10.0.0.1".to_owned(), "10.0.0.1".parse().expect("an address"))]),
            specs: self.specs.clone(),
            ..Reading::default()
        };
        self.service.take(reading, self.at(seconds));
        self.told(seconds)
    }

    fn check(&mut self, seconds: u64, name: &str, status: &str) -> Vec<(String, Health)> {
        let result = json!({ "Status": status, "Service": "web", "Timestamp": 1 });
        let result = serde_json::from_value(result).expect("a result");
        self.service.take_checks(BTreeMap::from([(name.to_owned(), Some(vec![result]))]), self.at(seconds));
        self.told(seconds)
    }

    fn at(&self, seconds: u64) -> Instant {
        self.start + Duration::from_secs(seconds)
    }

    fn told(&mut self, seconds: u64) -> Vec<(String, Health)> {
        let placed = self.service.instances(self.at(seconds));
        placed.into_iter().map(|placed| (placed.id, placed.health)).collect()
    }
}

fn told(pairs: &[(&str, Health)]) -> Vec<(String, Health)> {
    pairs.iter().map(|(name, health)| (format!("{name}:http"), *health)).collect()
}

#[test]
fn an_instance_carries_what_its_job_and_its_node_say() {
    let mut world = World::new(false);
    world.read(0, &[("a", 1)], &[("a", "run", "running")]);
    let placed = &world.service.instances(world.start)[0];
    assert_eq!(placed.locality, Locality { region: "eu".into(), zone: "dc1".into() });
    assert_eq!(
        (placed.version, placed.node.as_str(), placed.tags.as_slice()),
        (70, "node", &["v1".to_owned()][..])
    );
}

#[test]
fn what_has_left_the_catalog_and_still_runs_drains_until_it_has_had_its_time() {
    let mut world = World::new(false);
    world.read(0, &[("a", 1), ("b", 2)], &[("a", "run", "running"), ("b", "run", "running")]);
    let left = [("a", "run", "running"), ("b", "stop", "running")];
    let both = told(&[("a", Health::Healthy), ("b", Health::Draining)]);
    assert_eq!(world.read(1, &[("a", 1)], &left), both);
    let departure = world.service.next_departure().expect("it leaves");
    assert_eq!(departure - world.start, Duration::from_secs(1 + 5) + LENIENCE);
    assert_eq!(world.read(10, &[("a", 1)], &left), both);
    assert_eq!(world.read(17, &[("a", 1)], &left), told(&[("a", Health::Healthy)]), "it is stuck");
    assert_eq!(world.service.next_departure(), None);
}

#[test]
fn what_has_stopped_is_gone_at_once_and_so_is_what_gave_up_its_port() {
    let mut world = World::new(false);
    let three = [("a", 1), ("b", 2), ("c", 3)];
    world.read(0, &three, &three.map(|(name, _)| (name, "run", "running")));
    let after = [
        ("a", "run", "running"),
        ("b", "stop", "complete"),
        ("c", "stop", "running"),
        ("d", "run", "running"),
    ];
    let now = world.read(1, &[("a", 1), ("d", 3)], &after);
    assert_eq!(now, told(&[("a", Health::Healthy), ("d", Health::Healthy)]));
}

#[test]
fn the_last_one_serves_until_another_one_can() {
    let mut world = World::new(true);
    world.read(0, &[("a", 1)], &[("a", "run", "running")]);
    assert_eq!(world.check(0, "a", "success"), told(&[("a", Health::Healthy)]));
    let stopping = [("a", "stop", "running"), ("b", "run", "running")];
    let now = world.read(1, &[("b", 2)], &stopping);
    assert_eq!(now, told(&[("a", Health::Healthy), ("b", Health::Unhealthy)]));
    assert_eq!(world.check(2, "b", "success"), told(&[("a", Health::Draining), ("b", Health::Healthy)]));
}

#[test]
fn one_that_was_sick_is_not_spared() {
    let mut world = World::new(true);
    world.read(0, &[("a", 1)], &[("a", "run", "running")]);
    world.check(0, "a", "failure");
    assert_eq!(world.read(1, &[], &[("a", "stop", "running")]), told(&[("a", Health::Draining)]));
}

#[test]
fn checks_are_looked_at_often_until_they_pass_and_seldom_then() {
    let seconds = Duration::from_secs;
    let pace = CheckPace { passing: seconds(10), eager: seconds(1), failing: seconds(3) };
    let none = BTreeSet::new();
    let mut world = World::new(true);
    world.read(0, &[("a0", 1)], &[("a0", "run", "running")]);
    let next = |world: &World, now: u64| {
        world.service.next_check(pace, &none, world.at(now)).map(|due| due - world.start)
    };
    assert_eq!(next(&world, 0), Some(Duration::ZERO), "they were not looked at");
    world.check(1, "a0", "pending");
    assert_eq!(next(&world, 1), Some(seconds(2)));
    world.check(50, "a0", "pending");
    assert_eq!(next(&world, 50), Some(seconds(53)), "it takes long");
    assert_eq!(world.service.count_checked(), (0, 1));
    world.check(60, "a0", "success");
    let due = next(&world, 60).expect("again");
    assert!((seconds(69)..=seconds(71)).contains(&due), "{due:?}");
    assert_eq!(world.service.due_checks(pace, &none, world.at(72)), ["a0"]);
    assert!(world.service.due_checks(pace, &BTreeSet::from(["a0".to_owned()]), world.at(72)).is_empty());
    assert_eq!(world.service.known(&world.specs).settled, BTreeMap::from([("a0".to_owned(), 7)]));
    world.read(61, &[("a0", 1)], &[("a0", "stop", "running")]);
    assert_eq!(next(&world, 61), None, "nobody is checked any more");
    let mut unchecked = World::new(false);
    unchecked.read(0, &[("a0", 1)], &[("a0", "run", "running")]);
    assert_eq!(next(&unchecked, 0), None);
}
