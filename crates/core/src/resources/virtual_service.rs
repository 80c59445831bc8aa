//! Virtual services: domains, the routes behind them, and the certificate in front of them.

use schemars::JsonSchema;
use serde::Deserialize;

use super::route::Route;
use super::tls::SslConfig;
use crate::options::{OptionsConfigRefs, VirtualHostOptions};

/// Domains and their routes.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct VirtualService {
    /// The domains and the routes.
    pub virtual_host: Option<VirtualHost>,
    /// TLS towards clients. With it the virtual service belongs to gateways with `ssl: true` only.
    pub ssl_config: Option<SslConfig>,
    /// A name for people.
    pub display_name: Option<String>,
}

/// Domains and the routes that answer them.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct VirtualHost {
    /// Host names, `*.suffix`, `prefix.*` or `*`; none: `*`.
    pub domains: Vec<String>,
    /// The routes; the first that matches answers.
    pub routes: Vec<Route>,
    /// Options for all routes.
    pub options: Option<VirtualHostOptions>,
    /// `VirtualHostOption` objects to take further options from.
    pub options_config_refs: Option<OptionsConfigRefs>,
}
