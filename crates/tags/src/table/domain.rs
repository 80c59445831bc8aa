//! The virtual services of one domain: its routers in their order, what of them is refused, and why.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use biplane_core::decode::MAX_OBJECT;
use biplane_core::key::{Kind, ObjectKey};
use biplane_core::resources::metadata::{EXCEPT_GATEWAYS, GATEWAYS, MADE_BY, SERVICES};
use serde_json::{Value, json};

use super::entry::Entry;
use super::gateways::{self, Gateways};
use super::hosts::Hosts;
use super::upstream::MADE_BY_TAGS;
use super::{Document, RouterKey, names, policy, tls};
use crate::compile::{Domain, Matcher};
use crate::finding::Finding;
use crate::settings::Settings;

/// What a document may take besides its routes, in bytes.
const HEAD: usize = 16 * 1024;

/// What a domain came to.
#[derive(Default)]
pub(super) struct Served {
    pub(super) documents: Vec<Document>,
    pub(super) findings: Vec<Finding>,
}

/// A router with what it matches on the domain.
struct Candidate<'a> {
    key: &'a RouterKey,
    entry: &'a Entry,
    /// Whether the domain is its own; otherwise it only reaches there.
    claims: bool,
    /// The smaller the more senior.
    seat: u64,
    /// The matchers of each step.
    steps: Vec<Vec<Matcher>>,
}

/// Makes the virtual services of a domain.
pub(super) fn serve(domain: &Domain, hosts: &Hosts, settings: &Settings) -> Served {
    let mut served = Served::default();
    let mut candidates: Vec<_> =
        hosts.candidates(domain).filter_map(|(key, entry)| candidate(key, entry, domain, hosts)).collect();
    turn_away_strangers(&mut candidates, domain, hosts, settings, &mut served.findings);
    candidates.sort_by_key(|each| (Reverse(each.entry.priority), each.seat, each.key));
    let (encrypted, plain): (Vec<_>, Vec<_>) = candidates.iter().partition(|each| each.entry.tls.is_some());
    for candidates in [plain, encrypted] {
        let serving: Vec<_> = candidates.iter().map(|each| each.entry.gateways.as_ref()).collect();
        for (gateways, part) in gateways::parts(&serving) {
            let part: Vec<_> = part.into_iter().map(|index| candidates[index]).collect();
            // Without a router of its own the domain is served as part of a wider one.
            if part.iter().any(|each| each.claims) {
                Part { domain, gateways, settings, findings: &mut served.findings }
                    .document(part)
                    .into_iter()
                    .for_each(|document| served.documents.push(document));
            }
        }
    }
    served
}

fn candidate<'a>(
    key: &'a RouterKey,
    entry: &'a Entry,
    domain: &Domain,
    hosts: &Hosts,
) -> Option<Candidate<'a>> {
    let steps: Vec<_> = entry.steps.iter().map(|step| step.on(domain)).collect();
    if steps.iter().all(Vec::is_empty) {
        return None;
    }
    let claims = *domain == Domain::Any || hosts.claims(domain, key);
    let seat = hosts.seat(domain, &key.owner).unwrap_or(u64::MAX);
    Some(Candidate { key, entry, claims, seat, steps })
}

/// A host belongs to the service that claimed it first, and to those that may share it.
fn turn_away_strangers(
    candidates: &mut Vec<Candidate<'_>>,
    domain: &Domain,
    hosts: &Hosts,
    settings: &Settings,
    findings: &mut Vec<Finding>,
) {
    let Some(holder) = hosts.holder(domain).filter(|_| *domain != Domain::Any) else { return };
    candidates.retain(|each| {
        let may_stay = policy::share(holder, &each.key.owner, settings);
        if !may_stay && each.claims {
            let message = format!(
                "router {} is not served on {}: another service holds the host",
                each.entry.label,
                domain.name()
            );
            let finding = about(each.entry, Finding::error(&each.key.owner, message)).other(holder);
            findings.push(finding.hint("take another host, or widen tags.sharedHosts"));
        }
        may_stay
    });
}

fn about(entry: &Entry, mut finding: Finding) -> Finding {
    finding.instance.clone_from(&entry.instance);
    finding.tag.clone_from(&entry.tag);
    finding
}

/// One virtual service in the making: one domain, one set of gateways, TLS or not.
struct Part<'a> {
    domain: &'a Domain,
    gateways: Gateways,
    settings: &'a Settings,
    findings: &'a mut Vec<Finding>,
}

