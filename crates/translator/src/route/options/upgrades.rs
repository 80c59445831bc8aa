//! `upgrades`. Envoy refuses one type twice on a route, so the first of a type counts; CONNECT and
//! terminated CONNECT are one type.

use biplane_core::options::{RouteOptions, Upgrade};
use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::config::route::v3::route_action::UpgradeConfig;
use envoy_types::pb::envoy::config::route::v3::route_action::upgrade_config::ConnectConfig;

use super::forwarding;
use crate::proto::boolean;

pub(super) fn apply(options: &RouteOptions, route: &mut Route) {
    let Some(action) = forwarding(route) else { return };
    for config in options.upgrades.iter().filter_map(upgrade) {
        if action.upgrade_configs.iter().all(|other| other.upgrade_type != config.upgrade_type) {
            action.upgrade_configs.push(config);
        }
    }
}

fn upgrade(upgrade: &Upgrade) -> Option<UpgradeConfig> {
    let (name, toggle, terminate) = if let Some(toggle) = &upgrade.websocket {
        ("websocket", toggle, None)
    } else if let Some(toggle) = &upgrade.connect {
        ("CONNECT", toggle, None)
    } else {
        ("CONNECT", upgrade.connect_terminate.as_ref()?, Some(ConnectConfig::default()))
    };
    Some(UpgradeConfig {
        upgrade_type: name.to_owned(),
        enabled: toggle.enabled.map(boolean),
        connect_config: terminate,
    })
}
