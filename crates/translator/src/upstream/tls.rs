//! TLS towards the endpoints.
//!
//! Those in Consul's service mesh have settings of their own ([`mesh`]).
//!
//! Each host may have a server name (SNI) of its own. While all agree it goes into the one transport socket;
//! otherwise there is a transport socket for each name, picked by a label on the endpoint.

mod mesh;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use biplane_core::key::ResourceRef;
use biplane_core::path::FieldPath;
use biplane_core::resources::Upstream;
use biplane_core::resources::tls::UpstreamSslConfig;
use biplane_core::resources::upstream::StaticHost;
use envoy_types::pb::envoy::config::cluster::v3::cluster::TransportSocketMatch;
use envoy_types::pb::envoy::config::core::v3::TransportSocket;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::UpstreamTlsContext;
use envoy_types::pb::google::protobuf::Struct;

use super::Reporter;
use super::endpoints::{Endpoints, is_dns};
use crate::proto::text;
use crate::resource::EnvoyName;
use crate::tls::{Found, KeyMaterial, alpn, find, transport_socket};
use crate::{Lookup, names, secret};

/// A port on which TLS is expected.
const HTTPS: u32 = 443;

/// Why an upstream does without a connection.
pub(super) enum Refused {
    /// The connection cannot be as safe as its author asked for.
    Unsafe,
    /// This secret has not come yet, so that nothing can be said about the connection.
    Unknown(ResourceRef),
}

/// What a cluster needs for TLS; nothing: plain text.
#[derive(Default)]
pub(super) struct Tls {
    pub(super) socket: Option<TransportSocket>,
    pub(super) matches: Vec<TransportSocketMatch>,
    pub(super) labels: Labels,
    pub(super) references: Vec<EnvoyName>,
}

/// The labels by which endpoints get the transport socket of their server name.
#[derive(Default)]
pub(super) struct Labels(BTreeMap<(String, u32), String>);

impl Labels {
    /// The label of a host.
    pub(super) fn of(&self, host: &StaticHost) -> Option<Struct> {
        self.0.get(&(host.addr.clone(), host.port)).map(|name| label(name))
    }
}

fn label(server_name: &str) -> Struct {
    Struct { fields: HashMap::from([("sni".to_owned(), text(server_name))]) }
}

/// The transport sockets of `upstream`.
pub(super) fn of(
    upstream: &Upstream,
    endpoints: &Endpoints<'_>,
    lookup: &dyn Lookup,
    report: &mut Reporter<'_>,
) -> Result<Tls, Refused> {
    if let Some(consul) = upstream.consul.as_deref()
        && let Some(secret) = consul.connect_secret()
    {
        return mesh::of(upstream, consul, &secret, lookup, report);
    }
    if !is_wanted(upstream) {
        return Ok(Tls::default());
    }
    let user = upstream.ssl_config.clone().unwrap_or_default();
    let material = material(&user, lookup, report)?;
    verifiable(&user, &material, report)?;
    let socket = |server_name: Option<&str>| socket(&user, &material, server_name);
    let names: BTreeMap<(String, u32), String> = endpoints
        .hosts
        .iter()
        .filter_map(|host| Some(((host.addr.clone(), host.port), server_name(upstream, host)?)))
        .collect();
    let distinct: BTreeSet<&str> = names.values().map(String::as_str).collect();
    let references = material.references().collect();
    if distinct.len() <= 1 && (distinct.is_empty() || names.len() == endpoints.hosts.len()) {
        let name = distinct.first().copied().or(user.sni.as_deref());
        return Ok(Tls { socket: Some(socket(name)), references, ..Tls::default() });
    }
    let matches = distinct.iter().map(|name| TransportSocketMatch {
        name: (*name).to_owned(),
        r#match: Some(label(name)),
        transport_socket: Some(socket(Some(name))),
    });
    let matches = matches.collect();
    Ok(Tls { socket: Some(socket(user.sni.as_deref())), matches, labels: Labels(names), references })
}

