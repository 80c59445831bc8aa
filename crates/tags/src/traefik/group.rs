//! Instances whose tags are joined: the stable ones of a service, and each kind of its canaries.
//!
//! Instances come in order of precedence. The first that defines a name counts; what others say differently is told.
//! So a rolling deployment never takes a route away: where Traefik drops what instances disagree on, the newest
//! healthy version decides here.

use std::collections::{BTreeMap, BTreeSet};

use super::dynamic::Configuration;
use super::instance::{self, Defined, Place, Problem, Rules};
use super::names;
use crate::finding::{Finding, Severity};
use crate::reader::{Deployment, Lineup};
use crate::router::Pick;
use crate::service::{Instance, ServiceId};

/// Instances that are read together.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Group {
    /// What they define. Servers of services are those of all instances.
    pub(crate) configuration: Configuration,
    /// Where the instances of each service are.
    pub(crate) places: BTreeMap<String, Vec<Placed>>,
    /// The instance that defines each router.
    pub(crate) router_of: BTreeMap<String, String>,
}

/// Instances at like places.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Placed {
    pub(crate) place: Place,
    /// Which they are.
    pub(crate) pick: Pick,
    /// How many.
    pub(crate) count: u32,
}

/// One instance with what it defines.
struct Member<'a> {
    instance: &'a Instance,
    defined: Defined,
}

/// Reads the tags of a service.
pub(crate) fn read(lineup: &Lineup, rules: &Rules) -> (Vec<Group>, Vec<Finding>) {
    let mut findings = Findings { service: &lineup.id, seen: BTreeSet::new(), told: Vec::new() };
    let mut groups = of_deployment(&lineup.stable, rules, &mut findings);
    if let Some(canary) = &lineup.canary {
        groups.extend(of_deployment(canary, rules, &mut findings));
    }
    (groups, findings.told)
}

fn of_deployment(deployment: &Deployment, rules: &Rules, findings: &mut Findings<'_>) -> Vec<Group> {
    let mut kinds: BTreeMap<Option<String>, Vec<Member<'_>>> = BTreeMap::new();
    for instance in &deployment.instances {
        let mut problems = Vec::new();
        let (name, source) = (&findings.service.name, findings.service.source);
        let defined = instance::read(instance, name, source, rules, &mut problems);
        for problem in problems {
            findings.tell(instance, problem);
        }
        let Some(defined) = defined else { continue };
        // Canaries by tag are one kind for each set of tags, as Traefik names them.
        let kind = defined.canary.then(|| names::of_service(name, Some(&instance.tags)));
        kinds.entry(kind).or_default().push(Member { instance, defined });
    }
    kinds.into_values().map(|members| joined(&members, deployment, findings)).collect()
}

fn joined(members: &[Member<'_>], deployment: &Deployment, findings: &mut Findings<'_>) -> Group {
    let mut group = Group::default();
    for member in members {
        let configuration = &member.defined.configuration;
        for (name, router) in &configuration.routers {
            let kept = group.configuration.routers.entry(name.clone()).or_insert_with(|| router.clone());
            group.router_of.entry(name.clone()).or_insert_with(|| member.instance.id.clone());
            findings.differs(member.instance, kept == router, "router", name);
        }
        for (name, middleware) in &configuration.middlewares {
            let kept =
                group.configuration.middlewares.entry(name.clone()).or_insert_with(|| middleware.clone());
            findings.differs(member.instance, kept == middleware, "middleware", name);
        }
        for (name, service) in &configuration.services {
            let kept = group.configuration.services.entry(name.clone()).or_insert_with(|| service.clone());
            findings.differs(member.instance, kept.agrees_with(service), "service", name);
            let servers = service.load_balancer.iter().flat_map(|balancer| &balancer.servers);
            if let Some(balancer) = &mut kept.load_balancer {
                for server in servers {
                    if balancer.servers.iter().all(|known| known.url != server.url) {
                        balancer.servers.push(server.clone());
                    }
                }
            }
        }
    }
    for name in group.configuration.services.keys() {
        group.places.insert(name.clone(), places(name, members, deployment));
    }
    group
}

/// Where the instances that define a service are, those of like places together.
fn places(service: &str, members: &[Member<'_>], deployment: &Deployment) -> Vec<Placed> {
    let mut instances: BTreeMap<&Place, Vec<&Instance>> = BTreeMap::new();
    for member in members {
        if let Some(place) = member.defined.places.get(service) {
            instances.entry(place).or_default().push(member.instance);
        }
    }
    let placed = |(place, chosen): (&Place, Vec<&Instance>)| Placed {
        place: place.clone(),
        pick: pick(&deployment.pick, &chosen, &deployment.instances),
        count: u32::try_from(chosen.len()).unwrap_or(u32::MAX),
    };
    instances.into_iter().map(placed).collect()
}

/// How to name the `chosen` among `all` instances: by tags that they share and others lack, and by tags that only
/// others have. Instances with the same tags define the same, so that there are such tags.
fn pick(base: &Pick, chosen: &[&Instance], all: &[Instance]) -> Pick {
    let mut pick = base.clone();
    let is_chosen = |one: &&Instance| chosen.iter().any(|chosen| std::ptr::eq(*chosen, *one));
    for other in all.iter().filter(|one| !is_chosen(one)) {
        let excluded = pick.with_tags.iter().any(|tag| !other.tags.contains(tag))
            || pick.without_tags.iter().any(|tag| other.tags.contains(tag));
        if excluded {
            continue;
        }
        let shared =
            |tag: &&String| chosen.iter().all(|one| one.tags.contains(tag)) && !other.tags.contains(tag);
        let foreign = |tag: &&String| chosen.iter().all(|one| !one.tags.contains(tag));
        if let Some(tag) = chosen.first().and_then(|one| one.tags.iter().find(shared)) {
            pick.with_tags.push(tag.clone());
        } else if let Some(tag) = other.tags.iter().find(foreign) {
            pick.without_tags.push(tag.clone());
        }
    }
    pick.with_tags.sort();
    pick.without_tags.sort();
    pick
}

/// What is told, once for all instances that have the same to tell.
struct Findings<'a> {
    service: &'a ServiceId,
    seen: BTreeSet<(Option<String>, String)>,
    told: Vec<Finding>,
}

impl Findings<'_> {
    fn tell(&mut self, instance: &Instance, problem: Problem) {
        if !self.seen.insert((problem.tag.clone(), problem.message.clone())) {
            return;
        }
        let finding = match problem.severity {
            Severity::Error => Finding::error(self.service, problem.message),
            Severity::Warning => Finding::warning(self.service, problem.message),
        };
        let finding = finding.instance(&instance.id);
        let finding = problem.tag.map_or_else(|| finding.clone(), |tag| finding.clone().tag(tag));
        self.told.push(problem.hint.map_or_else(|| finding.clone(), |hint| finding.clone().hint(hint)));
    }

    fn differs(&mut self, instance: &Instance, agrees: bool, kind: &str, name: &str) {
        if agrees {
            return;
        }
        let message =
            format!("{kind} {name}: instances disagree; what the newest healthy version says counts");
        let hint = "ends with the rolling deployment; Traefik would drop it meanwhile";
        self.tell(instance, Problem::new(Severity::Warning, message).hint(hint));
    }
}
