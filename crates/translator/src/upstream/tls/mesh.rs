//! TLS towards instances in Consul's service mesh: Biplane's Envoys show the certificate of a service of theirs, and
//! believe who shows one of the service that they ask for, signed by the mesh.
//!
//! Until the mesh has given a certificate there is no cluster: what is in the mesh is not spoken to in any other way.

use biplane_core::key::ResourceRef;
use biplane_core::path::FieldPath;
use biplane_core::resources::Upstream;
use biplane_core::resources::upstream::discovery::ConsulUpstream;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::UpstreamTlsContext;

use super::super::Reporter;
use super::{Refused, Tls};
use crate::proto::uint32;
use crate::route::matcher::escaped;
use crate::tls::{Found, KeyMaterial, find, transport_socket, verified_by_uri};
use crate::{Lookup, names};

pub(super) fn of(
    upstream: &Upstream,
    consul: &ConsulUpstream,
    secret: &ResourceRef,
    lookup: &dyn Lookup,
    report: &mut Reporter<'_>,
) -> Result<Tls, Refused> {
    if upstream.ssl_config.is_some() {
        let path = FieldPath::root().field("sslConfig");
        report.warning(path, "it has no effect in the mesh, which has settings of its own", "leave it out");
    }
    let parts = match find(secret, lookup) {
        Found::Parts(parts) if parts.certificate && parts.root => parts,
        Found::Parts(_) | Found::Unknown => {
            let path = FieldPath::root().field("consul").field("connectEnabled");
            let message = "the mesh has given no certificate yet: there is no cluster until it has";
            report.warning(path, message, "biplane get secrets says why");
            return Err(Refused::Unknown(secret.clone()));
        }
        // Nobody keeps such certificates: that no Consul is set up is said elsewhere.
        Found::Absent => return Err(Refused::Unknown(secret.clone())),
    };
    let material = KeyMaterial::of_secret(secret, parts);
    let mut context = material.context(None, Vec::new(), &[]);
    let roots = names::secret_validation(secret);
    context.validation_context_type = Some(verified_by_uri(&roots, &identity(consul)));
    let socket = transport_socket(&UpstreamTlsContext {
        common_tls_context: Some(context),
        // Many ask Consul whether an intention lets a client in while they look at its certificate, which no resumed
        // session shows: each connection is made anew, so that an intention that is taken back holds for the next one.
        max_session_keys: Some(uint32(0)),
        ..Default::default()
    });
    Ok(Tls { socket: Some(socket), references: material.references().collect(), ..Tls::default() })
}

/// The SPIFFE ids of a service's instances. The trust domain is that of the roots, which sign for no other.
fn identity(consul: &ConsulUpstream) -> String {
    let partition = consul.partition.as_deref().filter(|name| *name != "default");
    let partition = partition.map_or_else(String::new, |name| format!("/ap/{}", escaped(name)));
    let namespace = escaped(consul.namespace.as_deref().unwrap_or("default"));
    let data_centers: Vec<_> = consul.data_centers.iter().map(|name| escaped(name)).collect();
    let data_center =
        if data_centers.is_empty() { "[^/]+".to_owned() } else { format!("(?:{})", data_centers.join("|")) };
    let service = escaped(consul.service_name.as_deref().unwrap_or_default());
    format!("spiffe://[^/]+{partition}/ns/{namespace}/dc/{data_center}/svc/{service}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_names_the_service_and_the_data_centers_that_are_asked_for() {
        let web = ConsulUpstream { service_name: Some("web.v1".to_owned()), ..ConsulUpstream::default() };
        assert_eq!(identity(&web), r"spiffe://[^/]+/ns/default/dc/[^/]+/svc/web\.v1");
        let far = ConsulUpstream {
            data_centers: vec!["dc1".to_owned(), "dc2".to_owned()],
            namespace: Some("team".to_owned()),
            partition: Some("p".to_owned()),
            ..web
        };
        assert_eq!(identity(&far), r"spiffe://[^/]+/ap/p/ns/team/dc/(?:dc1|dc2)/svc/web\.v1");
    }
}
