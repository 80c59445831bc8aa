//! Envoy's HTTP connection manager.

use std::collections::BTreeMap;

use biplane_core::options::Upgrade;
use biplane_core::options::upgrades::UpgradeToggle;
use biplane_core::resources::gateway::HttpGateway;
use biplane_core::resources::gateway::http_connection_manager::HttpConnectionManagerSettings as Settings;
use envoy_types::pb::envoy::config::core::v3::{Http1ProtocolOptions, Http2ProtocolOptions, HttpProtocolOptions};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::http_connection_manager::{
    RouteSpecifier, StripPortMode, UpgradeConfig,
};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{HttpConnectionManager, Rds};

use super::{ListenerInput, access_log, filters};
use crate::names;
use crate::proto::{ads_for_routes, boolean, duration, uint32};

/// The manager of the listener `name`.
pub(super) fn of(name: &str, input: &ListenerInput<'_>, http: &HttpGateway) -> HttpConnectionManager {
    let settings = http.options.as_ref().and_then(|options| options.http_connection_manager_settings.clone());
    let settings = settings.unwrap_or_default();
    let upgrades = upgrades(&settings.upgrades, input.connect);
    HttpConnectionManager {
        stat_prefix: name.to_owned(),
        route_specifier: Some(RouteSpecifier::Rds(Rds {
            config_source: Some(ads_for_routes()),
            route_config_name: names::route_configuration(name),
        })),
        http_filters: filters::all(),
        access_log: access_log::of(input.spec.options.as_ref()),
        common_http_protocol_options: common(&settings),
        http_protocol_options: http1(&settings),
        http2_protocol_options: upgrades.iter().any(is_connect).then(allow_connect),
        upgrade_configs: upgrades,
        ..plain(&settings)
    }
}

/// The settings that Envoy has under the same names.
fn plain(settings: &Settings) -> HttpConnectionManager {
    HttpConnectionManager {
        skip_xff_append: settings.skip_xff_append.unwrap_or_default(),
        via: settings.via.clone().unwrap_or_default(),
        xff_num_trusted_hops: settings.xff_num_trusted_hops.unwrap_or_default(),
        // As for an edge proxy: what a client says about its address is not believed.
        use_remote_address: Some(boolean(settings.use_remote_address.unwrap_or(true))),
        generate_request_id: settings.generate_request_id.map(boolean),
        preserve_external_request_id: settings.preserve_external_request_id.unwrap_or_default(),
        stream_idle_timeout: settings.stream_idle_timeout.map(duration),
        max_request_headers_kb: settings.max_request_headers_kb.map(uint32),
        request_timeout: settings.request_timeout.map(duration),
        request_headers_timeout: settings.request_headers_timeout.map(duration),
        drain_timeout: settings.drain_timeout.map(duration),
        delayed_close_timeout: settings.delayed_close_timeout.map(duration),
        server_name: settings.server_name.clone().unwrap_or_default(),
        strip_port_mode: settings.strip_any_host_port.map(StripPortMode::StripAnyHostPort),
        merge_slashes: settings.merge_slashes.unwrap_or_default(),
        // `/public/../admin` must not match routes of `/public`.
        normalize_path: Some(boolean(settings.normalize_path.unwrap_or(true))),
        ..HttpConnectionManager::default()
    }
}

fn common(settings: &Settings) -> Option<HttpProtocolOptions> {
    let common = HttpProtocolOptions {
        idle_timeout: settings.idle_timeout.map(duration),
        max_connection_duration: settings.max_connection_duration.map(duration),
        max_stream_duration: settings.max_stream_duration.map(duration),
        max_headers_count: settings.max_headers_count.map(uint32),
        max_requests_per_connection: settings.max_requests_per_connection.map(uint32),
        ..HttpProtocolOptions::default()
    };
    (common != HttpProtocolOptions::default()).then_some(common)
}

fn http1(settings: &Settings) -> Option<Http1ProtocolOptions> {
    let http1 = Http1ProtocolOptions {
        accept_http_10: settings.accept_http10.unwrap_or_default(),
        default_host_for_http_10: settings.default_host_for_http10.clone().unwrap_or_default(),
        ..Http1ProtocolOptions::default()
    };
    (http1 != Http1ProtocolOptions::default()).then_some(http1)
}

/// Over HTTP/2 Envoy resets CONNECT requests unless told.
fn allow_connect() -> Http2ProtocolOptions {
    Http2ProtocolOptions { allow_connect: true, ..Http2ProtocolOptions::default() }
}

fn is_connect(upgrade: &UpgradeConfig) -> bool {
    upgrade.upgrade_type == CONNECT
}

/// The upgrades that all routes accept: WebSocket, as in Gloo; CONNECT where a route matches it. The last
/// word of the settings on one counts.
fn upgrades(settings: &[Upgrade], connect: bool) -> Vec<UpgradeConfig> {
    let mut upgrades = BTreeMap::from([(WEBSOCKET, true)]);
    if connect {
        upgrades.insert(CONNECT, true);
    }
    for upgrade in settings {
        if let (name, Some(toggle)) = name(upgrade) {
            upgrades.insert(name, toggle.enabled.unwrap_or(true));
        }
    }
    upgrades.into_iter().map(|(name, enabled)| config(name, enabled)).collect()
}

const CONNECT: &str = "CONNECT";
const WEBSOCKET: &str = "websocket";

fn name(upgrade: &Upgrade) -> (&'static str, Option<&UpgradeToggle>) {
    if upgrade.websocket.is_some() {
        return (WEBSOCKET, upgrade.websocket.as_ref());
    }
    (CONNECT, upgrade.connect.as_ref().or(upgrade.connect_terminate.as_ref()))
}

fn config(name: &str, enabled: bool) -> UpgradeConfig {
    UpgradeConfig {
        upgrade_type: name.to_owned(),
        // On is Envoy's default.
        enabled: (!enabled).then(|| boolean(false)),
        ..UpgradeConfig::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toggles(settings: &[Upgrade], connect: bool) -> Vec<(String, bool)> {
        let upgrades = upgrades(settings, connect).into_iter();
        upgrades.map(|config| (config.upgrade_type, config.enabled.is_none())).collect()
    }

    #[test]
    fn websocket_is_on_unless_the_settings_turn_it_off() {
        let websocket = |enabled| Upgrade {
            websocket: Some(UpgradeToggle { enabled: Some(enabled) }),
            ..Upgrade::default()
        };
        assert_eq!(toggles(&[], false), [("websocket".to_owned(), true)]);
        assert_eq!(toggles(&[websocket(false)], false), [("websocket".to_owned(), false)]);
        assert_eq!(toggles(&[websocket(false), websocket(true)], false), [("websocket".to_owned(), true)]);
        let both = [("CONNECT".to_owned(), true), ("websocket".to_owned(), true)];
        assert_eq!(toggles(&[], true), both);
    }
}
