//! From services to upstreams: where their instances are, what they speak, how requests spread, and who is healthy.

use serde_json::{Map, Value, json};

use super::dynamic::{HealthCheck, LoadBalancer, PassiveHealthCheck, Service};
use super::group::Placed;
use super::instance::{Place, Problem};
use super::names;
use super::registry::Found;
use super::scalar;
use crate::finding::Severity;
use crate::router::{Endpoints, Scheme, Target};
use crate::service::ServiceId;
use crate::settings::{ServersTransport, TraefikSettings};

/// What a route needs of its service.
#[derive(Clone, Debug, Default)]
pub(crate) struct Backend {
    pub(crate) targets: Vec<Target>,
    /// Fields of core's `RouteOptions`.
    pub(crate) options: Map<String, Value>,
    /// A path that goes in front of the request's.
    pub(crate) path: Option<String>,
    pub(crate) problems: Vec<Problem>,
    /// Why the service cannot be reached.
    pub(crate) broken: Option<String>,
}

/// Builds the service `name`, which `found` defines.
pub(crate) fn build(name: &str, service: &Service, found: Found<'_>, settings: &TraefikSettings) -> Backend {
    let mut backend = Backend::default();
    // An instance without one is left out when it is read.
    let default = LoadBalancer::default();
    let balancer = service.load_balancer.as_ref().unwrap_or(&default);
    let placed = found.group.places.get(name).map(Vec::as_slice).unwrap_or_default();
    let upstream = upstream(name, balancer, placed, &mut backend);
    for one in placed {
        match target(found.owner, one, &upstream) {
            Ok(target) => backend.targets.push(target),
            Err(why) => backend.break_off(format!("service {name}: {why}"), None),
        }
    }
    transport(name, balancer, settings, &mut backend);
    host(name, balancer, placed, &mut backend);
    preserved_path(name, placed, &mut backend);
    if balancer.servers.iter().any(|server| server.weight.is_some()) {
        backend.warn(format!("service {name}: server.weight is left out; weights are those of the source"));
    }
    backend
}

impl Backend {
    /// The service cannot be reached as it should be.
    fn break_off(&mut self, why: String, hint: Option<&str>) {
        let mut problem = Problem::new(Severity::Error, format!("{why}; the route answers 503"));
        problem.hint = hint.map(str::to_owned);
        self.problems.push(problem);
        self.broken.get_or_insert(why);
    }

    fn warn(&mut self, message: impl Into<String>) {
        self.problems.push(Problem::new(Severity::Warning, message));
    }
}

fn target(owner: &ServiceId, placed: &Placed, upstream: &Map<String, Value>) -> Result<Target, String> {
    let (endpoints, scheme) = if let Some(url) = &placed.place.url {
        let url = Url::parse(url)?;
        (Endpoints::Static { host: url.host, port: url.port }, url.scheme)
    } else {
        let (service, pick) = (owner.clone(), placed.pick.clone());
        (Endpoints::Service { service, pick, port: placed.place.port }, scheme(&placed.place.scheme)?)
    };
    Ok(Target { endpoints, scheme, upstream: upstream.clone(), weight: placed.count })
}

fn scheme(text: &str) -> Result<Scheme, String> {
    match text.to_lowercase().as_str() {
        "http" => Ok(Scheme::Http),
        "https" => Ok(Scheme::Https),
        "h2c" => Ok(Scheme::H2c),
        _ => Err(format!("the scheme {text:?} is none of http, https and h2c")),
    }
}

/// A server's URL.
struct Url {
    scheme: Scheme,
    host: String,
    port: u16,
    /// With a slash in front, or empty.
    path: String,
}

impl Url {
    fn parse(text: &str) -> Result<Self, String> {
        let fail = || "server.url is no URL of http, https or h2c with a host".to_owned();
        let (scheme, rest) = text.split_once("://").ok_or_else(fail)?;
        let scheme = self::scheme(scheme).map_err(|_| fail())?;
        let at = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(at);
        let path = path.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/').to_owned();
        let usual = if scheme == Scheme::Https { 443 } else { 80 };
        let (host, port) = match authority.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) {
            Some((host, port)) => (host, port.parse().map_err(|_| fail())?),
            None => (authority, usual),
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
        if host.is_empty() || port == 0 || !host.chars().all(plain) {
            return Err(fail());
        }
        Ok(Self { scheme, host: host.to_owned(), port, path })
    }
}

