//! Settings of the control plane that Gloo keeps as a resource. Of all `Settings` objects the one
//! named `default` counts, else the first by key.

use schemars::JsonSchema;
use serde::Deserialize;

/// Settings, as far as they shape what Envoy gets.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Settings {
    /// Settings of the translation.
    pub gloo: Option<GlooSettings>,
}

/// Gloo's `gloo` settings.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct GlooSettings {
    /// What a route answers whose destination does not exist.
    pub invalid_config_policy: Option<InvalidConfigPolicy>,
}

/// What a route answers whose destination does not exist.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct InvalidConfigPolicy {
    /// `true`: with the code and body below; `false` (default): Envoy's own 503.
    pub replace_invalid_routes: bool,
    /// The status code; default 404.
    pub invalid_route_response_code: Option<u32>,
    /// The body; a default says that the configuration is invalid.
    pub invalid_route_response_body: Option<String>,
}
