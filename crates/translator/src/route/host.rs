//! Options of a virtual host: what they are after `optionsConfigRefs`, and where they go.
//!
//! They go onto Envoy's virtual host, or into each route where services with different options
//! share one. Attempt counts exist on virtual hosts only: there they hold for all services that share
//! it as soon as one wants them.

use std::fmt;

use biplane_core::key::ResourceRef;
use biplane_core::options::{RouteOptions, VirtualHostOptions};
use biplane_core::path::FieldPath;
use biplane_core::report::Report;
use biplane_core::resources::virtual_service::VirtualHost;
use bytes::Bytes;
use envoy_types::pb::envoy::config::route::v3 as pb;

use super::Placement;
use super::options::{api_key_auth, basic_auth, cors, header_manipulation, header_secrets, merge, retries};
use super::scope::Scope;
use crate::{Lookup, encode};

/// What Envoy's virtual host carries besides its name, domains and routes. Services whose values
/// are equal can share a virtual host as they are; others take [`Placement::Routes`].
#[derive(Clone, Default, PartialEq, Eq)]
pub struct HostOptions {
    /// An encoded `VirtualHost` that has these fields only; all come behind the routes.
    pub(super) bytes: Bytes,
    pub(super) attempt_counts: AttemptCounts,
}

/// Without its content: that may hold keys of clients.
impl fmt::Debug for HostOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostOptions").field("attempt_counts", &self.attempt_counts).finish_non_exhaustive()
    }
}

/// Whether tries are counted in a header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct AttemptCounts {
    pub(super) request: bool,
    pub(super) response: bool,
}

impl HostOptions {
    pub(super) fn new(options: &VirtualHostOptions, placement: Placement, lookup: &dyn Lookup) -> Self {
        let attempt_counts = AttemptCounts {
            request: options.include_request_attempt_count.unwrap_or_default(),
            response: options.include_attempt_count_in_response.unwrap_or_default(),
        };
        let mut host = attempt_counts.host();
        if placement == Placement::VirtualHost {
            apply(options, lookup, &mut host);
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

fn apply(options: &VirtualHostOptions, lookup: &dyn Lookup, host: &mut pb::VirtualHost) {
    host.retry_policy = options.retries.as_ref().map(retries::policy);
    if let Some(headers) = &options.header_manipulation {
        header_manipulation::apply_to_host(headers, host);
    }
    if let Some(cors) = &options.cors {
        cors::configure(cors, &mut host.typed_per_filter_config);
    }
    if let Some(auth) = &options.basic_auth {
        basic_auth::configure(auth, lookup, &mut host.typed_per_filter_config);
    }
    if let Some(auth) = &options.api_key_auth {
        api_key_auth::configure(auth, lookup, &mut host.typed_per_filter_config);
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
    secrets(scope, host, &mut options);
    options
}

/// Looks the secrets of the options up; `host` is what the service itself says.
fn secrets(scope: &mut Scope<'_>, host: &VirtualHost, options: &mut VirtualHostOptions) {
    let (service, own) = (scope.service.clone(), host.options.as_ref());
    let path = |option: &'static str, is_own: bool| {
        move || {
            let host = FieldPath::root().field("virtualHost");
            // Options of other objects are not in a field of this one.
            if is_own { host.field("options").field(option) } else { host.field("optionsConfigRefs") }
        }
    };
    let at = path("basicAuth", own.is_some_and(|own| own.basic_auth.is_some()));
    basic_auth::check(scope, options.basic_auth.as_ref(), &service, &at);
    let at = path("apiKeyAuth", own.is_some_and(|own| own.api_key_auth.is_some()));
    api_key_auth::check(scope, options.api_key_auth.as_ref(), &service, &at);
    if let Some(headers) = &mut options.header_manipulation {
        let at = path("headerManipulation", own.is_some_and(|own| own.header_manipulation.is_some()));
        scope.withheld = !header_secrets::expand(scope, headers, &service, &at);
    }
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
    if options.basic_auth.is_none() {
        options.basic_auth.clone_from(&host.basic_auth);
    }
    if options.api_key_auth.is_none() {
        options.api_key_auth.clone_from(&host.api_key_auth);
    }
}
