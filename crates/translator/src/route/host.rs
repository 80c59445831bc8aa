//! Options of a virtual host: what they are after `optionsConfigRefs`, and where they go.
//!
//! They go onto Envoy's virtual host, or into each route where services with different options
//! share one. Attempt counts exist on virtual hosts only: there they hold for all services that share
//! it as soon as one wants them.

use biplane_core::key::ResourceRef;
use biplane_core::options::{RouteOptions, VirtualHostOptions};
use biplane_core::path::FieldPath;
use biplane_core::report::Report;
use biplane_core::resources::virtual_service::VirtualHost;
use bytes::Bytes;
use envoy_types::pb::envoy::config::route::v3 as pb;

use super::Placement;
use super::options::{cors, header_manipulation, merge, retries};
use super::scope::Scope;
use crate::encode;

/// What Envoy's virtual host carries besides its name, domains and routes. Services whose values
/// are equal can share a virtual host as they are; others take [`Placement::Routes`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostOptions {
    /// An encoded `VirtualHost` that has these fields only; all come behind the routes.
    pub(super) bytes: Bytes,
    pub(super) attempt_counts: AttemptCounts,
}

/// Whether tries are counted in a header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct AttemptCounts {
    pub(super) request: bool,
    pub(super) response: bool,
}

impl HostOptions {
    pub(super) fn new(options: &VirtualHostOptions, placement: Placement) -> Self {
        let attempt_counts = AttemptCounts {
            request: options.include_request_attempt_count.unwrap_or_default(),
            response: options.include_attempt_count_in_response.unwrap_or_default(),
        };
        let mut host = attempt_counts.host();
        if placement == Placement::VirtualHost {
            apply(options, &mut host);
        }
        Self { bytes: encode_host(&host), attempt_counts }
    }

    /// What a virtual host carries that serves all of these.
    pub(super) fn shared(all: &[&Self]) -> Bytes {
        let [first, others @ ..] = all else { return Bytes::new() };
        if others.iter().all(|other| other == first) {
            return first.bytes.clone();
        }
        let union = AttemptCounts {
            request: all.iter().any(|host| host.attempt_counts.request),
            response: all.iter().any(|host| host.attempt_counts.response),
        };
        encode_host(&union.host())
    }
}

impl AttemptCounts {
    fn host(self) -> pb::VirtualHost {
        pb::VirtualHost {
            include_request_attempt_count: self.request,
            include_attempt_count_in_response: self.response,
            ..pb::VirtualHost::default()
        }
    }
}

fn apply(options: &VirtualHostOptions, host: &mut pb::VirtualHost) {
    host.retry_policy = options.retries.as_ref().map(retries::policy);
    if let Some(headers) = &options.header_manipulation {
        header_manipulation::apply_to_host(headers, host);
    }
    if let Some(cors) = &options.cors {
        cors::configure(cors, &mut host.typed_per_filter_config);
    }
}

fn encode_host(host: &pb::VirtualHost) -> Bytes {
    encode::canonical("envoy.config.route.v3.VirtualHost", host)
}

/// The options of a virtual host: its own, filled by those that it refers to, the first first.
pub(super) fn resolve(scope: &mut Scope<'_>, host: &VirtualHost) -> VirtualHostOptions {
    let mut options = host.options.clone().unwrap_or_default();
    let references = host.options_config_refs.iter().flat_map(|refs| &refs.delegate_options);
    for (index, name) in references.enumerate() {
        match scope.lookup.virtual_host_option(name) {
            Some(object) => merge::virtual_host(&mut options, object.options.clone().unwrap_or_default()),
            None => scope.report(missing(scope, name, index)),
        }
    }
    options
}

fn missing(scope: &Scope<'_>, name: &ResourceRef, index: usize) -> Report {
    let refs = FieldPath::root().field("virtualHost").field("optionsConfigRefs");
    let path = refs.field("delegateOptions").index(index);
    Report::warning(
        &scope.service,
        path,
        format!("VirtualHostOption {name} does not exist, its options are missing"),
    )
}

/// Writes what the virtual host says into the options of one of its routes, with the same effect.
pub(super) fn fold(options: &mut RouteOptions, host: &VirtualHostOptions) {
    if options.retries.is_none() {
        options.retries.clone_from(&host.retries);
    }
    if let Some(headers) = &host.header_manipulation {
        let folded = header_manipulation::fold(options.header_manipulation.as_ref(), headers);
        options.header_manipulation = Some(folded);
    }
    if let Some(cors) = &host.cors {
        options.cors = Some(cors::fold(options.cors.as_ref(), cors));
    }
}
