//! Fields that Gloo has and Biplane has not, so that each is named instead of taken for a slip.

/// What it means for the object that a field is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// The rest of the object works without it.
    Without,
    /// A guard that does not stand: the rest works, and lets through what the guard would stop.
    Unguarded,
    /// What the object is for; it cannot be used.
    Refused,
}

use Standing::{Refused, Unguarded, Without};

/// Fields of one message that share a standing and a remark.
struct Group {
    message: &'static str,
    standing: Standing,
    /// Why, or what to do instead.
    remark: &'static str,
    fields: &'static [&'static str],
}

const LATER: &str = "not supported yet";
const ENTERPRISE: &str = "a feature of Gloo's enterprise edition, not supported yet";
const KUBERNETES: &str = "it has a meaning on Kubernetes only";
const PRIVATE_FILTER: &str =
    "it needs a filter of Gloo's own Envoy; where only headers change, use headerManipulation";
const PROCESS: &str = "a setting of the process: see `biplane config show`";

const fn group(
    message: &'static str,
    standing: Standing,
    remark: &'static str,
    fields: &'static [&'static str],
) -> Group {
    Group { message, standing, remark, fields }
}

#[rustfmt::skip]
const GROUPS: &[Group] = &[
    group("Gateway", Refused, "TCP gateways are not supported yet", &["tcpGateway"]),
    group("Gateway", Refused, "hybrid gateways are not supported yet; write one Gateway with httpGateway for each port",
        &["hybridGateway"]),
    group("ListenerOptions", Without, LATER, &["listenerAccessLoggingService", "socketOptions", "connectionBalanceConfig",
        "tcpStats", "extensions"]),
    group("ListenerOptions", Without, "without its rules, `useProxyProto: true` does it", &["proxyProtocol"]),
    group("HttpListenerOptions", Without, LATER, &["grpcWeb", "healthCheck", "gzip", "buffer", "grpcJsonTranscoder",
        "dynamicForwardProxy", "router", "headerValidationSettings", "extensions"]),
    group("HttpListenerOptions", Unguarded, LATER, &["csrf", "connectionLimit", "networkLocalRatelimit", "httpLocalRatelimit",
        "extauth", "ratelimitServer"]),
    group("HttpListenerOptions", Without, ENTERPRISE, &["wasm", "caching", "extProc", "extProcEarly", "extProcLate",
        "disableExtProc", "proxyLatency", "sanitizeClusterHeader", "leftmostXffAddress", "tap", "statefulSession"]),
    group("HttpListenerOptions", Unguarded, ENTERPRISE, &["waf", "dlp"]),
    group("HttpConnectionManagerSettings", Without, LATER, &["proxy100Continue", "serverHeaderTransformation",
        "allowChunkedLength", "enableTrailers", "properCaseHeaderKeyFormat", "preserveCaseHeaderKeyFormat", "tracing",
        "forwardClientCertDetails", "setCurrentClientCertDetails", "headersWithUnderscoresAction",
        "pathWithEscapedSlashesAction", "codecType", "uuidRequestIdConfig", "http2ProtocolOptions", "internalAddressConfig",
        "appendXForwardedPort", "earlyHeaderManipulation", "extensions"]),
    group("AccessLog", Without, "only fileSink is supported so far; this log is not written", &["grpcService",
        "openTelemetryService"]),
    group("AccessLog", Without, "not supported yet; every request is logged", &["filter"]),
    group("VirtualHost", Without, "Gloo has dropped it; it may be removed", &["name"]),
    group("VirtualHostOptions", Without, LATER, &["stats", "corsPolicyMergeSettings", "bufferPerRoute", "extensions"]),
    group("VirtualHostOptions", Without, PRIVATE_FILTER, &["stagedTransformations", "transformations"]),
    group("VirtualHostOptions", Unguarded, LATER, &["ratelimit", "extauth", "csrf"]),
    group("VirtualHostOptions", Unguarded, ENTERPRISE, &["waf", "jwt", "jwtStaged", "rbac", "dlp", "ratelimitBasic",
        "ratelimitEarly", "ratelimitRegular", "rateLimitConfigs", "rateLimitEarlyConfigs", "rateLimitRegularConfigs"]),
    group("VirtualHostOptions", Without, ENTERPRISE, &["extProc", "extProcEarly", "extProcLate"]),
    group("RouteOptions", Without, LATER, &["faults", "tracing", "shadowing", "bufferPerRoute", "envoyMetadata", "extensions"]),
    group("RouteOptions", Without, PRIVATE_FILTER, &["stagedTransformations", "transformations"]),
    group("RouteOptions", Unguarded, LATER, &["ratelimit", "extauth", "csrf"]),
    group("RouteOptions", Unguarded, ENTERPRISE, &["waf", "jwt", "jwtStaged", "jwtProvidersStaged", "rbac", "dlp",
        "ratelimitBasic", "ratelimitEarly", "ratelimitRegular", "rateLimitConfigs", "rateLimitEarlyConfigs",
        "rateLimitRegularConfigs"]),
    group("RouteOptions", Without, ENTERPRISE, &["extProc", "extProcEarly", "extProcLate", "ai"]),
    group("RouteOption", Without, KUBERNETES, &["targetRefs"]),
    group("VirtualHostOption", Without, KUBERNETES, &["targetRefs"]),
    group("Retries", Without, LATER, &["rateLimitedRetryBackOff", "previousPriorities"]),
    group("RouteAction", Refused, "dynamic forward proxying is not supported yet", &["dynamicForwardProxy"]),
    group("Destination", Refused, "Kubernetes services are not supported; write an Upstream", &["kube"]),
    group("Destination", Without, "routing to functions is not supported yet; the request goes to the upstream as it came",
        &["destinationSpec"]),
    group("WeightedDestinationOptions", Without, LATER, &["bufferPerRoute", "extensions"]),
    group("WeightedDestinationOptions", Without, PRIVATE_FILTER, &["stagedTransformations", "transformations"]),
    group("WeightedDestinationOptions", Unguarded, LATER, &["extauth", "csrf"]),
    group("SslConfig", Refused, "an SDS server of your own is not supported yet; use secretRef or sslFiles", &["sds"]),
    group("UpstreamSslConfig", Refused, "an SDS server of your own is not supported yet; use secretRef or sslFiles", &["sds"]),
    group("Upstream", Refused, "upstreams of Kubernetes services are not supported; write their hosts under `static`", &["kube"]),
    group("Upstream", Refused, "upstreams that are functions are not supported yet", &["aws", "azure"]),
    group("Upstream", Refused, "a feature of Gloo's enterprise edition, not supported", &["gcp", "ai"]),
    group("Upstream", Without, LATER, &["protocolSelection", "httpProxyHostname", "httpConnectSslConfig",
        "httpConnectHeaders", "overrideStreamErrorOnInvalidHttpMessage", "proxyProtocolVersion", "preconnectPolicy"]),
    group("Upstream", Without, ENTERPRISE, &["failover"]),
    group("Upstream", Without, KUBERNETES, &["disableIstioAutoMtls"]),
    group("Upstream", Without, "Gloo's discovery keeps notes in it; it may be removed", &["discoveryMetadata"]),
    group("StaticUpstream", Without, "routing to functions is not supported yet", &["serviceSpec"]),
    group("ConsulUpstream", Without, "routing to functions is not supported yet", &["serviceSpec"]),
    group("PipeUpstream", Without, "routing to functions is not supported yet", &["serviceSpec"]),
    group("LoadBalancerConfig", Without, LATER, &["localityWeightedLbConfig"]),
    group("ConnectionConfig", Without, LATER, &["http1ProtocolOptions"]),
    group("CommonHttpProtocolOptions", Without, LATER, &["headersWithUnderscoresAction"]),
    group("HealthCheck", Refused, "custom health checkers are not supported yet", &["customHealthCheck"]),
    group("HealthCheck", Without, LATER, &["eventLogPath", "alwaysLogHealthCheckFailures"]),
    group("HttpHealthCheck", Without, LATER, &["serviceName"]),
    group("HttpHealthCheck", Without, ENTERPRISE, &["responseAssertions"]),
    group("Secret", Refused, "secrets of this form are not supported", &["extensions", "accountCredentials"]),
    group("Settings", Without, PROCESS, &["discoveryNamespace", "watchNamespaces", "watchNamespaceSelectors",
        "kubernetesConfigSource", "directoryConfigSource", "consulKvSource", "kubernetesSecretSource", "vaultSecretSource",
        "directorySecretSource", "secretOptions", "kubernetesArtifactSource", "directoryArtifactSource",
        "consulKvArtifactSource", "refreshRate", "consul", "linkerd", "devMode", "observabilityOptions"]),
    group("Settings", Without, LATER, &["consulDiscovery", "discovery", "upstreamOptions", "gateway", "ipV4Only",
        "consoleOptions", "graphqlOptions", "extensions"]),
    group("Settings", Unguarded, LATER, &["extauth", "namedExtauth", "ratelimit", "ratelimitServer"]),
    group("Settings", Unguarded, ENTERPRISE, &["rbac"]),
    group("Settings", Without, ENTERPRISE, &["cachingServer", "extProc", "extProcEarly", "extProcLate"]),
    group("Settings", Without, KUBERNETES, &["kubernetes", "knative"]),
    group("GlooSettings", Without, PROCESS, &["xdsBindAddr", "validationBindAddr", "restXdsBindAddr", "proxyDebugBindAddr",
        "endpointsWarmingTimeout", "disableProxyGarbageCollection", "enableRestEds"]),
    group("GlooSettings", Without, LATER, &["circuitBreakers", "awsOptions", "disableGrpcWeb", "regexMaxProgramSize",
        "failoverUpstreamDnsPollingInterval", "removeUnusedFilters", "transformationEscapeCharacters",
        "logTransformationRequestResponseInfo", "enableAutoWebsocketTransformationPassthrough"]),
    group("GlooSettings", Without, KUBERNETES, &["disableKubernetesDestinations", "istioOptions"]),
];

/// What is said about Gloo's field `field` of `message`; `None` for a field that Gloo has not either.
pub(super) fn find(message: &str, field: &str) -> Option<(Standing, &'static str)> {
    GROUPS
        .iter()
        .find(|group| group.message == message && group.fields.contains(&field))
        .map(|group| (group.standing, group.remark))
}

/// Gloo's fields of `message` that Biplane has not.
pub(super) fn of(message: &str) -> impl Iterator<Item = &'static str> {
    GROUPS.iter().filter(move |group| group.message == message).flat_map(|group| group.fields).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::Shapes;

    #[test]
    fn table_names_messages_that_exist_and_fields_that_biplane_has_not() {
        for group in GROUPS {
            let message = Shapes::get().messages.iter().find(|message| message.name == group.message);
            let message = message.unwrap_or_else(|| panic!("no message {}", group.message));
            for field in group.fields {
                assert!(message.field(field).is_none(), "{}.{field} is supported now", group.message);
            }
        }
    }
}
