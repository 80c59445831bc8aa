//! TLS towards clients: which filter chain a connection gets by its server name (SNI).
//!
//! Virtual services whose TLS settings differ in nothing but the server names share a chain. A server name
//! belongs to one chain only: Envoy refuses a listener in which two chains claim the same, and with it the
//! good ones. So the older virtual service keeps it. A service without names takes all that nobody names.
//!
//! A service whose secret is not known yet has no chain: one that waits would hold up the whole listener.

use std::collections::{BTreeSet, HashMap};

use biplane_core::key::{ObjectKey, ResourceRef};
use biplane_core::path::FieldPath;
use biplane_core::report::Report;
use biplane_core::resources::tls::{OcspStaplePolicy, SslConfig};
use envoy_types::pb::envoy::config::listener::v3::{Filter, FilterChain, FilterChainMatch};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::DownstreamTlsContext;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::downstream_tls_context::{
    OcspStaplePolicy as EnvoyPolicy, SessionTicketKeysType,
};

use super::{Content, TlsService};
use crate::proto::{boolean, duration};
use crate::tls::{Found, KeyMaterial, SecretParts, alpn, find, transport_socket};
use crate::{Lookup, names, secret};

/// What is offered by ALPN where the user does not say.
const ALPN: &[&str] = &["h2", "http/1.1"];

/// The name under which the claim to all names that nobody else claims is kept.
const ALL: &str = "*";

/// The chains of `services` (the oldest first), each with `filter` in it.
pub(super) fn chains(services: &[TlsService<'_>], filters: &[Filter], lookup: &dyn Lookup) -> Content {
    let mut groups = Groups::default();
    let mut content = Content::default();
    for service in services {
        match material(service, lookup, &mut content) {
            Ok(material) => groups.add(service, material, &mut content.reports),
            Err(report) => content.reports.push(*report),
        }
    }
    for group in &groups.all {
        let Some(material) = &group.material else { continue };
        content.filter_chains.extend(group.chains(material, filters));
        content.references.extend(material.references());
        content.services.extend(group.services.iter().map(|service| (*service).clone()));
        let files = group.ssl.ssl_files.as_ref().filter(|_| group.ssl.secret_ref.is_none());
        // The services of a group name the same files; one of them stands for all.
        content.secrets.extend(files.into_iter().flat_map(|files| secret::files(files, group.services[0])));
    }
    // Groups can share files and differ elsewhere.
    content.secrets.sort_by(|a, b| a.name.cmp(&b.name));
    content.secrets.dedup_by(|a, b| a.name == b.name);
    content.reports.sort();
    content
}

/// The services by their TLS settings.
///
/// Nothing here is searched from one end to the other: thousands of services may have a certificate each.
#[derive(Default)]
struct Groups<'a> {
    /// In the order of their oldest services; each has a name at least.
    all: Vec<Group<'a>>,
    /// The group of each of the settings, which have no server names here.
    by_settings: HashMap<SslConfig, usize>,
    /// The group that has a server name, and the service that brought it in.
    owners: HashMap<String, (usize, &'a ObjectKey)>,
}

/// Services with equal TLS settings, and the server names that are theirs.
struct Group<'a> {
    /// The settings of the first of the services. Server names apart, they are those of all.
    ssl: &'a SslConfig,
    /// `None`: the secret is not known yet. The names are taken all the same: nobody else gets them meanwhile.
    material: Option<KeyMaterial>,
    services: Vec<&'a ObjectKey>,
    names: BTreeSet<String>,
}

impl Group<'_> {
    /// A chain for the names, and one more for the rest if that is theirs too: names on the second would lose
    /// to a wildcard of another chain.
    fn chains(&self, material: &KeyMaterial, filters: &[Filter]) -> impl Iterator<Item = FilterChain> {
        let names: Vec<String> = self.names.iter().filter(|name| *name != ALL).cloned().collect();
        let own = (!names.is_empty()).then(|| self.chain(material, names, filters));
        let rest = self.names.contains(ALL).then(|| self.chain(material, Vec::new(), filters));
        own.into_iter().chain(rest)
    }

    fn chain(&self, material: &KeyMaterial, server_names: Vec<String>, filters: &[Filter]) -> FilterChain {
        let certificate = material.certificates.first().cloned().unwrap_or_default();
        FilterChain {
            name: if server_names.is_empty() { format!("{certificate}*") } else { certificate },
            filter_chain_match: (!server_names.is_empty())
                .then(|| FilterChainMatch { server_names, ..FilterChainMatch::default() }),
            filters: filters.to_vec(),
            transport_socket: Some(transport_socket(&context(self.ssl, material))),
            transport_socket_connect_timeout: self.ssl.transport_socket_connect_timeout.map(duration),
            ..FilterChain::default()
        }
    }
}

