//! Upstreams: where the endpoints are, and how to talk to them.

mod discovery;

use super::{Validator, health, load_balancer, text, tls};
use crate::path::Trail;
use crate::resources::Upstream;
use crate::resources::upstream::connection::ConnectionConfig;
use crate::resources::upstream::{OutlierDetection, StaticHost, StaticUpstream};
use crate::scalars::Duration;

/// HTTP/2's bounds of a flow-control window.
const WINDOW: (u32, u32) = (65_535, 2_147_483_647);
/// Longest path of a Unix socket.
const MAX_PIPE: usize = 108;

pub(super) fn upstream(v: &mut Validator<'_, '_>, upstream: &Upstream, at: &Trail<'_>) {
    if v.findings.key().namespace.contains('_') {
        // Gloo's cluster names join name and namespace by `_`: a_b in c and a in b_c would be one cluster.
        let message =
            "an upstream's namespace must not contain _: its cluster could not be told from another's";
        v.error_hint(at, message, "move the upstream to a namespace without _");
    }
    v.exactly_one(
        at,
        "the upstream's type",
        &[
            ("static", upstream.r#static.is_some()),
            ("pipe", upstream.pipe.is_some()),
            ("consul", upstream.consul.is_some()),
            ("nomad", upstream.nomad.is_some()),
            ("awsEc2", upstream.aws_ec2.is_some()),
            ("dns", upstream.dns.is_some()),
        ],
    );
    if let Some(each) = &upstream.r#static {
        static_hosts(v, each, &at.field("static"));
    }
    if let Some(pipe) = &upstream.pipe {
        let at = at.field("pipe");
        pipe_path(v, &pipe.path, &at.field("path"));
    }
    if let Some(found) = upstream.discovery() {
        discovery::discovery(v, found, at);
    }
    if let Some(config) = &upstream.ssl_config {
        tls::upstream(v, config, &at.field("sslConfig"));
    }
    if let Some(config) = &upstream.load_balancer_config {
        load_balancer::load_balancer(v, config, &at.field("loadBalancerConfig"));
    }
    if let Some(config) = &upstream.connection_config {
        connection(v, config, &at.field("connectionConfig"));
    }
    health::health_checks(v, upstream, &at.field("healthChecks"));
    if let Some(detection) = &upstream.outlier_detection {
        outliers(v, detection, &at.field("outlierDetection"));
    }
    v.within(&at.field("initialStreamWindowSize"), upstream.initial_stream_window_size, WINDOW.0, WINDOW.1);
    v.within(
        &at.field("initialConnectionWindowSize"),
        upstream.initial_connection_window_size,
        WINDOW.0,
        WINDOW.1,
    );
    v.within(&at.field("maxConcurrentStreams"), upstream.max_concurrent_streams, 1, WINDOW.1);
    let refresh = upstream.dns_refresh_rate;
    if refresh.is_some_and(|rate| rate <= Duration(std::time::Duration::from_millis(1))) {
        v.error(&at.field("dnsRefreshRate"), "must be longer than 1ms");
    }
}

fn static_hosts(v: &mut Validator<'_, '_>, upstream: &StaticUpstream, at: &Trail<'_>) {
    let at = at.field("hosts");
    if upstream.hosts.is_empty() {
        v.missing(&at, "the upstream has no hosts", "write hosts: [{addr: ..., port: ...}]");
    }
    for (index, host) in upstream.hosts.iter().enumerate() {
        static_host(v, host, &at.index(index));
    }
}

fn static_host(v: &mut Validator<'_, '_>, host: &StaticHost, at: &Trail<'_>) {
    let addr = at.field("addr");
    if host.addr.is_empty() {
        v.missing(&addr, "the host has no address", "write addr: an IP address or a DNS name");
    } else if let Err(why) = text::host(&host.addr) {
        v.error(&addr, format!("{:?}: {why}", host.addr));
    }
    if host.port == 0 {
        v.missing(&at.field("port"), "the host has no port", "write port: 80");
    } else {
        v.within(&at.field("port"), Some(host.port), 1, 65_535);
    }
    tls::sent_server_name(v, host.sni_addr.as_deref(), &at.field("sniAddr"));
    v.within(&at.field("loadBalancingWeight"), host.load_balancing_weight, 1, u32::MAX);
    if let Some(check) = &host.health_check_config {
        let at = at.field("healthCheckConfig");
        if let Some(path) = &check.path {
            health::path(v, path, &at.field("path"));
        }
        if let Some(method) = &check.method {
            health::method(v, method, &at.field("method"));
        }
    }
}

fn pipe_path(v: &mut Validator<'_, '_>, path: &str, at: &Trail<'_>) {
    if path.is_empty() {
        v.missing(at, "the path of the socket is missing", "write path: /run/app.sock");
    } else if path.contains('\0') {
        v.error(at, "a zero byte cannot stand in a path");
    } else if path.len() >= MAX_PIPE {
        v.error(at, format!("longer than the {} bytes that the path of a socket has", MAX_PIPE - 1));
    }
}

fn connection(v: &mut Validator<'_, '_>, config: &ConnectionConfig, at: &Trail<'_>) {
    v.above_zero(&at.field("connectTimeout"), config.connect_timeout);
    if let Some(options) = &config.common_http_protocol_options {
        let at = at.field("commonHttpProtocolOptions");
        v.within(&at.field("maxHeadersCount"), options.max_headers_count, 1, u32::MAX);
    }
    let Some(keepalive) = &config.tcp_keepalive else { return };
    let at = at.field("tcpKeepalive");
    let times =
        [("keepaliveTime", keepalive.keepalive_time), ("keepaliveInterval", keepalive.keepalive_interval)];
    for (name, time) in times {
        v.above_zero(&at.field(name), time);
        if time.is_some_and(|time| time.0.as_secs() > 32_767) {
            v.error(&at.field(name), "longer than the 32767s that the kernel takes");
        }
    }
    v.within(&at.field("keepaliveProbes"), keepalive.keepalive_probes, 1, 127);
}

fn outliers(v: &mut Validator<'_, '_>, detection: &OutlierDetection, at: &Trail<'_>) {
    v.above_zero(&at.field("interval"), detection.interval);
    v.above_zero(&at.field("baseEjectionTime"), detection.base_ejection_time);
    let percents = [
        ("maxEjectionPercent", detection.max_ejection_percent),
        ("enforcingConsecutive5xx", detection.enforcing_consecutive5xx),
        ("enforcingSuccessRate", detection.enforcing_success_rate),
        ("enforcingConsecutiveGatewayFailure", detection.enforcing_consecutive_gateway_failure),
        ("enforcingConsecutiveLocalOriginFailure", detection.enforcing_consecutive_local_origin_failure),
        ("enforcingLocalOriginSuccessRate", detection.enforcing_local_origin_success_rate),
    ];
    for (name, percent) in percents {
        v.within(&at.field(name), percent, 0, 100);
    }
}
