//! Rewrites of the path and of the host. Of each kind at most one is set (merging counts them as
//! one field).

use biplane_core::options::RouteOptions;
use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::config::route::v3::route_action::HostRewriteSpecifier;

use super::forwarding;
use crate::proto::boolean;
use crate::route::values::substitute;

pub(super) fn apply(options: &RouteOptions, route: &mut Route) {
    let Some(action) = forwarding(route) else { return };
    action.prefix_rewrite = options.prefix_rewrite.clone().unwrap_or_default();
    action.regex_rewrite =
        options.regex_rewrite.as_ref().map(|rewrite| substitute(&rewrite.pattern, &rewrite.substitution));
    action.host_rewrite_specifier = host(options);
    action.append_x_forwarded_host = options.append_x_forwarded_host.unwrap_or_default();
}

fn host(options: &RouteOptions) -> Option<HostRewriteSpecifier> {
    if let Some(host) = &options.host_rewrite {
        Some(HostRewriteSpecifier::HostRewriteLiteral(host.clone()))
    } else if let Some(header) = &options.host_rewrite_header {
        Some(HostRewriteSpecifier::HostRewriteHeader(header.clone()))
    } else if let Some(rewrite) = &options.host_rewrite_path_regex {
        let rewrite = substitute(&rewrite.pattern, &rewrite.substitution);
        Some(HostRewriteSpecifier::HostRewritePathRegex(rewrite))
    } else {
        let auto = options.auto_host_rewrite.unwrap_or_default();
        auto.then_some(HostRewriteSpecifier::AutoHostRewrite(boolean(true)))
    }
}
