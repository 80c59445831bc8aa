//! What the tags of one instance define.
//!
//! Traefik reads each instance for itself and joins the results later, and so does this. A tag of `traefik.http` that
//! cannot be read takes the whole instance out: what a misspelled option was meant to guard cannot be known.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use super::constraints::Constraint;
use super::dynamic::{Configuration, LoadBalancer, Router, Server, Service};
use super::labels::{self, Labels};
use super::template::{Model, Template};
use super::{decode, names, schema, tree};
use crate::finding::Severity;
use crate::service::{Instance, SourceKind};

const ROOT: &str = "traefik.http";

/// How instances are read.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) prefix: String,
    pub(crate) exposed_by_default: bool,
    /// What the settings have; an error where it cannot be used.
    pub(crate) default_rule: Result<Template, String>,
    pub(crate) constraint: Result<Option<Constraint>, String>,
}

/// What an instance defines.
#[derive(Clone, Debug, Default)]
pub(crate) struct Defined {
    pub(crate) configuration: Configuration,
    /// Where the instance is, by the name of the service.
    pub(crate) places: BTreeMap<String, Place>,
    pub(crate) canary: bool,
}

/// Where requests for an instance go.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// `http`, `https`, `h2c`, as written.
    pub(crate) scheme: String,
    /// A port that is not the instance's own.
    pub(crate) port: Option<u16>,
    /// A fixed URL in place of the instance.
    pub(crate) url: Option<String>,
    /// The path of the URL goes in front of the request's.
    pub(crate) preserve_path: bool,
}