/// The Host header that instances see.
fn host(name: &str, balancer: &LoadBalancer, placed: &[Placed], backend: &mut Backend) {
    if balancer.pass_host_header != Some(false) {
        return;
    }
    let urls: Vec<&str> = placed.iter().filter_map(|one| one.place.url.as_deref()).collect();
    match (urls.as_slice(), placed.len()) {
        ([url], 1) => {
            let authority = url.split("://").nth(1).and_then(|rest| rest.split(['/', '?', '#']).next());
            backend.options.insert("hostRewrite".to_owned(), json!(authority.unwrap_or_default()));
        }
        _ => backend.warn(format!(
            "service {name}: passHostHeader=false is left out: Envoy has no Host header for each address"
        )),
    }
}

fn preserved_path(name: &str, placed: &[Placed], backend: &mut Backend) {
    let path_of = |place: &Place| {
        let url = place.url.as_deref().filter(|_| place.preserve_path)?;
        Url::parse(url).ok().map(|url| url.path)
    };
    let paths: Vec<_> = placed.iter().map(|one| path_of(&one.place).unwrap_or_default()).collect();
    match paths.as_slice() {
        [first, rest @ ..] if rest.iter().all(|path| path == first) => {
            backend.path = Some(first.clone()).filter(|path| !path.is_empty());
        }
        [] => {}
        _ => backend.break_off(format!("service {name}: its URLs have different paths to preserve"), None),
    }
}

/// TLS towards the instances. Settings of connections are in files of Traefik's, which are not read; those that matter
/// have to be in ours.
fn transport(name: &str, balancer: &LoadBalancer, settings: &TraefikSettings, backend: &mut Backend) {
    let wanted = balancer.servers_transport.as_str();
    let known = settings.servers_transports.get(wanted);
    if !backend.targets.iter().any(|target| target.scheme == Scheme::Https) {
        if !wanted.is_empty() && known.is_none() {
            backend.warn(format!("service {name}: the serversTransport {wanted} is not known and left out"));
        }
        return;
    }
    let by_roots = ServersTransport { secret_ref: settings.roots_ref.clone(), ..ServersTransport::default() };
    let chosen = match known {
        Some(known) => known,
        None if wanted.is_empty() => &by_roots,
        None => {
            // It may say whom to trust, and who Envoy is.
            let why = format!("service {name}: the serversTransport {wanted} is not known");
            backend.break_off(why, Some("describe it under tags.traefik.serversTransports"));
            return;
        }
    };
    if chosen.secret_ref.is_none() && !chosen.insecure_skip_verify {
        let message = format!("service {name}: certificates of its instances are not verified");
        let hint = "set tags.traefik.rootsRef, or insecureSkipVerify under tags.traefik.serversTransports";
        backend.problems.push(Problem::new(Severity::Warning, message).hint(hint));
    }
    let config = ssl_config(chosen);
    for target in backend.targets.iter_mut().filter(|target| target.scheme == Scheme::Https) {
        target.upstream.insert("sslConfig".to_owned(), config.clone());
    }
}

fn ssl_config(transport: &ServersTransport) -> Value {
    let mut config = json!({});
    if let Some(secret) = &transport.secret_ref {
        config["secretRef"] = json!({"name": secret.name, "namespace": secret.namespace});
        if transport.insecure_skip_verify {
            config["oneWayTls"] = json!(true);
        }
    }
    if let Some(name) = &transport.server_name {
        config["sni"] = json!(name);
        if transport.secret_ref.is_some() && !transport.insecure_skip_verify {
            config["verifySubjectAltName"] = json!([name]);
        }
    }
    config
}

fn upstream(
    name: &str,
    balancer: &LoadBalancer,
    placed: &[Placed],
    backend: &mut Backend,
) -> Map<String, Value> {
    let mut upstream = Map::new();
    if let Some(config) = spread(name, balancer, backend) {
        upstream.insert("loadBalancerConfig".to_owned(), config);
    }
    let http2 = placed.iter().all(|one| one.place.scheme.eq_ignore_ascii_case("h2c"));
    let check = balancer.health_check.as_ref().and_then(|check| health_check(name, check, http2, backend));
    if let Some(check) = check {
        upstream.insert("healthChecks".to_owned(), json!([check]));
    }
    if let Some(passive) = &balancer.passive_health_check {
        upstream.insert("outlierDetection".to_owned(), outlier_detection(passive));
    }
    upstream
}

