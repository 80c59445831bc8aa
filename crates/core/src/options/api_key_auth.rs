//! Keys of clients, checked by Envoy.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::key::ResourceRef;

/// Asks for a key, and answers 401 without a right one. While the secret is missing nobody is let in.
///
/// A route's own setting takes the place of the virtual host's as a whole. Together with `basicAuth` a request has to
/// pass both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ApiKeyAuth {
    /// A `Secret` with `apiKey`: the keys, and whose they are.
    pub secret_ref: Option<ResourceRef>,
    /// Where a request carries its key: the first of these places that is there counts. Default: the header
    /// `x-api-key`.
    pub key_sources: Vec<KeySource>,
    /// Only these clients of the secret; the others get 403. None: all.
    pub allowed_clients: Vec<String>,
    /// The header that tells the upstream who the client is. What clients write into it never gets there.
    pub forward_client_id_header: Option<String>,
    /// Takes the key out of the request before it goes to the upstream.
    pub hide_credentials: Option<bool>,
    /// `true`: lets everybody in, whatever the virtual host says. Not together with the other fields.
    pub disable: Option<bool>,
}

/// Where a key may be: exactly one of the fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct KeySource {
    /// In this header; `Bearer ` in front of it does not count.
    pub header: Option<String>,
    /// In this query parameter.
    pub query: Option<String>,
    /// In this cookie.
    pub cookie: Option<String>,
}
