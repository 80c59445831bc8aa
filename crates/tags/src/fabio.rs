//! fabio's tags: `urlprefix-` to routers.
//!
//! ```text
//! tags ─▶ tag ─▶ options ─▶ claims ───────────▶ bundles ─────────────▶ routers
//!         text   meaning    of one service      services that share    rule, priority,
//!                           on routes           a route                rewrites, guards
//! ```
//! What fabio would leave open because it cannot read it (`allow`, `deny`, `auth`) lets nobody in here. Whatever else differs is
//! told in a finding and in `docs/migrate-fabio.md`.

mod access;
mod addresses;
mod claims;
mod expand;
mod forwarded;
mod glob;
mod hosts;
mod options;
mod problem;
mod redirect;
mod rewrite;
mod routers;
mod shares;
pub mod tag;
mod wire;

use std::collections::{BTreeMap, BTreeSet};

use claims::{Claim, Language, RouteKey};
use hosts::Connection;
pub use problem::Problem;
use routers::Bundle;

use crate::compile;
use crate::finding::Finding;
use crate::reader::{Lineup, Reader, Reading};
use crate::router::Router;
use crate::service::ServiceId;
use crate::settings::{FabioSettings, Settings};
use crate::table::policy;

/// Reads fabio's tags.
#[derive(Debug)]
pub struct FabioReader {
    settings: Settings,
    language: Language,
    /// What each service claims, and what is wrong with its tags.
    services: BTreeMap<ServiceId, (Vec<Claim>, Vec<Finding>)>,
    /// Who claims each route.
    routes: BTreeMap<RouteKey, BTreeSet<ServiceId>>,
    /// What was said last about each service.
    said: BTreeMap<ServiceId, Reading>,
}

impl FabioReader {
    /// A reader that has read nothing yet.
    pub fn new(settings: &Settings) -> Self {
        let FabioSettings { prefix, variables, .. } = settings.fabio.clone();
        Self {
            language: Language { prefix, variables },
            settings: settings.clone(),
            services: BTreeMap::new(),
            routes: BTreeMap::new(),
            said: BTreeMap::new(),
        }
    }
}

impl Reader for FabioReader {
    fn set(&mut self, id: &ServiceId, lineup: Option<&Lineup>) -> Vec<Reading> {
        let mut affected = self.forget(id);
        if let Some(lineup) = lineup {
            affected.extend(self.learn(id, lineup));
        }
        affected.insert(id.clone());
        affected.into_iter().filter_map(|service| self.changed(service)).collect()
    }
}

impl FabioReader {
    /// Takes a service out; returns those that share routes with it.
    fn forget(&mut self, id: &ServiceId) -> BTreeSet<ServiceId> {
        let mut sharing = BTreeSet::new();
        for claim in self.services.remove(id).unwrap_or_default().0 {
            let Some(claimants) = self.routes.get_mut(&claim.key) else { continue };
            claimants.remove(id);
            sharing.extend(claimants.iter().cloned());
            if claimants.is_empty() {
                self.routes.remove(&claim.key);
            }
            sharing.extend(self.behind(&claim.key));
        }
        sharing
    }

