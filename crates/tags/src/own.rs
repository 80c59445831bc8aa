//! Biplane's own tags: `biplane.<option>=<value>` and `biplane.routes.<name>.<option>=<value>`.
//!
//! ```text
//! tags of an instance ─▶ written ─▶ draft, one a route ─▶ route ─▶ routers
//!                        names      defaults filled in    values   canaries joined
//! ```
//! Of the instances of a service, the first that has a route of a name defines it as a whole. An option that cannot be
//! read costs what it stands for: what tells which requests are meant, or guards a route, costs the route.

mod canary;
mod cors;
mod draft;
mod guard;
mod headers;
mod matching;
mod options;
mod route;
mod scalar;
mod specificity;
mod target;

use crate::finding::Finding;
use crate::reader::{Deployment, Lineup, Reader, Reading};
use crate::service::{Instance, ServiceId};
use crate::settings::Settings;
use draft::{Draft, Drafts};
use route::Route;

/// Reads Biplane's own tags.
#[derive(Debug)]
pub struct OwnReader {
    prefix: String,
    exposed_by_default: bool,
}

impl OwnReader {
    /// A reader that has read nothing yet.
    pub fn new(settings: &Settings) -> Self {
        let settings = &settings.biplane;
        Self { prefix: format!("{}.", settings.prefix), exposed_by_default: settings.exposed_by_default }
    }

    /// The routes that the instances of a deployment ask for, those of the first instances first.
    fn routes(&self, id: &ServiceId, deployment: &Deployment, findings: &mut Vec<Finding>) -> Vec<Route> {
        let mut routes: Vec<Route> = Vec::new();
        let mut read: Vec<&[String]> = Vec::new();
        for instance in &deployment.instances {
            if read.contains(&instance.tags.as_slice()) {
                continue;
            }
            read.push(&instance.tags);
            for route in self.routes_of(id, instance, deployment, findings) {
                match routes.iter().find(|before| before.name == route.name) {
                    None => routes.push(route),
                    Some(before) if !before.says_the_same_as(&route) => {
                        findings.push(outvoted(id, &route, before));
                    }
                    Some(_) => {}
                }
            }
        }
        routes
    }

    fn routes_of(
        &self,
        id: &ServiceId,
        instance: &Instance,
        deployment: &Deployment,
        findings: &mut Vec<Finding>,
    ) -> Vec<Route> {
        let mut of_instance = Vec::new();
        let drafts = Drafts::read(id, &instance.tags, &self.prefix, &mut of_instance);
        let routes = if drafts.is_exposed(id, self.exposed_by_default, &mut of_instance) {
            drafts
                .routes()
                .map(|draft: Draft<'_>| Route::build(id, instance, &draft, deployment, &mut of_instance))
                .collect()
        } else {
            Vec::new()
        };
        findings.extend(of_instance.into_iter().map(|finding| finding.instance(&instance.id)));
        routes.into_iter().flatten().collect()
    }
}

fn outvoted(id: &ServiceId, route: &Route, by: &Route) -> Finding {
    let (name, winner) = (&route.name, &by.instance);
    let message = format!("route {name:?} is defined otherwise by instance {winner}, which counts");
    let finding = Finding::warning(id, message).instance(&route.instance);
    finding.hint("this is as it should be while a new version is rolled out")
}

impl Reader for OwnReader {
    fn set(&mut self, id: &ServiceId, lineup: Option<&Lineup>) -> Vec<Reading> {
        let mut findings = Vec::new();
        let mut routes = Vec::new();
        if let Some(lineup) = lineup {
            routes = self.routes(id, &lineup.stable, &mut findings);
            if let Some(canary) = &lineup.canary {
                let canaries = self.routes(id, canary, &mut findings);
                routes = canary::join(routes, canaries, lineup, &mut findings);
            }
        }
        let all = routes.into_iter().flat_map(|route| route.routers(id));
        vec![Reading { owner: id.clone(), routers: all.collect(), findings }]
    }
}

#[cfg(test)]
mod tests;
