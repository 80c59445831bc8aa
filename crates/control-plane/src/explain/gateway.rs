//! What one gateway does with a request: from the connection to the route's effect.

use biplane_admin_api::explain::{
    ChainExplanation, EffectExplanation, GatewayExplanation, HostExplanation, LostRoute, Verdict,
};
use biplane_core::key::{Kind, ResourceRef};
use biplane_core::path::FieldPath;
use biplane_translator::explain::{Action, Chain, Effect, Request, Share, chain, effect, normalized};

use super::place::Places;
use super::question::Question;
use super::routes::{Judged, judged};
use crate::graph::{GatewayFacts, HostFacts};

/// The longest body that is shown.
const BODY: usize = 200;

/// A gateway, told but for the clusters that requests may go to.
pub(super) struct Told {
    pub(super) gateway: GatewayExplanation,
    pub(super) shares: Vec<Share>,
    /// The upstreams that the answering service's routes name.
    pub(super) named: Vec<ResourceRef>,
}

impl Told {
    fn ends(gateway: GatewayExplanation, verdict: Verdict, summary: impl Into<String>) -> Self {
        let gateway = GatewayExplanation { verdict, summary: summary.into(), ..gateway };
        Self { gateway, shares: Vec::new(), named: Vec::new() }
    }
}

/// Tells what a gateway does.
pub(super) fn tell<'a>(facts: &'a GatewayFacts, question: &Question, places: &Places<'a>) -> Told {
    let mut gateway = introduction(facts, places);
    let chain = match connection(facts, question, &mut gateway) {
        Ok(chain) => chain,
        Err(summary) => return Told::ends(gateway, Verdict::Refused, summary),
    };
    let request = request(facts, question, &chain, &mut gateway);
    for (name, domain, why) in &facts.elsewhere {
        gateway.notes.push(format!("VirtualService {name} has {domain} and is not served here: {why}"));
    }
    let Some(host) = &facts.host else {
        let summary = format!("404: no virtual service has a domain for {}", facts.authority);
        return Told::ends(gateway, Verdict::NoRoute, summary);
    };
    gateway.host = Some(host_told(facts, host));
    let all = judged(host, &request, places, question.limit);
    gateway.lost = crowded(host).into_iter().chain(all.lost.iter().cloned()).collect();
    gateway.notes.extend(wider(host));
    answer(gateway, all, &request)
}

fn introduction(facts: &GatewayFacts, places: &Places<'_>) -> GatewayExplanation {
    let (address, port) = &facts.address;
    let address =
        if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") };
    let rivals = facts
        .rivals
        .iter()
        .map(|(fleet, owner)| format!("in fleet {fleet} Gateway {owner}, which is older, has this address"));
    GatewayExplanation {
        namespace: facts.name.namespace.clone(),
        name: facts.name.name.clone(),
        location: places.of(&facts.name.key(Kind::Gateway), &FieldPath::root()),
        address,
        tls: facts.spec.ssl,
        fleets: facts.fleets.clone(),
        notes: rivals.collect(),
        ..GatewayExplanation::default()
    }
}

/// The filter chain that takes the connection; an error is why none does.
fn connection(
    facts: &GatewayFacts,
    question: &Question,
    gateway: &mut GatewayExplanation,
) -> Result<Chain, String> {
    if facts.fleets.is_empty() {
        return Err("no Envoy has this gateway's listener".to_owned());
    }
    let reports = facts.reports.iter().map(ToString::to_string);
    let Some(listener) = &facts.listener else {
        gateway.notes.extend(reports);
        return Err("the gateway does not listen: it has nothing to serve".to_owned());
    };
    let server_name = question.asked.target.server_name();
    match chain(listener, server_name) {
        Ok(chain) => {
            if facts.spec.ssl {
                gateway.chain = Some(ChainExplanation {
                    server_name: server_name.map(str::to_owned),
                    server_names: chain.server_names.clone(),
                    certificates: chain.certificates.clone(),
                    client_certificate: chain.client_certificate,
                });
            }
            Ok(chain)
        }
        Err(names) => {
            gateway.notes.extend(reports);
            let asked = server_name.map_or_else(
                || "a client that asks for no server name".to_owned(),
                |name| format!("the server name {name}"),
            );
            Err(format!("no certificate is for {asked}; there are some for {}", names.join(", ")))
        }
    }
}

