//! Cross-origin resource sharing.

use schemars::JsonSchema;
use serde::Deserialize;

/// Cross-origin policy. `maxAge` is a number of seconds as text, as the header carries it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Cors {
    /// Origins that are allowed, exactly as written; `*` allows all.
    pub allow_origin: Vec<String>,
    /// Origins that are allowed, as regexes over the whole origin.
    pub allow_origin_regex: Vec<String>,
    /// `access-control-allow-methods`.
    pub allow_methods: Vec<String>,
    /// `access-control-allow-headers`.
    pub allow_headers: Vec<String>,
    /// `access-control-expose-headers`.
    pub expose_headers: Vec<String>,
    /// `access-control-max-age`, such as `86400` or `1d`.
    pub max_age: Option<String>,
    /// `access-control-allow-credentials`.
    pub allow_credentials: Option<bool>,
    /// Switches the policy of the virtual host off for this route.
    pub disable_for_route: Option<bool>,
}