fn context(ssl: &SslConfig, material: &KeyMaterial) -> DownstreamTlsContext {
    let resumption = ssl.disable_tls_session_resumption == Some(true);
    let names = &ssl.verify_subject_alt_name;
    DownstreamTlsContext {
        common_tls_context: Some(material.context(
            ssl.parameters.as_ref(),
            alpn(&ssl.alpn_protocols, ALPN),
            names,
        )),
        require_client_certificate: material.validation.is_some().then(|| boolean(true)),
        disable_stateful_session_resumption: resumption,
        ocsp_staple_policy: policy(ssl.ocsp_staple_policy.unwrap_or_default()).into(),
        session_ticket_keys_type: resumption
            .then_some(SessionTicketKeysType::DisableStatelessSessionResumption(true)),
        ..DownstreamTlsContext::default()
    }
}

const fn policy(policy: OcspStaplePolicy) -> EnvoyPolicy {
    match policy {
        OcspStaplePolicy::LenientStapling => EnvoyPolicy::LenientStapling,
        OcspStaplePolicy::StrictStapling => EnvoyPolicy::StrictStapling,
        OcspStaplePolicy::MustStaple => EnvoyPolicy::MustStaple,
    }
}

/// The key material of a service, `None` while it is not known; an error is why it never gets a chain.
fn material(
    service: &TlsService<'_>,
    lookup: &dyn Lookup,
    content: &mut Content,
) -> Result<Option<KeyMaterial>, Box<Report>> {
    let path = FieldPath::root().field("sslConfig");
    let error = |path: FieldPath, message: String, hint: &str| {
        Err(Box::new(Report::error(service.service, path, message).hint(hint)))
    };
    let mut material = if let Some(name) = &service.ssl.secret_ref {
        let warning = |message| Report::warning(service.service, path.field("secretRef"), message);
        match find(name, lookup) {
            Found::Parts(parts) if lacks_staple(service.ssl, parts) => {
                return Err(without_staple(service, name));
            }
            Found::Parts(parts) => KeyMaterial::of_secret(name, parts),
            Found::Absent => {
                let report = warning(format!("secret {name} does not exist"));
                content.reports.push(report.hint("TLS connections fail until it does"));
                return Ok(Some(missing(name, service.ssl)));
            }
            Found::Unknown => {
                let report =
                    warning(format!("secret {name} is not known yet: nothing is served by TLS until it is"));
                content.reports.push(report.hint(secret::UNKNOWN_HINT));
                content.lacks.extend(secret::key_material(name));
                return Ok(None);
            }
        }
    } else {
        KeyMaterial::of_files(&service.ssl.ssl_files.clone().unwrap_or_default())
    };
    if material.certificates.is_empty() {
        let from = service.ssl.secret_ref.as_ref();
        let from = from.map_or_else(|| "sslConfig".to_owned(), |name| format!("secret {name}"));
        let message = format!("{from} has no certificate with a key, so nothing is served by TLS");
        return error(path, message, "give certChain and privateKey (files: tlsCert and tlsKey)");
    }
    if service.ssl.one_way_tls == Some(true) {
        material.validation = None;
    }
    if material.validation.is_none() && !service.ssl.verify_subject_alt_name.is_empty() {
        // Without the check anybody would get in.
        let message = "there is no root to verify clients by, so nothing is served by TLS".to_owned();
        let hint = "give rootCa, and leave oneWayTls out";
        return error(path.field("verifySubjectAltName"), message, hint);
    }
    material.certificates.extend(additional(service, lookup, content));
    Ok(Some(material))
}

/// Envoy would refuse the certificate of such a secret, also for those who ask for no staple.
fn lacks_staple(ssl: &SslConfig, parts: SecretParts) -> bool {
    ssl.ocsp_staple_policy == Some(OcspStaplePolicy::MustStaple) && parts.certificate && !parts.staple
}

fn without_staple(service: &TlsService<'_>, name: &ResourceRef) -> Box<Report> {
    let path = FieldPath::root().field("sslConfig").field("ocspStaplePolicy");
    let message = format!("secret {name} has no OCSP response to staple, so nothing is served by TLS");
    Box::new(Report::error(service.service, path, message).hint("add ocspStaple to the secret"))
}

