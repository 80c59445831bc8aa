//! Connections to the endpoints: how they are made, kept, and what is spoken on them.

use biplane_core::path::FieldPath;
use biplane_core::resources::Upstream;
use biplane_core::resources::upstream::ConnectionConfig;
use biplane_core::resources::upstream::connection::{
    CommonHttpProtocolOptions, TcpKeepalive as UserKeepalive,
};
use biplane_core::scalars::Duration as UserDuration;
use envoy_types::pb::envoy::config::cluster::v3::{Cluster, UpstreamConnectionOptions};
use envoy_types::pb::envoy::config::core::v3::{
    Http1ProtocolOptions, Http2ProtocolOptions, HttpProtocolOptions as Common, TcpKeepalive,
};
use envoy_types::pb::envoy::extensions::upstreams::http::v3::HttpProtocolOptions;
use envoy_types::pb::envoy::extensions::upstreams::http::v3::http_protocol_options::explicit_http_config::ProtocolConfig;
use envoy_types::pb::envoy::extensions::upstreams::http::v3::http_protocol_options::{
    ExplicitHttpConfig, UpstreamProtocolOptions,
};
use envoy_types::pb::google::protobuf::{Duration, UInt32Value};

use super::Reporter;
use crate::encode;
use crate::proto::{duration, uint32};

/// How long connecting may take where the user does not say.
const CONNECT_TIMEOUT: Duration = Duration { seconds: 5, nanos: 0 };

/// The key under which Envoy looks for the options of HTTP.
const HTTP: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// Sets all of it.
pub(super) fn apply(upstream: &Upstream, cluster: &mut Cluster, report: &mut Reporter<'_>) {
    let user = upstream.connection_config.clone().unwrap_or_default();
    cluster.connect_timeout = Some(user.connect_timeout.map_or(CONNECT_TIMEOUT, duration));
    cluster.per_connection_buffer_limit_bytes = user.per_connection_buffer_limit_bytes.map(uint32);
    cluster.upstream_connection_options = user.tcp_keepalive.as_ref().map(|user| UpstreamConnectionOptions {
        tcp_keepalive: Some(keepalive(user)),
        ..UpstreamConnectionOptions::default()
    });
    if let Some(http) = http(upstream, &user, report) {
        cluster.typed_extension_protocol_options.insert(HTTP.into(), encode::any(&http));
    }
}

fn keepalive(user: &UserKeepalive) -> TcpKeepalive {
    TcpKeepalive {
        keepalive_probes: user.keepalive_probes.map(uint32),
        keepalive_time: user.keepalive_time.map(whole_seconds),
        keepalive_interval: user.keepalive_interval.map(whole_seconds),
    }
}

/// The kernel counts in whole seconds: rounded up, because 0 would not be what a small span means.
fn whole_seconds(span: UserDuration) -> UInt32Value {
    let seconds = span.0.as_secs() + u64::from(span.0.subsec_nanos() > 0);
    uint32(u32::try_from(seconds).unwrap_or(u32::MAX))
}

/// The options of HTTP; `None`: all are Envoy's own, HTTP/1.1 among them.
fn http(
    upstream: &Upstream,
    user: &ConnectionConfig,
    report: &mut Reporter<'_>,
) -> Option<HttpProtocolOptions> {
    let common = common(user);
    let http2 = http2(upstream, report);
    if common.is_none() && http2.is_none() {
        return None;
    }
    let protocol = http2.map_or_else(
        || ProtocolConfig::HttpProtocolOptions(Http1ProtocolOptions::default()),
        ProtocolConfig::Http2ProtocolOptions,
    );
    Some(HttpProtocolOptions {
        common_http_protocol_options: common,
        upstream_protocol_options: Some(UpstreamProtocolOptions::ExplicitHttpConfig(ExplicitHttpConfig {
            protocol_config: Some(protocol),
        })),
        ..HttpProtocolOptions::default()
    })
}

fn common(user: &ConnectionConfig) -> Option<Common> {
    let http: CommonHttpProtocolOptions = user.common_http_protocol_options.clone().unwrap_or_default();
    let common = Common {
        idle_timeout: http.idle_timeout.map(duration),
        max_headers_count: http.max_headers_count.map(uint32),
        max_stream_duration: http.max_stream_duration.map(duration),
        max_requests_per_connection: user.max_requests_per_connection.map(uint32),
        ..Common::default()
    };
    (common != Common::default()).then_some(common)
}

fn http2(upstream: &Upstream, report: &mut Reporter<'_>) -> Option<Http2ProtocolOptions> {
    if upstream.use_http2 != Some(true) {
        warn_of_unused(upstream, report);
        return None;
    }
    Some(Http2ProtocolOptions {
        max_concurrent_streams: upstream.max_concurrent_streams.map(uint32),
        initial_stream_window_size: upstream.initial_stream_window_size.map(uint32),
        initial_connection_window_size: upstream.initial_connection_window_size.map(uint32),
        // WebSocket over HTTP/2 is an extended CONNECT.
        allow_connect: true,
        ..Http2ProtocolOptions::default()
    })
}

fn warn_of_unused(upstream: &Upstream, report: &mut Reporter<'_>) {
    let fields = [
        ("initialStreamWindowSize", upstream.initial_stream_window_size),
        ("initialConnectionWindowSize", upstream.initial_connection_window_size),
        ("maxConcurrentStreams", upstream.max_concurrent_streams),
    ];
    for (field, _) in fields.into_iter().filter(|(_, value)| value.is_some()) {
        let path = FieldPath::root().field(field);
        report.warning(path, "has no effect on HTTP/1.1", "set useHttp2: true if the upstream speaks HTTP/2");
    }
}
