//! Route and virtual host options: what users write under `options`, one file an option. The
//! translator has a file of the same name for what Envoy gets from it.

pub mod api_key_auth;
pub mod basic_auth;
pub mod cors;
pub mod header_manipulation;
pub mod lb_hash;
pub mod max_stream_duration;
pub mod retries;
pub mod rewrite;
pub mod upgrades;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::key::ResourceRef;
use crate::scalars::Duration;
pub use api_key_auth::ApiKeyAuth;
pub use basic_auth::BasicAuth;
pub use cors::Cors;
pub use header_manipulation::HeaderManipulation;
pub use lb_hash::LbHash;
pub use max_stream_duration::MaxStreamDuration;
pub use retries::Retries;
pub use rewrite::{HostRewritePathRegex, RegexRewrite};
pub use upgrades::Upgrade;

/// Options of a route.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct RouteOptions {
    /// Replaces the matched prefix (or the whole path, behind an exact matcher).
    pub prefix_rewrite: Option<String>,
    /// Rewrites the path by a regex. Not together with `prefixRewrite`.
    pub regex_rewrite: Option<RegexRewrite>,
    /// How long a request may take, retries included. Envoy's default: 15 s; 0s: no limit.
    pub timeout: Option<Duration>,
    /// How long a stream of this route may be idle.
    pub idle_timeout: Option<Duration>,
    /// Longest life of a stream, by setting or by the request's own grpc-timeout.
    pub max_stream_duration: Option<MaxStreamDuration>,
    /// When and how often a request is tried again.
    pub retries: Option<Retries>,
    /// Headers to add and to remove.
    pub header_manipulation: Option<HeaderManipulation>,
    /// The Host header that the upstream sees. One of the four `hostRewrite` forms at most.
    pub host_rewrite: Option<String>,
    /// Sets the Host header to the DNS name of the endpoint (clusters that Envoy resolves by DNS).
    pub auto_host_rewrite: Option<bool>,
    /// Takes the Host header from the path by a regex.
    pub host_rewrite_path_regex: Option<HostRewritePathRegex>,
    /// Takes the Host header from this request header.
    pub host_rewrite_header: Option<String>,
    /// Appends the original host to `x-forwarded-host` when the host is rewritten.
    pub append_x_forwarded_host: Option<bool>,
    /// Cross-origin policy.
    pub cors: Option<Cors>,
    /// What the consistent-hashing load balancers hash.
    pub lb_hash: Option<LbHash>,
    /// Protocol upgrades of this route.
    pub upgrades: Vec<Upgrade>,
    /// Users with their passwords.
    pub basic_auth: Option<BasicAuth>,
    /// Clients with their keys.
    pub api_key_auth: Option<ApiKeyAuth>,
}

/// Options of a virtual host: they hold for all its routes that do not set their own.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct VirtualHostOptions {
    /// When and how often a request is tried again.
    pub retries: Option<Retries>,
    /// Headers to add and to remove, besides those of the route.
    pub header_manipulation: Option<HeaderManipulation>,
    /// Cross-origin policy.
    pub cors: Option<Cors>,
    /// Users with their passwords.
    pub basic_auth: Option<BasicAuth>,
    /// Clients with their keys.
    pub api_key_auth: Option<ApiKeyAuth>,
    /// Adds `x-envoy-attempt-count` to the request to the upstream.
    pub include_request_attempt_count: Option<bool>,
    /// Adds `x-envoy-attempt-count` to the response to the client.
    pub include_attempt_count_in_response: Option<bool>,
}

/// References to `RouteOption` or `VirtualHostOption` objects, the first of highest precedence.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct OptionsConfigRefs {
    /// The option objects.
    pub delegate_options: Vec<ResourceRef>,
}

/// A `RouteOption` object: options that routes refer to by `optionsConfigRefs`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct RouteOption {
    /// The options.
    pub options: Option<RouteOptions>,
}

/// A `VirtualHostOption` object: options that virtual hosts refer to by `optionsConfigRefs`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct VirtualHostOption {
    /// The options.
    pub options: Option<VirtualHostOptions>,
}
