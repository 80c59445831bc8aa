//! Active health checks.

use super::{Validator, headers, text};
use crate::path::Trail;
use crate::resources::Upstream;
use crate::resources::upstream::HealthCheck;
use crate::resources::upstream::health_check::{
    HealthCheckPayload, HttpHealthCheck, StatusRange, TcpHealthCheck,
};

/// Methods that Envoy checks with: all of HTTP's but CONNECT.
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"];

pub(super) fn health_checks(v: &mut Validator<'_, '_>, upstream: &Upstream, at: &Trail<'_>) {
    for (index, check) in upstream.health_checks.iter().enumerate() {
        let at = at.index(index);
        if index > 0 {
            v.error_hint(&at, "Envoy takes one health check for an upstream", "keep one of them");
        }
        health_check(v, check, &at);
        if check.grpc_health_check.is_some() && upstream.use_http2 != Some(true) {
            let hint = "write useHttp2: true in the upstream";
            v.missing(&at.field("grpcHealthCheck"), "a gRPC health check needs HTTP/2", hint);
        }
    }
}

fn health_check(v: &mut Validator<'_, '_>, check: &HealthCheck, at: &Trail<'_>) {
    let kinds = [
        ("httpHealthCheck", check.http_health_check.is_some()),
        ("tcpHealthCheck", check.tcp_health_check.is_some()),
        ("grpcHealthCheck", check.grpc_health_check.is_some()),
    ];
    v.exactly_one(at, "the kind of health check", &kinds);
    let times = [
        ("timeout", check.timeout),
        ("interval", check.interval),
        ("noTrafficInterval", check.no_traffic_interval),
        ("unhealthyInterval", check.unhealthy_interval),
        ("unhealthyEdgeInterval", check.unhealthy_edge_interval),
        ("healthyEdgeInterval", check.healthy_edge_interval),
    ];
    for (name, time) in times {
        v.above_zero(&at.field(name), time);
    }
    v.within(&at.field("unhealthyThreshold"), check.unhealthy_threshold, 1, u32::MAX);
    v.within(&at.field("healthyThreshold"), check.healthy_threshold, 1, u32::MAX);
    if let Some(http) = &check.http_health_check {
        http_check(v, http, &at.field("httpHealthCheck"));
    }
    if let Some(tcp) = &check.tcp_health_check {
        tcp_check(v, tcp, &at.field("tcpHealthCheck"));
    }
    if let Some(authority) = check.grpc_health_check.as_ref().and_then(|grpc| grpc.authority.as_ref()) {
        let at = at.field("grpcHealthCheck");
        headers::value(v, authority, &at.field("authority"));
    }
}

fn http_check(v: &mut Validator<'_, '_>, check: &HttpHealthCheck, at: &Trail<'_>) {
    if check.path.is_empty() {
        v.missing(&at.field("path"), "the path to ask for is missing", "write path: /healthz");
    } else {
        path(v, &check.path, &at.field("path"));
    }
    if let Some(host) = &check.host {
        strict_value(v, host, &at.field("host"));
    }
    if let Some(each) = &check.method {
        method(v, each, &at.field("method"));
    }
    headers::added(v, &check.request_headers_to_add, &at.field("requestHeadersToAdd"));
    headers::removed(v, &check.request_headers_to_remove, &at.field("requestHeadersToRemove"));
    for (index, range) in check.expected_statuses.iter().enumerate() {
        status_range(v, range, &at.field("expectedStatuses").index(index));
    }
}

/// A path with its query, as a health check sends it.
pub(super) fn path(v: &mut Validator<'_, '_>, path: &str, at: &Trail<'_>) {
    if !path.starts_with('/') {
        v.error_hint(at, "a path starts with /", format!("write /{path}"));
        return;
    }
    strict_value(v, path, at);
    let bare = path.split(['?', '#']).next().unwrap_or_default();
    if let Err(why) = text::path_characters(bare) {
        v.error(at, why);
    }
}

pub(super) fn method(v: &mut Validator<'_, '_>, method: &str, at: &Trail<'_>) {
    if !METHODS.contains(&method) {
        let hint = format!("it is one of {}", METHODS.join(", "));
        v.error_hint(at, format!("Envoy makes no health check with {method:?}"), hint);
    }
}

/// Envoy is stricter about headers of health checks than about others.
fn strict_value(v: &mut Validator<'_, '_>, value: &str, at: &Trail<'_>) {
    if value.chars().any(|c| c.is_control() && c != '\t') {
        v.error(at, "a control character cannot stand here");
    }
}

fn status_range(v: &mut Validator<'_, '_>, range: &StatusRange, at: &Trail<'_>) {
    if range.start < 100 || range.end > 600 {
        v.error(at, format!("{} to {} reaches beyond the status codes, 100 to 599", range.start, range.end));
    } else if range.start >= range.end {
        let hint = format!("`end` is the code behind the last: write end: {}", range.start + 1);
        v.error_hint(at, "the range is empty", hint);
    }
}

fn tcp_check(v: &mut Validator<'_, '_>, check: &TcpHealthCheck, at: &Trail<'_>) {
    if let Some(send) = &check.send {
        payload(v, send, &at.field("send"));
    }
    for (index, receive) in check.receive.iter().enumerate() {
        payload(v, receive, &at.field("receive").index(index));
    }
}

fn payload(v: &mut Validator<'_, '_>, payload: &HealthCheckPayload, at: &Trail<'_>) {
    let text = &payload.text;
    let hexadecimal = text.len().is_multiple_of(2) && text.bytes().all(|b| b.is_ascii_hexdigit());
    if text.is_empty() {
        v.missing(&at.field("text"), "the bytes are missing", "write them in hexadecimal digits");
    } else if !hexadecimal {
        v.error_hint(
            &at.field("text"),
            "the bytes are written in pairs of hexadecimal digits",
            "PING is 50494e47",
        );
    }
}