fn is_wanted(upstream: &Upstream) -> bool {
    let by_static = upstream.r#static.as_ref().is_some_and(|hosts| {
        hosts.use_tls.unwrap_or_else(|| hosts.hosts.iter().any(|host| host.port == HTTPS))
    });
    upstream.ssl_config.is_some() || by_static
}

/// The server name to send to a host: its own, else that of `sslConfig`, else the name that it is found by.
fn server_name(upstream: &Upstream, host: &StaticHost) -> Option<String> {
    let rewrite = upstream.r#static.as_ref().and_then(|hosts| hosts.auto_sni_rewrite).unwrap_or(true);
    let configured = upstream.ssl_config.as_ref().and_then(|ssl| ssl.sni.as_ref());
    let own = host.sni_addr.as_ref().filter(|name| rewrite && !name.is_empty());
    own.or(configured).or_else(|| (rewrite && is_dns(host)).then_some(&host.addr)).cloned()
}

fn material(
    user: &UpstreamSslConfig,
    lookup: &dyn Lookup,
    report: &mut Reporter<'_>,
) -> Result<KeyMaterial, Refused> {
    let one_way = user.one_way_tls == Some(true);
    let mut material = match (&user.secret_ref, &user.ssl_files) {
        (Some(name), _) => of_secret(name, one_way, lookup, report)?,
        (None, Some(files)) => KeyMaterial::of_files(files),
        (None, None) => KeyMaterial::default(),
    };
    if one_way {
        material.validation = None;
    }
    Ok(material)
}

fn of_secret(
    name: &ResourceRef,
    one_way: bool,
    lookup: &dyn Lookup,
    report: &mut Reporter<'_>,
) -> Result<KeyMaterial, Refused> {
    let path = FieldPath::root().field("sslConfig").field("secretRef");
    let parts = match find(name, lookup) {
        Found::Parts(parts) => parts,
        Found::Absent => {
            report.warning(path, format!("secret {name} does not exist"), "connections fail until it does");
            return Ok(missing(name, one_way));
        }
        Found::Unknown => {
            let message = format!("secret {name} is not known yet: there is no cluster until it is");
            report.warning(path, message, secret::UNKNOWN_HINT);
            return Err(Refused::Unknown(name.clone()));
        }
    };
    if !parts.certificate && !parts.root {
        let message =
            format!("secret {name} has neither certificate nor root, so the server is not verified");
        report.warning(path, message, "add rootCa to the secret");
    }
    Ok(KeyMaterial::of_secret(name, parts))
}

/// Whether a secret that does not exist has a root is not known, so the server has to be verified unless the
/// author says otherwise: by the root that Envoy may still hold of a secret that went missing, or else no
/// connection comes about.
fn missing(name: &ResourceRef, one_way: bool) -> KeyMaterial {
    let certificates = one_way.then(|| names::secret_certificate(name)).into_iter().collect();
    KeyMaterial { certificates, validation: Some(names::secret_validation(name)) }
}

/// Envoy verifies names only together with a root. Leaving the names out would connect to anybody.
fn verifiable(
    user: &UpstreamSslConfig,
    material: &KeyMaterial,
    report: &mut Reporter<'_>,
) -> Result<(), Refused> {
    if user.verify_subject_alt_name.is_empty() || material.validation.is_some() {
        return Ok(());
    }
    let path = FieldPath::root().field("sslConfig").field("verifySubjectAltName");
    let message = "there is no root to verify the names with, so the upstream gets no endpoints";
    report.error(path, message, "add rootCa to the secret or to sslFiles, and leave oneWayTls out");
    Err(Refused::Unsafe)
}

fn socket(user: &UpstreamSslConfig, material: &KeyMaterial, server_name: Option<&str>) -> TransportSocket {
    let alpn = alpn(&user.alpn_protocols, &[]);
    transport_socket(&UpstreamTlsContext {
        common_tls_context: Some(material.context(
            user.parameters.as_ref(),
            alpn,
            &user.verify_subject_alt_name,
        )),
        sni: server_name.unwrap_or_default().to_owned(),
        allow_renegotiation: user.allow_renegotiation.unwrap_or_default(),
        ..UpstreamTlsContext::default()
    })
}

#[cfg(test)]
mod tests;
