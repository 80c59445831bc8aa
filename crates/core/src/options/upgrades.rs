//! Protocol upgrades of a route.

use schemars::JsonSchema;
use serde::Deserialize;

/// One upgrade: exactly one of the fields.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Upgrade {
    /// WebSocket.
    pub websocket: Option<UpgradeToggle>,
    /// HTTP CONNECT, forwarded to the upstream as CONNECT.
    pub connect: Option<UpgradeToggle>,
    /// HTTP CONNECT, terminated by Envoy: the payload goes to the upstream as plain TCP.
    pub connect_terminate: Option<UpgradeToggle>,
}

/// Whether an upgrade is on.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct UpgradeToggle {
    /// Default: on.
    pub enabled: Option<bool>,
}
