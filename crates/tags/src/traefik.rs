//! Traefik's tags: `traefik.http.*` to routers.
//!
//! ```text
//! tags ─ labels ─ tree ─ decode ─▶ one instance: routers, services, middlewares    ─ group ─▶ of all instances
//!                        schema    (dynamic), with template for rules that are missing          │
//!                                                                             registry: names ◀─┘
//! routers of the table ◀─ build: rule, middleware/*, target ◀───────────────────────┘
//! ```
//! What tags define is kept in Traefik's own terms until it is built, so that it can be compared with what Traefik
//! makes of them. Invariant: a route is never more open than Traefik's; what cannot be built closes it or is told.

mod build;
mod constraints;
mod decode;
pub mod dynamic;
mod expression;
mod go_regex;
mod group;
mod instance;
mod labels;
mod middleware;
mod names;
mod redirect_url;
mod registry;
pub mod rule;
mod scalar;
mod schema;
mod search;
mod target;
mod template;
mod tree;
mod wire;

use crate::finding::Finding;
use crate::reader::{Lineup, Reader, Reading};
use crate::service::ServiceId;
use crate::settings::{Settings, TraefikSettings};
use instance::Rules;
use registry::{Kind, Registry};
use template::Template;

/// Reads Traefik's tags.
#[derive(Debug)]
pub struct TraefikReader {
    rules: Rules,
    settings: TraefikSettings,
    /// The namespace of the objects that are made.
    namespace: String,
    registry: Registry,
}

impl TraefikReader {
    /// A reader that has read nothing yet.
    pub fn new(settings: &Settings) -> Self {
        Self {
            rules: rules(&settings.traefik),
            settings: settings.traefik.clone(),
            namespace: settings.namespace.clone(),
            registry: Registry::default(),
        }
    }

    /// What the tags of a service define, in Traefik's terms: one configuration for its stable instances and one for
    /// each kind of canaries.
    pub fn configurations(&self, id: &ServiceId) -> Vec<&dynamic::Configuration> {
        let groups = self.registry.owner(id).map(|(groups, _)| groups).unwrap_or_default();
        groups.iter().map(|group| &group.configuration).collect()
    }

    fn reading(&self, id: &ServiceId) -> Reading {
        let (routers, built) = build::routers(&self.registry, id, &self.settings, &self.namespace);
        let read = self.registry.owner(id).map(|(_, findings)| findings.to_vec()).unwrap_or_default();
        let findings = read.into_iter().chain(built).chain(self.conflicts(id)).collect();
        Reading { owner: id.clone(), routers, findings }
    }

    fn conflicts(&self, id: &ServiceId) -> Vec<Finding> {
        let conflict = |(kind, name, other): (Kind, &str, &ServiceId)| {
            let kind = match kind {
                Kind::Middleware => "middleware",
                Kind::Service => "service",
            };
            let message = format!("{kind} {name} is defined by another service too; each uses its own");
            Finding::warning(id, message).other(other).hint("choose another name for one of them")
        };
        self.registry.conflicts(id).into_iter().map(conflict).collect()
    }
}

impl Reader for TraefikReader {
    fn set(&mut self, id: &ServiceId, lineup: Option<&Lineup>) -> Vec<Reading> {
        let read = lineup.map(|lineup| group::read(lineup, &self.rules));
        let others = self.registry.set(id, read);
        std::iter::once(id).chain(&others).map(|id| self.reading(id)).collect()
    }
}

/// What is wrong with the settings: the default rule, the constraints.
pub fn check(settings: &TraefikSettings) -> Vec<String> {
    let rules = rules(settings);
    let rule = rules.default_rule.err().map(|why| format!("defaultRule: {why}"));
    let constraint = rules.constraint.err().map(|why| format!("constraints: {why}"));
    rule.into_iter().chain(constraint).collect()
}

fn rules(settings: &TraefikSettings) -> Rules {
    let constraint = match settings.constraints.as_str() {
        "" => Ok(None),
        text => constraints::parse(text).map(Some).map_err(|error| error.to_string()),
    };
    Rules {
        prefix: settings.prefix.clone(),
        exposed_by_default: settings.exposed_by_default,
        default_rule: Template::parse(&settings.default_rule),
        constraint,
    }
}
