//! From the claims on one route to routers.
//!
//! fabio shares a route out among all services that have it. So do we where they treat it alike; a service that treats it
//! differently has a router of its own, and the table says whose counts.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::claims::{Claim, Group, RouteKey};
use super::hosts::{self, Connection};
use super::options::{Host, Reach};
use super::redirect::{self, Parts};
use super::{rewrite, shares, wire};
use crate::finding::Finding;
use crate::router::{Action, Dialect, Endpoints, Router, Rule, Scheme, Target, Tls};
use crate::service::ServiceId;
use crate::settings::FabioSettings;

/// Claims of services that treat a route alike; the first is the owner's.
#[derive(Debug)]
pub(super) struct Bundle<'a> {
    pub owner: &'a ServiceId,
    pub claim: &'a Claim,
    pub groups: Vec<(&'a ServiceId, &'a Group)>,
    pub addresses: BTreeSet<&'a str>,
}

impl<'a> Bundle<'a> {
    /// A bundle of one.
    pub(super) fn of(owner: &'a ServiceId, claim: &'a Claim) -> Self {
        let mut bundle = Self { owner, claim, groups: Vec::new(), addresses: BTreeSet::new() };
        bundle.join(owner, claim);
        bundle
    }

    /// Adds a claim that treats the route alike.
    pub(super) fn join(&mut self, service: &'a ServiceId, claim: &'a Claim) {
        self.groups.extend(claim.groups.iter().map(|group| (service, group)));
        self.addresses.extend(claim.addresses.iter().map(String::as_str));
    }

    /// Which requests its router for these connections answers.
    pub(super) fn rule(&self, settings: &FabioSettings, connection: Connection) -> Rule {
        Build { bundle: self, settings, findings: Vec::new() }.router(connection).rule
    }

    /// Its routers: one for plain connections, and one for TLS where there is a certificate.
    pub(super) fn routers(&self, settings: &FabioSettings, tls: bool) -> (Vec<Router>, Vec<Finding>) {
        let mut build = Build { bundle: self, settings, findings: Vec::new() };
        let mut routers = vec![build.router(Connection::Plain)];
        if tls {
            let said = std::mem::take(&mut build.findings);
            routers.push(build.router(Connection::Tls));
            build.findings.retain(|finding| !said.contains(finding));
            build.findings.splice(0..0, said);
        }
        (routers, build.findings)
    }
}

struct Build<'a> {
    bundle: &'a Bundle<'a>,
    settings: &'a FabioSettings,
    findings: Vec<Finding>,
}

