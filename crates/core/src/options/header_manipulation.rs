//! Headers that a route, a virtual host or a weighted destination adds and removes.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::key::ResourceRef;

/// Headers to add to and remove from requests and responses.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct HeaderManipulation {
    /// Added to the request before it goes to the upstream.
    pub request_headers_to_add: Vec<HeaderValueOption>,
    /// Removed from the request.
    pub request_headers_to_remove: Vec<String>,
    /// Added to the response.
    pub response_headers_to_add: Vec<HeaderValueOption>,
    /// Removed from the response.
    pub response_headers_to_remove: Vec<String>,
}

/// A header to add: exactly one of `header` and `headerSecretRef`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct HeaderValueOption {
    /// The header.
    pub header: HeaderValue,
    /// A `Secret` with `header`: all its headers are added. For requests only. Until the secret is there, requests are
    /// answered with 503.
    pub header_secret_ref: Option<ResourceRef>,
    /// `true` (default): appended to values that are there; `false`: replaces them.
    pub append: Option<bool>,
}

/// A header: its name and its value, in which Envoy's substitution formatters (`%PROTOCOL%`) work.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct HeaderValue {
    /// The header's name.
    pub key: String,
    /// Its value.
    pub value: String,
}
