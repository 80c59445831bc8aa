//! Active health checks.

use std::collections::BTreeSet;

use biplane_core::path::FieldPath;
use biplane_core::resources::Upstream;
use biplane_core::resources::upstream::StaticHost;
use biplane_core::resources::upstream::health_check::{
    GrpcHealthCheck as UserGrpc, HealthCheck as User, HealthCheckPayload, HttpHealthCheck as UserHttp,
    StatusRange, TcpHealthCheck as UserTcp,
};
use biplane_core::scalars::Duration as UserDuration;
use envoy_types::pb::envoy::config::core::v3::health_check::{
    GrpcHealthCheck, HealthChecker, HttpHealthCheck, Payload, TcpHealthCheck, payload,
};
use envoy_types::pb::envoy::config::core::v3::{HealthCheck, RequestMethod};
use envoy_types::pb::envoy::r#type::v3::{CodecClientType, Int64Range};

use super::Reporter;
use super::endpoints::{Endpoints, is_dns};
use crate::proto::{boolean, duration, header, uint32};

/// Gloo's and Envoy's words for "a usual check"; Envoy itself has no defaults for them.
const TIMEOUT: UserDuration = UserDuration(std::time::Duration::from_secs(5));
const INTERVAL: UserDuration = UserDuration(std::time::Duration::from_secs(10));
const UNHEALTHY: u32 = 3;
const HEALTHY: u32 = 1;

/// The check of `upstream`. Envoy takes one: of several it refuses the cluster (1.40: unless they have names, which
/// Gloo's have not).
pub(super) fn of(
    upstream: &Upstream,
    endpoints: &Endpoints<'_>,
    report: &mut Reporter<'_>,
) -> Option<HealthCheck> {
    let host = HostCheck::of(endpoints, report);
    let path = FieldPath::root().field("healthChecks");
    let mut checks = upstream.health_checks.iter().enumerate();
    let first = checks.next().and_then(|(_, user)| Some(check(user, checker(user, upstream, &host)?)));
    for (index, _) in checks {
        let message = "Envoy takes one health check for an upstream; the first counts";
        report.error(path.index(index), message, "keep one");
    }
    first
}

/// The host name that checks of `host` send, where it differs from the cluster's name.
pub(super) fn hostname(upstream: &Upstream, host: &StaticHost) -> Option<String> {
    let unnamed = upstream
        .health_checks
        .iter()
        .any(|check| check.http_health_check.as_ref().is_some_and(|http| http.host.is_none()));
    (unnamed && is_dns(host)).then(|| host.addr.clone())
}

/// What the hosts say about how they want to be asked.
#[derive(Default)]
struct HostCheck<'a> {
    path: Option<&'a str>,
    method: Option<&'a str>,
}

impl<'a> HostCheck<'a> {
    /// Envoy asks all hosts of a cluster the same, so it counts only where all agree.
    fn of(endpoints: &Endpoints<'a>, report: &mut Reporter<'_>) -> Self {
        let wishes: BTreeSet<_> = endpoints
            .hosts
            .iter()
            .map(|host| {
                let wish = host.health_check_config.as_ref();
                (wish.and_then(|wish| wish.path.as_deref()), wish.and_then(|wish| wish.method.as_deref()))
            })
            .collect();
        if wishes.len() > 1 {
            let path = FieldPath::root().field("static").field("hosts");
            let message = "healthCheckConfig differs between hosts and is not used";
            report.warning(
                path,
                message,
                "Envoy asks all hosts of an upstream the same: make an upstream of each",
            );
            return Self::default();
        }
        wishes.first().map(|(path, method)| Self { path: *path, method: *method }).unwrap_or_default()
    }
}

fn check(user: &User, checker: HealthChecker) -> HealthCheck {
    HealthCheck {
        timeout: Some(duration(user.timeout.unwrap_or(TIMEOUT))),
        interval: Some(duration(user.interval.unwrap_or(INTERVAL))),
        initial_jitter: user.initial_jitter.map(duration),
        interval_jitter: user.interval_jitter.map(duration),
        interval_jitter_percent: user.interval_jitter_percent.unwrap_or_default(),
        unhealthy_threshold: Some(uint32(user.unhealthy_threshold.unwrap_or(UNHEALTHY))),
        healthy_threshold: Some(uint32(user.healthy_threshold.unwrap_or(HEALTHY))),
        reuse_connection: user.reuse_connection.map(boolean),
        no_traffic_interval: user.no_traffic_interval.map(duration),
        unhealthy_interval: user.unhealthy_interval.map(duration),
        unhealthy_edge_interval: user.unhealthy_edge_interval.map(duration),
        healthy_edge_interval: user.healthy_edge_interval.map(duration),
        health_checker: Some(checker),
        ..HealthCheck::default()
    }
}

fn checker(user: &User, upstream: &Upstream, host: &HostCheck<'_>) -> Option<HealthChecker> {
    if let Some(user) = &user.http_health_check {
        return Some(HealthChecker::HttpHealthCheck(http(user, upstream.use_http2 == Some(true), host)));
    }
    if let Some(user) = &user.tcp_health_check {
        return Some(HealthChecker::TcpHealthCheck(tcp(user)));
    }
    user.grpc_health_check.as_ref().map(|user| HealthChecker::GrpcHealthCheck(grpc(user)))
}

fn http(user: &UserHttp, http2: bool, host: &HostCheck<'_>) -> HttpHealthCheck {
    let codec = if user.use_http2.unwrap_or(http2) { CodecClientType::Http2 } else { CodecClientType::Http1 };
    HttpHealthCheck {
        host: user.host.clone().unwrap_or_default(),
        path: host.path.unwrap_or(&user.path).to_owned(),
        method: host
            .method
            .or(user.method.as_deref())
            .map_or(RequestMethod::MethodUnspecified, method)
            .into(),
        request_headers_to_add: user.request_headers_to_add.iter().map(header).collect(),
        request_headers_to_remove: user.request_headers_to_remove.clone(),
        expected_statuses: user.expected_statuses.iter().map(statuses).collect(),
        codec_client_type: codec.into(),
        ..HttpHealthCheck::default()
    }
}

/// Envoy's number of a method; decoding has refused the names that it does not know.
fn method(name: &str) -> RequestMethod {
    RequestMethod::from_str_name(name).unwrap_or_default()
}

fn statuses(range: &StatusRange) -> Int64Range {
    Int64Range { start: range.start.into(), end: range.end.into() }
}

fn tcp(user: &UserTcp) -> TcpHealthCheck {
    TcpHealthCheck {
        send: user.send.as_ref().map(payload),
        receive: user.receive.iter().map(payload).collect(),
        ..TcpHealthCheck::default()
    }
}

fn payload(user: &HealthCheckPayload) -> Payload {
    Payload { payload: Some(payload::Payload::Text(user.text.clone())) }
}

fn grpc(user: &UserGrpc) -> GrpcHealthCheck {
    GrpcHealthCheck {
        service_name: user.service_name.clone().unwrap_or_default(),
        authority: user.authority.clone().unwrap_or_default(),
        ..GrpcHealthCheck::default()
    }
}