impl Part<'_> {
    fn document(&mut self, mut candidates: Vec<&Candidate<'_>>) -> Option<Document> {
        let is_tls = candidates.iter().any(|each| each.entry.tls.is_some());
        let ssl_config = if is_tls { Some(self.tls(&mut candidates)?) } else { None };
        let (routes, owners) = self.routes(&candidates);
        if routes.is_empty() {
            return None;
        }
        let name = names::virtual_service(self.domain, is_tls, &self.gateways);
        let key = ObjectKey::new(Kind::VirtualService, self.settings.namespace.clone(), name);
        let mut value = json!({
            "metadata": {
                "name": key.name,
                "namespace": key.namespace,
                "labels": { MADE_BY: MADE_BY_TAGS },
                "annotations": self.annotations(&owners),
            },
            "virtualHost": { "domains": domains(self.domain), "routes": routes },
        });
        if let Some(ssl_config) = ssl_config {
            value["sslConfig"] = ssl_config;
        }
        Some(Document { key, value })
    }

    fn annotations(&self, owners: &BTreeSet<String>) -> Value {
        let mut annotations = json!({ (SERVICES): owners.iter().cloned().collect::<Vec<_>>().join(", ") });
        let listed = match &self.gateways {
            Gateways::All => None,
            Gateways::Only(names) => Some((GATEWAYS, names)),
            Gateways::Except(names) => Some((EXCEPT_GATEWAYS, names)),
        };
        if let Some((annotation, names)) = listed {
            annotations[annotation] = json!(names.iter().cloned().collect::<Vec<_>>().join(","));
        }
        annotations
    }

    /// Chooses the certificate, and turns away who cannot do with it; `None`: there is none.
    fn tls(&mut self, candidates: &mut Vec<&Candidate<'_>>) -> Option<Value> {
        let mut claiming: Vec<_> = candidates.iter().filter(|each| each.claims).collect();
        claiming.sort_by_key(|each| (each.seat, Reverse(each.entry.priority), each.key));
        let entries: Vec<_> = claiming.iter().map(|each| each.entry).collect();
        let host = self.domain.name();
        let Some(chosen) = tls::choose(&entries, self.domain, self.settings) else {
            for entry in entries {
                let message =
                    format!("router {} is not served on {host}: no certificate is named", entry.label);
                let finding = about(entry, Finding::error(&entry.owner, message));
                self.findings
                    .push(finding.hint("name one in a tag, or for the host under tags.certificates"));
            }
            return None;
        };
        candidates.retain(|each| {
            let Some(tls) = &each.entry.tls else { return true };
            let contradicts = chosen.contradicts(tls);
            let message = if contradicts {
                format!(
                    "router {} is not served on {host}: others have other TLS settings there",
                    each.entry.label
                )
            } else if each.claims && chosen.replaces(tls) {
                format!("router {} has the certificate of another router on {host}", each.entry.label)
            } else {
                return true;
            };
            let finding = if contradicts {
                Finding::error(&each.key.owner, message)
            } else {
                Finding::warning(&each.key.owner, message)
            };
            self.findings.push(about(each.entry, finding));
            !contradicts
        });
        Some(chosen.json(self.domain))
    }

    /// The routes, and the services that they are of.
    fn routes(&mut self, candidates: &[&Candidate<'_>]) -> (Vec<Value>, BTreeSet<String>) {
        let seniors = seniors(candidates);
        let (mut routes, mut owners, mut taken) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        let mut room = MAX_OBJECT - HEAD;
        for each in candidates {
            let routes_before = routes.len();
            let (last, before) = each.steps.split_last().expect("a router has its own action");
            let own = last.iter().filter(|matcher| is_own(each, seniors.get(matcher)));
            let own: Vec<_> = own.filter(|matcher| taken.insert(*matcher)).cloned().collect();
            self.report_conflicts(each, last, &seniors);
            if own.is_empty() && !last.is_empty() {
                continue;
            }
            let steps = before.iter().chain([&own]).zip(&each.entry.steps);
            let made = steps.filter(|(matchers, _)| !matchers.is_empty());
            routes.extend(made.map(|(matchers, step)| step.route(matchers)));
            let size: usize = routes[routes_before..].iter().map(|route| route.to_string().len() + 1).sum();
            let Some(left) = room.checked_sub(size) else {
                routes.truncate(routes_before);
                self.report_full(each);
                continue;
            };
            room = left;
            owners.insert(each.key.owner.to_string());
        }
        (routes, owners)
    }

    /// Two services with one rule: the senior has it.
    fn report_conflicts(
        &mut self,
        each: &Candidate<'_>,
        matchers: &[Matcher],
        seniors: &BTreeMap<&Matcher, &RouterKey>,
    ) {
        let rival = matchers
            .iter()
            .filter_map(|matcher| seniors.get(matcher))
            .find(|senior| each.claims && senior.owner != each.key.owner);
        let Some(rival) = rival else { return };
        let message = format!(
            "router {} has a rule on {} that a router of another service has too, and had first",
            each.entry.label,
            self.domain.name()
        );
        let finding = about(each.entry, Finding::error(&each.key.owner, message)).other(&rival.owner);
        self.findings.push(finding.hint("change the rule, or take the tag off one of the services"));
    }

    fn report_full(&mut self, each: &Candidate<'_>) {
        let message = format!(
            "router {} is not served on {}: the routes of one host take {MAX_OBJECT} bytes at most",
            each.entry.label,
            self.domain.name()
        );
        self.findings.push(about(each.entry, Finding::error(&each.key.owner, message)));
    }
}

/// Who has each rule: the most senior of the services that claim the domain.
fn seniors<'a>(routers: &[&'a Candidate<'_>]) -> BTreeMap<&'a Matcher, &'a RouterKey> {
    let mut claiming: Vec<_> = routers.iter().filter(|each| each.claims).collect();
    claiming.sort_by_key(|each| (each.seat, &each.key.owner));
    let mut seniors = BTreeMap::new();
    for each in claiming {
        for matcher in each.steps.last().into_iter().flatten() {
            seniors.entry(matcher).or_insert(each.key);
        }
    }
    seniors
}

fn is_own(each: &Candidate<'_>, senior: Option<&&RouterKey>) -> bool {
    !each.claims || senior.is_none_or(|senior| senior.owner == each.key.owner)
}

/// The domains of a virtual service, with a dot and with a port behind the name. A suffix takes no port: hosts with one come
/// to `*`.
fn domains(domain: &Domain) -> Vec<String> {
    match domain {
        Domain::Exact(host) if host.starts_with('[') => vec![host.clone(), format!("{host}:*")],
        Domain::Exact(host) => vec![host.clone(), format!("{host}:*"), format!("{host}.")],
        Domain::Suffix(suffix) => vec![format!("*{suffix}"), format!("*{suffix}.")],
        Domain::Any => vec!["*".to_owned()],
    }
}
