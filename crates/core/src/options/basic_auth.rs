//! User name and password, checked by Envoy.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::key::ResourceRef;

/// Asks for a user name and a password, and answers 401 without. While the secret is missing nobody is let in.
///
/// A route's own setting takes the place of the virtual host's as a whole. Together with `apiKeyAuth` a request has to
/// pass both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct BasicAuth {
    /// A `Secret` with `credentials`: the users that are let in.
    pub secret_ref: Option<ResourceRef>,
    /// The header that tells the upstream who the user is. What clients write into it never gets there.
    pub forward_username_header: Option<String>,
    /// `true`: lets everybody in, whatever the virtual host says. Not together with the other fields.
    pub disable: Option<bool>,
}
