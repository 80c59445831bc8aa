//! Which filter chain of a listener takes a connection.

use envoy_types::pb::envoy::config::core::v3::transport_socket::ConfigType;
use envoy_types::pb::envoy::config::listener::v3::{FilterChain, Listener};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::DownstreamTlsContext;
use prost::Message as _;

/// The chain that takes a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// The server names that it is for; none: all that no other chain is for.
    pub server_names: Vec<String>,
    /// The names of the secrets with the certificates that it shows; none: it is without TLS.
    pub certificates: Vec<String>,
    /// Whether a client has to show a certificate.
    pub client_certificate: bool,
}

/// The chain of an encoded `Listener` that takes a client which asks for `server_name` (SNI). `Err`: none does; the
/// server names that there are chains for.
pub fn chain(listener: &[u8], server_name: Option<&str>) -> Result<Chain, Vec<String>> {
    let listener = Listener::decode(listener).unwrap_or_default();
    let name = server_name.unwrap_or_default().to_ascii_lowercase();
    let best = candidates(&name).find_map(|wanted| {
        let mut chains = listener.filter_chains.iter();
        chains.find(|chain| match &wanted {
            Some(wanted) => names(chain).contains(wanted),
            None => names(chain).is_empty(),
        })
    });
    let all = || listener.filter_chains.iter().flat_map(names).cloned().collect();
    best.map(summary).ok_or_else(all)
}

/// The name, then `*` for its labels from the left, one after the other; last, chains without names.
fn candidates(name: &str) -> impl Iterator<Item = Option<String>> {
    let exact = (!name.is_empty()).then(|| Some(name.to_owned()));
    let wildcards = name.match_indices('.').map(|(at, _)| Some(format!("*{}", &name[at..])));
    exact.into_iter().chain(wildcards).chain([None])
}

fn names(chain: &FilterChain) -> &[String] {
    chain.filter_chain_match.as_ref().map_or(&[], |matched| &matched.server_names)
}

fn summary(chain: &FilterChain) -> Chain {
    let socket = chain.transport_socket.as_ref().and_then(|socket| socket.config_type.as_ref());
    let context = socket.map(|ConfigType::TypedConfig(any)| any.value.as_slice());
    let context = context.and_then(|bytes| DownstreamTlsContext::decode(bytes).ok()).unwrap_or_default();
    let common = context.common_tls_context.unwrap_or_default();
    Chain {
        server_names: names(chain).to_vec(),
        certificates: common.tls_certificate_sds_secret_configs.into_iter().map(|sds| sds.name).collect(),
        client_certificate: context.require_client_certificate.is_some_and(|required| required.value),
    }
}