/// The request as routes see it.
fn request(
    facts: &GatewayFacts,
    question: &Question,
    chain: &Chain,
    gateway: &mut GatewayExplanation,
) -> Request {
    let settings = facts.settings();
    let before = &question.request;
    let (resolve, merge) = (settings.normalize_path.unwrap_or(true), settings.merge_slashes == Some(true));
    let path = if before.path.is_empty() { String::new() } else { normalized(&before.path, resolve, merge) };
    if path != before.path {
        gateway.notes.push(format!("routes see the path as {path}"));
    }
    let authority = facts.authority.clone();
    Request { authority, path, certificate: chain.client_certificate, ..before.clone() }
}

fn host_told(facts: &GatewayFacts, host: &HostFacts) -> HostExplanation {
    HostExplanation {
        host: facts.authority.clone(),
        domain: host.domain.clone(),
        how: host.kind.as_str().to_owned(),
        services: host.services.iter().map(|service| service.key.reference().to_string()).collect(),
        domains: host.domains.iter().cloned().collect(),
    }
}

/// Claims of tags to the domain that somebody has written.
fn crowded(host: &HostFacts) -> Vec<LostRoute> {
    let crowded = host.crowded.iter().flat_map(|crowded| {
        crowded.out.iter().map(|out| LostRoute {
            what: format!("VirtualService {out}, which services' tags made, on {}", host.domain),
            to: format!("VirtualService {}", crowded.holder),
            why: "tags get no domain that somebody has written".to_owned(),
        })
    });
    crowded.collect()
}

fn wider(host: &HostFacts) -> Option<String> {
    let (domain, services) = host.wider.first()?;
    let services: Vec<_> = services.iter().map(ToString::to_string).collect();
    let services = services.join(", ");
    Some(format!(
        "{domain} (VirtualService {services}) fits as well, and is not looked at: the closest domain alone counts"
    ))
}

fn answer(mut gateway: GatewayExplanation, all: Judged<'_>, request: &Request) -> Told {
    let Judged { first, told, earlier, later, open, .. } = all;
    (gateway.earlier, gateway.later, gateway.route) = (earlier, later, told);
    let Some((service, route)) = first else {
        let verdict = if open { Verdict::Open } else { Verdict::NoRoute };
        let summary = match verdict {
            Verdict::Open => "404, unless a route matches that depends on what is not known".to_owned(),
            _ => "404: the virtual host has no route for it".to_owned(),
        };
        return Told::ends(gateway, verdict, summary);
    };
    let Some(effect) = effect(&route.bytes, request) else {
        return Told::ends(gateway, Verdict::Unknown, "the route cannot be read");
    };
    let (verdict, summary, shares) = outcome(&effect);
    gateway.effect = Some(effect_told(effect));
    if open {
        gateway.notes.push("a route before it may answer: that depends on what is not known".to_owned());
    }
    gateway.verdict = if open { verdict.max(Verdict::Open) } else { verdict };
    gateway.summary = summary;
    Told { gateway, shares, named: service.routes.clusters.to_vec() }
}

/// How a request ends that does not go on to an upstream, and the clusters of one that does.
fn outcome(effect: &Effect) -> (Verdict, String, Vec<Share>) {
    match &effect.action {
        Action::Forward(shares) => (Verdict::Answered, String::new(), shares.clone()),
        Action::Unnamed(header) => {
            let summary = format!("503: the header {header} names the upstream, and is absent");
            (Verdict::Unavailable, summary, Vec::new())
        }
        Action::Redirect { status, location } => {
            (Verdict::Answered, format!("{status}: the client is sent to {location}"), Vec::new())
        }
        Action::Respond { is_withheld: true, .. } => {
            let summary = "503: a secret that the route needs is not there".to_owned();
            (Verdict::Unavailable, summary, Vec::new())
        }
        Action::Respond { status, .. } => {
            (Verdict::Answered, format!("{status}: Envoy answers itself"), Vec::new())
        }
    }
}

fn effect_told(effect: Effect) -> EffectExplanation {
    let name = Some(effect.name).filter(|name| !name.is_empty());
    let told = EffectExplanation { name, options: effect.options, ..EffectExplanation::default() };
    match effect.action {
        Action::Forward(_) | Action::Unnamed(_) => EffectExplanation { kind: "forward".to_owned(), ..told },
        Action::Redirect { status, location } => EffectExplanation {
            kind: "redirect".to_owned(),
            status: Some(status),
            location: Some(location),
            ..told
        },
        Action::Respond { status, body, .. } => EffectExplanation {
            kind: "respond".to_owned(),
            status: Some(status),
            body: Some(body.chars().take(BODY).collect()),
            ..told
        },
    }
}