/// The certificates beside the first. One that is not there costs nobody the others.
fn additional(service: &TlsService<'_>, lookup: &dyn Lookup, content: &mut Content) -> Vec<String> {
    let reports = &mut content.reports;
    let list = FieldPath::root().field("sslConfig").field("additionalSecretRefs");
    let mut certificates = Vec::new();
    for (index, name) in service.ssl.additional_secret_refs.iter().enumerate() {
        let warning = |message: String| Report::warning(service.service, list.index(index), message);
        match find(name, lookup) {
            Found::Parts(parts) if parts.certificate && !lacks_staple(service.ssl, parts) => {
                certificates.push(names::secret_certificate(name));
            }
            Found::Parts(_) => {
                let message =
                    format!("secret {name} has no certificate that can be used; clients get the others");
                reports.push(warning(message).hint("give certChain and privateKey"));
            }
            Found::Absent => {
                reports.push(warning(format!(
                    "secret {name} does not exist; clients get the other certificates"
                )));
            }
            Found::Unknown => {
                let message = format!("secret {name} is not known yet; clients get the other certificates");
                reports.push(warning(message).hint(secret::UNKNOWN_HINT));
                content.lacks.extend(secret::key_material(name));
            }
        }
    }
    certificates
}

/// A secret that does not exist is named all the same: the chain works from the moment that it does.
///
/// Whether it has a root is not known, so clients have to be verified unless the service says otherwise. Envoy
/// may still hold the certificate of a secret that went missing, and would let anybody in by it.
fn missing(name: &ResourceRef, ssl: &SslConfig) -> KeyMaterial {
    let is_one_way = ssl.one_way_tls == Some(true);
    KeyMaterial {
        certificates: vec![names::secret_certificate(name)],
        validation: (!is_one_way).then(|| names::secret_validation(name)),
    }
}

impl<'a> Groups<'a> {
    /// Puts `service` into the group of its settings, with the names that no older one has in another group.
    fn add(&mut self, service: &TlsService<'a>, material: Option<KeyMaterial>, reports: &mut Vec<Report>) {
        let settings = SslConfig { sni_domains: Vec::new(), ..service.ssl.clone() };
        let index = self.by_settings.get(&settings).copied().unwrap_or(self.all.len());
        let names = self.won(index, service, reports);
        if names.is_empty() {
            return;
        }
        if index == self.all.len() {
            self.by_settings.insert(settings, index);
            self.all.push(Group { ssl: service.ssl, material, services: Vec::new(), names: BTreeSet::new() });
        }
        self.all[index].services.push(service.service);
        self.all[index].names.extend(names);
    }

    /// The names of `service` that are free or its group's already; reports the others.
    fn won(&mut self, index: usize, service: &TlsService<'a>, reports: &mut Vec<Report>) -> Vec<String> {
        let mut won = Vec::new();
        for (path, name) in server_names(service, reports) {
            let (group, owner) = *self.owners.entry(name.clone()).or_insert((index, service.service));
            if group == index {
                won.push(name);
            } else {
                reports.push(lost(service.service, owner, path, &name));
            }
        }
        won
    }
}

/// The names that a service asks for, each with its place; without any, all.
fn server_names(service: &TlsService<'_>, reports: &mut Vec<Report>) -> Vec<(FieldPath, String)> {
    let path = FieldPath::root().field("sslConfig").field("sniDomains");
    if service.ssl.sni_domains.is_empty() {
        return vec![(path, ALL.to_owned())];
    }
    let names = service.ssl.sni_domains.iter().enumerate();
    let names = names.map(|(index, name)| (path.index(index), name.to_ascii_lowercase()));
    let (good, bad): (Vec<_>, Vec<_>) = names.partition(|(_, name)| is_server_name(name));
    reports.extend(bad.into_iter().map(|(path, name)| {
        Report::error(service.service, path, format!("{name:?} is no server name"))
            .hint("a host name, *.suffix, or * for all")
    }));
    good
}

/// Envoy takes a star only as the whole first label.
fn is_server_name(name: &str) -> bool {
    let rest = name.strip_prefix("*.").unwrap_or(name);
    name == ALL || (!rest.is_empty() && !rest.contains('*'))
}

fn lost(service: &ObjectKey, owner: &ObjectKey, path: FieldPath, name: &str) -> Report {
    let what = if name == ALL { "every other server name".to_owned() } else { format!("server name {name}") };
    let message = format!(
        "{what} belongs to {owner}, the older one, whose TLS settings differ; {service} does not get it"
    );
    Report::error(service, path, message)
        .hint("give both the same TLS settings, or each its own server names")
}

#[cfg(test)]
mod tests;