impl Build<'_> {
    fn router(&mut self, connection: Connection) -> Router {
        let claim = self.bundle.claim;
        let RouteKey { host, path } = &claim.key;
        let (action, same) = self.action(connection);
        let rules =
            [hosts::rule(host, connection, self.settings.any_port), Rule::PathPrefix(wire::in_rule(path))];
        let over = if connection == Connection::Tls { "~tls" } else { "" };
        Router {
            dialect: Dialect::Fabio,
            name: format!("{host}{path}{over}"),
            exclusive_name: None,
            owner: self.bundle.owner.clone(),
            instance: Some(claim.instance.clone()),
            tag: Some(claim.tag.clone()),
            rule: Rule::And(rules.into_iter().chain(same.map(Rule::negated)).collect()),
            priority: hosts::priority(host, path),
            entry_points: Vec::new(),
            tls: (connection == Connection::Tls).then(Tls::default),
            before: claim
                .treatment
                .access
                .as_ref()
                .map_or_else(|_| Vec::new(), super::access::Access::before),
            options: self.options(&action),
            action,
            secrets: Vec::new(),
        }
    }

    /// What answers, and which requests it is not for.
    fn action(&mut self, connection: Connection) -> (Action, Option<Rule>) {
        let treatment = &self.bundle.claim.treatment;
        if let Err(why) = &treatment.access {
            let why = format!("nobody is let in, because its access rules cannot be read: {why}");
            return (self.closed(&why, "write allow=ip:10.0.0.0/8,ip:fe80::1 or deny=ip:..", 403), None);
        }
        if let Some(scheme) = treatment.auth.as_ref().filter(|name| !self.settings.auth.contains_key(*name)) {
            let why = format!("nobody is let in, because auth={scheme} names no scheme of the settings");
            return (self.closed(&why, "name a Secret for it under tags.fabio.auth", 403), None);
        }
        match &treatment.redirect {
            Some((code, url)) => self.redirect(*code, url, connection),
            None => (Action::Forward(self.targets()), None),
        }
    }

    fn closed(&mut self, message: &str, hint: &str, status: u16) -> Action {
        let finding = Finding::error(self.bundle.owner, message).hint(hint);
        self.say(finding);
        let reason = if status == 403 { "access denied" } else { "this route is not served" };
        Action::Closed { status, reason: reason.to_owned() }
    }

    fn redirect(&mut self, code: u16, url: &str, connection: Connection) -> (Action, Option<Rule>) {
        let claim = self.bundle.claim;
        let parts = Parts {
            host: hosts::only(&claim.key.host),
            strip: &claim.treatment.strip,
            prepend: &claim.treatment.prepend,
        };
        let redirect = match redirect::read(code, url, parts) {
            Ok(redirect) => redirect,
            Err(problem) => {
                let hint = problem.hint.unwrap_or_default();
                return (self.closed(&problem.message, &hint, 503), None);
            }
        };
        for problem in redirect.problems {
            let finding = Finding::warning(self.bundle.owner, problem.message);
            self.say(finding.hint(problem.hint.unwrap_or_default()));
        }
        if redirect.to_plain && connection == Connection::Tls {
            let message =
                "the redirect goes to http, and clients that come over TLS are sent to https instead";
            let finding = Finding::warning(self.bundle.owner, message);
            self.say(finding.hint("write https in the redirect"));
        }
        (Action::Redirect(redirect.action), redirect.same)
    }

    fn targets(&mut self) -> Vec<Target> {
        let groups = &self.bundle.groups;
        let weights = shares::weights(&groups.iter().map(|(_, group)| group.share).collect::<Vec<_>>());
        let alone = groups.len() == 1;
        let mut unverified = false;
        let targets = groups.iter().zip(weights).map(|((service, group), weight)| {
            let upstream = upstream(&group.reach, self.settings);
            unverified |=
                is_tls(group.reach.scheme) && group.reach.verify && self.settings.roots_ref.is_none();
            let (service, pick) = ((*service).clone(), group.pick.clone());
            Target {
                endpoints: Endpoints::Service { service, pick, port: None },
                scheme: group.reach.scheme,
                upstream,
                weight: if alone { 1 } else { weight },
            }
        });
        let targets = targets.collect();
        if unverified {
            let message =
                "the service's certificate is not verified, because the settings have no roots for it";
            let finding = Finding::warning(self.bundle.owner, message);
            self.say(finding.hint("set tags.fabio.rootsRef, or write tlsskipverify=true"));
        }
        targets
    }

    /// What `RouteOptions` a route has besides its action.
    fn options(&mut self, action: &Action) -> Map<String, Value> {
        let treatment = &self.bundle.claim.treatment;
        let mut options = Map::new();
        if let Some(secret) = treatment.auth.as_ref().and_then(|scheme| self.settings.auth.get(scheme)) {
            options.insert("basicAuth".to_owned(), json!({ "secretRef": secret }));
        }
        if !matches!(action, Action::Forward(_)) {
            return options;
        }
        let path = &self.bundle.claim.key.path;
        options.extend(rewrite::options(path, &treatment.strip, &treatment.prepend));
        if let Some(host) = self.host() {
            options.insert("hostRewrite".to_owned(), json!(host));
        }
        options
    }

    fn host(&mut self) -> Option<String> {
        match &self.bundle.claim.treatment.host {
            Host::Kept => None,
            Host::Fixed(name) => Some(name.clone()),
            Host::Instance if self.bundle.addresses.len() == 1 => {
                self.bundle.addresses.first().map(|address| (*address).to_owned())
            }
            Host::Instance => {
                let message = "host=dst keeps the client's Host header, since the route has several instances and \
                    Envoy sets one host for all";
                let finding = Finding::warning(self.bundle.owner, message);
                self.say(finding.hint("write the name that the service expects: host=name"));
                None
            }
        }
    }

    fn say(&mut self, finding: Finding) {
        let claim = self.bundle.claim;
        self.findings.push(finding.instance(&claim.instance).tag(&claim.tag));
    }
}

const fn is_tls(scheme: Scheme) -> bool {
    matches!(scheme, Scheme::Https | Scheme::H2)
}

/// Fields of core's `Upstream` for how instances are reached.
fn upstream(reach: &Reach, settings: &FabioSettings) -> Map<String, Value> {
    let mut upstream = Map::new();
    if !is_tls(reach.scheme) {
        return upstream;
    }
    let mut tls = Map::new();
    if let Some(roots) = settings.roots_ref.as_ref().filter(|_| reach.verify) {
        tls.insert("secretRef".to_owned(), json!(roots));
    }
    if let Some(name) = &reach.server_name {
        tls.insert("sni".to_owned(), json!(name));
        if tls.contains_key("secretRef") {
            tls.insert("verifySubjectAltName".to_owned(), json!([name]));
        }
    }
    upstream.insert("sslConfig".to_owned(), Value::Object(tls));
    upstream
}
