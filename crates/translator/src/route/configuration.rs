//! The route configuration of a listener: its encoded virtual hosts, joined.

use std::sync::Arc;

use biplane_core::key::ObjectKey;
use biplane_core::resources::Gateway;
use bytes::{Bytes, BytesMut};
use envoy_types::pb::envoy::config::route::v3::RouteConfiguration;

use super::wire;
use crate::proto::uint32;
use crate::resource::{EnvoyName, EnvoyResource, EnvoyType};
use crate::{encode, names};

/// Numbers of fields of `RouteConfiguration`. The gateway's settings have higher ones.
const NAME: u32 = 1;
const VIRTUAL_HOSTS: u32 = 2;

/// The longest body of a direct response that Envoy takes unless the gateway asks for more. Envoy
/// refuses all routes of a listener for one body above its limit (4 KiB by default), so the limit
/// is what a whole object may have, and no body ever reaches it.
const LONGEST_BODY: u32 = 512 * 1024;

/// Bytes in front of a virtual host, at most.
const FRAME: usize = 6;

/// The route configuration of `listener` (a name), from the virtual hosts of all services of the
/// gateway.
///
/// `total_bytes_hint` is the length of all hosts; `clusters` are the clusters that the routes need,
/// existing or not, sorted: a reference to what is not there blocks nothing, and a missing one would let the
/// cluster go too early. The cost is one copy of the hosts.
pub fn route_configuration<'a>(
    listener: &str,
    gateway: (&ObjectKey, &Gateway),
    hosts: impl Iterator<Item = &'a Bytes>,
    total_bytes_hint: usize,
    clusters: Arc<[EnvoyName]>,
) -> EnvoyResource {
    let name = names::route_configuration(listener);
    let settings = settings(gateway.1);
    let frames = hosts.size_hint().0 * FRAME;
    let mut buffer = BytesMut::with_capacity(total_bytes_hint + frames + name.len() + FRAME + settings.len());
    wire::put(NAME, name.as_bytes(), &mut buffer);
    for host in hosts {
        wire::put(VIRTUAL_HOSTS, host, &mut buffer);
    }
    buffer.extend_from_slice(&settings);
    EnvoyResource {
        name: EnvoyName::new(EnvoyType::Route, name),
        body: buffer.freeze(),
        references: clusters,
        origins: [gateway.0.clone()].into(),
    }
}

/// An encoded `RouteConfiguration` that has the gateway's settings only.
fn settings(gateway: &Gateway) -> Bytes {
    let options = gateway.route_options.clone().unwrap_or_default();
    let longest = options.max_direct_response_body_size_bytes.unwrap_or_default().max(LONGEST_BODY);
    let settings = RouteConfiguration {
        most_specific_header_mutations_wins: options.most_specific_header_mutations_wins.unwrap_or_default(),
        max_direct_response_body_size_bytes: Some(uint32(longest)),
        ..RouteConfiguration::default()
    };
    encode::canonical(EnvoyType::Route.message(), &settings)
}