    /// Services whose routes for the same requests a route may stand before.
    fn behind<'a>(&'a self, key: &RouteKey) -> impl Iterator<Item = ServiceId> + use<'a> {
        let path = key.path.clone();
        let keys =
            hosts::inferiors(&key.host).into_iter().map(move |host| RouteKey { host, path: path.clone() });
        keys.filter_map(|key| self.routes.get(&key)).flatten().cloned()
    }

    /// Takes a service in; returns those that share routes with it.
    fn learn(&mut self, id: &ServiceId, lineup: &Lineup) -> BTreeSet<ServiceId> {
        let (claims, findings) = claims::of(lineup, &self.language);
        let mut sharing = BTreeSet::new();
        for claim in &claims {
            let claimants = self.routes.entry(claim.key.clone()).or_default();
            claimants.insert(id.clone());
            sharing.extend(claimants.iter().cloned());
            sharing.extend(self.behind(&claim.key));
        }
        if !claims.is_empty() || !findings.is_empty() {
            self.services.insert(id.clone(), (claims, findings));
        }
        sharing
    }

    /// What is to be said about a service now, if that is not what was said before.
    fn changed(&mut self, owner: ServiceId) -> Option<Reading> {
        let reading = self.reading(owner);
        let is_empty = reading.routers.is_empty() && reading.findings.is_empty();
        let before = self.said.get(&reading.owner);
        if before.map_or(is_empty, |before| *before == reading) {
            return None;
        }
        if is_empty {
            self.said.remove(&reading.owner);
        } else {
            self.said.insert(reading.owner.clone(), reading.clone());
        }
        Some(reading)
    }

    fn reading(&self, owner: ServiceId) -> Reading {
        let Some((claims, findings)) = self.services.get(&owner) else {
            return Reading { owner, routers: Vec::new(), findings: Vec::new() };
        };
        let mut findings = findings.clone();
        let mut routers = Vec::new();
        let keys: BTreeSet<&RouteKey> = claims.iter().map(|claim| &claim.key).collect();
        for key in keys {
            let (bundles, refused) = self.bundles(key);
            findings.extend(refused.into_iter().filter(|finding| finding.service == owner));
            for bundle in bundles.iter().filter(|bundle| *bundle.owner == owner) {
                let (made, said) = bundle.routers(&self.settings.fabio, self.has_certificate(&key.host));
                routers.extend(made.into_iter().filter(|router| !self.is_shadowed(bundle, router)));
                findings.extend(said);
            }
        }
        Reading { owner, routers, findings }
    }

    /// Whether another way to write the host has all requests of a router, as `a.com:80` has those of `a.com` from plain
    /// connections. fabio does not come to it then; the table would see two services that want the same.
    fn is_shadowed(&self, bundle: &Bundle<'_>, router: &Router) -> bool {
        let connection = if router.tls.is_some() { Connection::Tls } else { Connection::Plain };
        let RouteKey { host, path } = &bundle.claim.key;
        hosts::superiors(host, connection).into_iter().any(|host| {
            let key = RouteKey { host, path: path.clone() };
            let (bundles, _) = self.bundles(&key);
            let mut sharing = bundles.iter().filter(|other| self.may_share(bundle.owner, other.owner, &key));
            sharing.any(|other| other.rule(&self.settings.fabio, connection) == router.rule)
        })
    }

    /// The claims on a route, those that treat it alike together, in the order of their services.
    fn bundles<'a>(&'a self, key: &'a RouteKey) -> (Vec<Bundle<'a>>, Vec<Finding>) {
        let mut bundles: Vec<Bundle<'_>> = Vec::new();
        let mut findings = Vec::new();
        for (service, claim) in self.claims_on(key) {
            let alike = bundles.iter_mut().find(|bundle| {
                bundle.claim.treatment == claim.treatment && self.may_share(bundle.owner, service, key)
            });
            if let Some(bundle) = alike {
                bundle.join(service, claim);
                continue;
            }
            let first = bundles.iter().find(|bundle| self.may_share(bundle.owner, service, key));
            if let Some(first) = first {
                findings.push(treated_differently(service, claim, first));
            }
            // A service's own canaries are no rivals of it.
            if !bundles.iter().any(|bundle| bundle.owner == service) {
                bundles.push(Bundle::of(service, claim));
            }
        }
        (bundles, findings)
    }

    fn claims_on<'a>(&'a self, key: &'a RouteKey) -> impl Iterator<Item = (&'a ServiceId, &'a Claim)> {
        let services = self.routes.get(key).into_iter().flatten();
        services.filter_map(|service| self.services.get_key_value(service)).flat_map(
            move |(service, (claims, _))| {
                claims.iter().filter(move |claim| claim.key == *key).map(move |claim| (service, claim))
            },
        )
    }

    /// Whether a service may have a part of another one's route: nobody gets by another's leave what the policy refuses it.
    fn may_share(&self, owner: &ServiceId, other: &ServiceId, key: &RouteKey) -> bool {
        policy::share(owner, other, &self.settings)
            && self.may_claim(owner, key) == self.may_claim(other, key)
    }

    fn may_claim(&self, service: &ServiceId, key: &RouteKey) -> bool {
        if self.settings.policy.is_empty() {
            return true;
        }
        let rule = hosts::rule(&key.host, Connection::Plain, true);
        let claims =
            compile::compile(&rule).map(|branches| branches.iter().map(compile::Branch::claim).collect());
        claims.is_ok_and(|claims| policy::refused(service, &claims, None, &self.settings).is_none())
    }

    /// Whether clients of the host may come over TLS. Of what takes many hosts some may, if there is any certificate.
    fn has_certificate(&self, host: &str) -> bool {
        self.settings.certificates.iter().any(|certificate| match hosts::only(host) {
            Some(host) => {
                certificate.hosts.is_empty()
                    || certificate.hosts.iter().any(|glob| policy::glob_matches(glob, host))
            }
            None => true,
        })
    }
}

/// What is wrong with the settings: a prefix that all tags have, names that stand for nothing.
pub fn check(settings: &FabioSettings) -> Vec<String> {
    let mut wrong = Vec::new();
    if settings.prefix.trim().is_empty() || settings.prefix.trim() != settings.prefix {
        wrong.push(format!("prefix: {:?} is not what a tag can start with", settings.prefix));
    }
    let unnamed = |name: &str, secret: &str| name.is_empty() || secret.is_empty();
    if let Some((name, _)) = settings.auth.iter().find(|(name, secret)| unnamed(name, &secret.name)) {
        wrong.push(format!("auth: the scheme {name:?} has no name, or names no secret"));
    }
    if settings.roots_ref.as_ref().is_some_and(|secret| secret.name.is_empty()) {
        wrong.push("rootsRef: it names no secret".to_owned());
    }
    wrong
}

fn treated_differently(service: &ServiceId, claim: &Claim, first: &Bundle<'_>) -> Finding {
    let message =
        format!("the route's options are not those of another tag, which counts: {}", first.claim.tag);
    let finding = Finding::error(service, message)
        .instance(&claim.instance)
        .tag(&claim.tag)
        .hint("write equal options, but for weight and proto, wherever a route is shared");
    if first.owner == service { finding } else { finding.other(first.owner) }
}