/// How requests spread: sticky sessions go before the strategy.
fn spread(name: &str, balancer: &LoadBalancer, backend: &mut Backend) -> Option<Value> {
    if let Some(cookie) = balancer.sticky.as_ref().and_then(|sticky| sticky.cookie.as_ref()) {
        // Traefik makes a name of the service's too.
        let made = || format!("_{}", names::normalize(name));
        let cookie_name = if cookie.name.is_empty() { made() } else { cookie.name.clone() };
        let ttl = format!("{}s", cookie.max_age.max(0));
        let path = cookie.path.as_deref().unwrap_or("/");
        let policy = json!({"cookie": {"name": cookie_name, "ttl": ttl, "path": path}});
        backend.options.insert("lbHash".to_owned(), json!({"hashPolicies": [policy]}));
        if cookie.secure || !cookie.same_site.is_empty() || !cookie.domain.is_empty() {
            let message = "secure, sameSite and domain of the sticky cookie are left out";
            backend.warn(format!("service {name}: {message}"));
        }
        return Some(json!({"ringHash": {}}));
    }
    match balancer.strategy.to_lowercase().as_str() {
        "" | "wrr" | "roundrobin" => None,
        "p2c" | "leasttime" => Some(json!({"leastRequest": {}})),
        "hrw" => {
            backend.options.insert("lbHash".to_owned(), json!({"hashPolicies": [{"sourceIp": true}]}));
            Some(json!({"maglev": {}}))
        }
        other => {
            backend.warn(format!("service {name}: the strategy {other:?} is not known; requests go round"));
            None
        }
    }
}

fn health_check(name: &str, check: &HealthCheck, speaks_http2: bool, backend: &mut Backend) -> Option<Value> {
    if check.port != 0 || !check.scheme.is_empty() {
        let message = "healthCheck with a port or a scheme of its own is left out; the source's checks count";
        backend.warn(format!("service {name}: {message}"));
        return None;
    }
    let mut built = json!({
        "interval": seconds(&check.interval, 30),
        "noTrafficInterval": seconds(&check.interval, 30),
        "timeout": seconds(&check.timeout, 5),
        "unhealthyThreshold": 1,
        "healthyThreshold": 1,
    });
    if let Some(interval) = &check.unhealthy_interval {
        built["unhealthyInterval"] = seconds(interval, 30);
    }
    if check.mode.eq_ignore_ascii_case("grpc") {
        if !speaks_http2 {
            backend
                .warn(format!("service {name}: healthCheck of gRPC is left out; it needs server.scheme=h2c"));
            return None;
        }
        built["grpcHealthCheck"] = json!({});
        return Some(built);
    }
    built["httpHealthCheck"] = http_check(check);
    Some(built)
}

fn http_check(check: &HealthCheck) -> Value {
    let path = if check.path.starts_with('/') { check.path.clone() } else { format!("/{}", check.path) };
    let (start, end) = match u16::try_from(check.status).ok().filter(|code| (100..600).contains(code)) {
        Some(code) => (code, code + 1),
        None => (200, 400),
    };
    let mut http = json!({"path": path, "expectedStatuses": [{"start": start, "end": end}]});
    if !check.hostname.is_empty() {
        http["host"] = json!(check.hostname);
    }
    if !check.method.is_empty() {
        http["method"] = json!(check.method.to_uppercase());
    }
    let headers: Vec<Value> = check
        .headers
        .iter()
        .filter(|(key, _)| !key.eq_ignore_ascii_case("host"))
        .map(|(key, value)| json!({"header": {"key": key, "value": value.replace('%', "%%")}, "append": false}))
        .collect();
    if !headers.is_empty() {
        http["requestHeadersToAdd"] = headers.into();
    }
    http
}

fn outlier_detection(passive: &PassiveHealthCheck) -> Value {
    let failures = u32::try_from(passive.max_failed_attempts).ok().filter(|count| *count > 0).unwrap_or(1);
    let window = seconds(&passive.failure_window, 10);
    json!({
        "consecutive5xx": failures,
        "interval": window,
        "baseEjectionTime": window,
        "maxEjectionPercent": 100,
    })
}

/// A span in the form of our fields; where it is none or nothing, that many seconds.
fn seconds(span: &str, otherwise: u64) -> Value {
    let nanos =
        scalar::span(span).ok().and_then(|nanos| u64::try_from(nanos).ok()).filter(|nanos| *nanos > 0);
    let duration = std::time::Duration::from_nanos(nanos.unwrap_or(otherwise * 1_000_000_000));
    json!(biplane_core::scalars::Duration(duration).to_string())
}