/// Something to tell about an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) severity: Severity,
    /// The tag, without what must not be shown of it.
    pub(crate) tag: Option<String>,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Problem {
    pub(crate) fn new(severity: Severity, message: impl Into<String>) -> Self {
        Self { severity, tag: None, message: message.into(), hint: None }
    }

    pub(crate) fn tag(self, tag: &str) -> Self {
        Self { tag: Some(shown(tag)), ..self }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// What may be shown of a tag: values of options that hold no secrets, and of the others the key.
fn shown(tag: &str) -> String {
    const OPEN: [&str; 6] = ["rule", "middlewares", "service", "priority", "entrypoints", "enable"];
    let Some((key, _)) = tag.split_once('=') else { return tag.to_owned() };
    let last = key.trim().rsplit('.').next().unwrap_or_default().to_lowercase();
    if OPEN.contains(&last.as_str()) { tag.to_owned() } else { key.trim().to_owned() }
}

/// Reads an instance of the service `name`. `None`: it takes no part, or what it has cannot be read.
pub(crate) fn read(
    instance: &Instance,
    name: &str,
    source: SourceKind,
    rules: &Rules,
    problems: &mut Vec<Problem>,
) -> Option<Defined> {
    let labels = labels::read(&instance.tags, &rules.prefix, source);
    let (extra, doubts) = labels.extra(source, rules.exposed_by_default);
    for (tag, message) in doubts {
        problems.push(Problem::new(Severity::Warning, message).tag(&tag).hint("write true or false"));
    }
    if !extra.enabled {
        problems.extend(hidden(&labels));
        return None;
    }
    if !takes_part(instance, rules, problems) {
        return None;
    }
    for protocol in ["tcp", "udp", "tls"] {
        if let Some(tag) = labels.tag_below(&format!("{}.{protocol}.", labels::PREFIX)) {
            let message = format!("tags of traefik.{protocol} are not read");
            problems.push(Problem::new(Severity::Warning, message).tag(tag));
        }
    }
    if extra.connect {
        let message = "the instance wants to be reached through Consul's mesh, which tags cannot ask for";
        let hint = "write an Upstream with consul.connectEnabled and a VirtualService";
        problems.push(Problem::new(Severity::Error, message).hint(hint));
        return None;
    }
    let canary = extra.canary.then_some(instance.tags.as_slice());
    let reading = Reading { instance, name: names::of_service(name, canary), service: name, labels, rules };
    match reading.defined(problems) {
        Ok(defined) => defined.map(|defined| Defined { canary: extra.canary, ..defined }),
        Err(problem) => {
            problems.push(problem);
            None
        }
    }
}

/// Traefik exposes what does not say that it must not; here a service has to ask for it.
fn hidden(labels: &Labels) -> Option<Problem> {
    if labels.values.keys().any(|key| key.eq_ignore_ascii_case("traefik.enable")) {
        return None;
    }
    let tag = labels.tag_below(&format!("{ROOT}."))?;
    let problem =
        Problem::new(Severity::Warning, "the instance is not exposed, since it does not ask for it");
    Some(problem.tag(tag).hint("add the tag traefik.enable=true, or set tags.traefik.exposedByDefault"))
}

fn takes_part(instance: &Instance, rules: &Rules, problems: &mut Vec<Problem>) -> bool {
    match &rules.constraint {
        Ok(None) => true,
        Ok(Some(constraint)) => constraint.holds(&instance.tags),
        Err(message) => {
            let message =
                format!("nothing is exposed while the constraint of the settings cannot be used: {message}");
            problems.push(Problem::new(Severity::Error, message).hint("correct tags.traefik.constraints"));
            false
        }
    }
}

/// An instance that takes part.
struct Reading<'a> {
    instance: &'a Instance,
    /// The name of what is not named.
    name: String,
    service: &'a str,
    labels: Labels,
    rules: &'a Rules,
}

impl Reading<'_> {
    fn defined(&self, problems: &mut Vec<Problem>) -> Result<Option<Defined>, Problem> {
        let mut configuration: Configuration = self.decode()?;
        let empty = configuration == Configuration::default();
        if empty && self.labels.has_other_protocols() {
            return Ok(None);
        }
        if configuration.services.is_empty() {
            let service = Service { load_balancer: Some(default_load_balancer()), ..Service::default() };
            configuration.services.insert(self.name.clone(), service);
        }
        let mut places = BTreeMap::new();
        for (name, service) in &mut configuration.services {
            places.insert(name.clone(), self.place(name, service)?);
        }
        self.complete_routers(&mut configuration, problems);
        Ok(Some(Defined { configuration, places, canary: false }))
    }

    fn decode(&self) -> Result<Configuration, Problem> {
        let refused = |error: tree::InvalidKey| {
            let tag = self.labels.tag(&error.key).unwrap_or(&error.key);
            let problem =
                Problem::new(Severity::Error, format!("the instance is left out: {}", error.message));
            problem.tag(tag).hint("correct the tag; Traefik leaves the instance out as well")
        };
        let tree = tree::grow(&self.labels.values, ROOT).map_err(refused)?;
        let value = decode::decode(&tree, &schema::HTTP).map_err(refused)?;
        Ok(typed(value))
    }

    /// Where the instance is for one of its services, which gets its server's URL.
    fn place(&self, name: &str, service: &mut Service) -> Result<Place, Problem> {
        let fail = |message: &str| {
            Problem::new(Severity::Error, format!("the instance is left out: service {name}: {message}"))
        };
        let Some(balancer) = &mut service.load_balancer else { return Err(fail("it has no loadbalancer")) };
        let server = balancer.servers.pop().unwrap_or_default();
        let place = self.place_of(&server).map_err(|message| fail(&message))?;
        let url = place.url.clone().unwrap_or_else(|| {
            let host = if self.instance.address.contains(':') {
                format!("[{}]", self.instance.address)
            } else {
                self.instance.address.clone()
            };
            format!("{}://{host}:{}", place.scheme, place.port.unwrap_or(self.instance.port))
        });
        let Server { weight, preserve_path, .. } = server;
        balancer.servers = vec![Server { url, weight, preserve_path, ..Server::default() }];
        Ok(place)
    }

    fn place_of(&self, server: &Server) -> Result<Place, String> {
        let preserve_path = server.preserve_path;
        if !server.url.is_empty() {
            if !server.scheme.is_empty() || !server.port.is_empty() {
                return Err("server.url has neither server.scheme nor server.port beside it".to_owned());
            }
            let url = Some(server.url.clone());
            return Ok(Place { scheme: String::new(), port: None, url, preserve_path });
        }
        if self.instance.address.is_empty() {
            return Err("the instance has no address".to_owned());
        }
        let own = self.instance.port;
        let port = match server.port.parse::<u16>() {
            _ if server.port.is_empty() => own,
            Ok(port) if port > 0 => port,
            _ => return Err(format!("server.port {:?} is no port", server.port)),
        };
        if port == 0 {
            return Err("the instance has no port, and server.port gives none".to_owned());
        }
        let scheme = if server.scheme.is_empty() { "http".to_owned() } else { server.scheme.clone() };
        Ok(Place { scheme, port: Some(port).filter(|port| *port != own), url: None, preserve_path })
    }

    /// Rules and services of routers that do not tell them. Routers that still have none are left out.
    fn complete_routers(&self, configuration: &mut Configuration, problems: &mut Vec<Problem>) {
        let only = match configuration.services.keys().collect::<Vec<_>>().as_slice() {
            [one] => Some((*one).clone()),
            _ => None,
        };
        if configuration.routers.is_empty() && only.is_some() {
            configuration.routers.insert(self.name.clone(), Router::default());
        }
        configuration.routers.retain(|name, router| match self.complete(router, only.as_deref()) {
            Ok(()) => true,
            Err(problem) => {
                let message = format!("router {name} is left out: {}", problem.message);
                problems.push(Problem { message, ..problem });
                false
            }
        });
    }

    fn complete(&self, router: &mut Router, only_service: Option<&str>) -> Result<(), Problem> {
        if router.rule.is_empty() {
            router.rule = self.default_rule()?;
        }
        if router.service.is_empty() {
            let problem = || {
                Problem::new(Severity::Error, "it names no service, and the instance has several")
                    .hint("add a tag traefik.http.routers.<name>.service=<service>")
            };
            only_service.ok_or_else(problem)?.clone_into(&mut router.service);
        }
        Ok(())
    }

    fn default_rule(&self) -> Result<String, Problem> {
        let fail = |message: String| {
            Problem::new(Severity::Error, message)
                .hint("add a tag with its rule, or correct tags.traefik.defaultRule")
        };
        let template = self.rules.default_rule.as_ref();
        let template = template.map_err(|error| fail(format!("the default rule cannot be used: {error}")))?;
        let rule = template.fill(Model { name: self.service, labels: &self.labels.values });
        match rule.map_err(|error| fail(format!("the default rule cannot be filled: {error}")))? {
            rule if rule.is_empty() => Err(fail("it has no rule, and the default rule is empty".to_owned())),
            rule => Ok(rule),
        }
    }
}

fn default_load_balancer() -> LoadBalancer {
    typed(decode::default(&schema::LOAD_BALANCER))
}

/// The tables of the schema and the types of the configuration tell the same.
fn typed<T: DeserializeOwned>(value: serde_json::Value) -> T {
    serde_json::from_value(value).expect("the schema yields what the types hold")
}
