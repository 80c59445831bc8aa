//! Resources as a user writes them, with the few values that differ from run to run put in.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use biplane_testkit::{Identity, Upstream};

/// A gateway on loopback that serves all virtual services.
pub(crate) fn gateway(port: u16) -> String {
    gateway_with("web", port, "httpGateway: {}")
}

/// A gateway with TLS.
pub(crate) fn tls_gateway(port: u16) -> String {
    gateway_with("web-tls", port, "ssl: true\nhttpGateway: {}")
}

/// A gateway with more fields, as YAML.
pub(crate) fn gateway_with(name: &str, port: u16, fields: &str) -> String {
    object("Gateway", name, &format!("bindAddress: 127.0.0.1\nbindPort: {port}\n{fields}"))
}

/// An upstream with one endpoint.
pub(crate) fn upstream(name: &str, server: &Upstream) -> String {
    upstream_with(name, &[server], "")
}

/// An upstream with several endpoints and more fields, as YAML.
pub(crate) fn upstream_with(name: &str, servers: &[&Upstream], fields: &str) -> String {
    let hosts: String = servers.iter().fold(String::new(), |mut hosts, server| {
        let _ = write!(hosts, "{{ addr: 127.0.0.1, port: {} }}, ", server.port());
        hosts
    });
    object("Upstream", name, &format!("static: {{ hosts: [{hosts}] }}\n{fields}"))
}

/// A virtual service for all domains.
pub(crate) fn service(name: &str, routes: &str) -> String {
    service_at(name, "*", routes)
}

/// A virtual service for one domain.
pub(crate) fn service_at(name: &str, domain: &str, routes: &str) -> String {
    service_with(name, domain, routes, "")
}

/// A virtual service with more fields of its virtual host, as YAML.
pub(crate) fn service_with(name: &str, domain: &str, routes: &str, fields: &str) -> String {
    let host = format!("domains: [\"{domain}\"]\nroutes:\n{routes}\n{fields}");
    object("VirtualService", name, &format!("virtualHost:\n{}", indent(&host)))
}

/// A virtual service with TLS for one domain, with the TLS settings as YAML.
pub(crate) fn tls_service(name: &str, domain: &str, ssl: &str, routes: &str) -> String {
    let host = format!("domains: [\"{domain}\"]\nroutes:\n{routes}");
    let fields = format!("sslConfig:\n{}virtualHost:\n{}", indent(ssl), indent(&host));
    object("VirtualService", name, &fields)
}

/// A virtual service that sends everything to one upstream.
pub(crate) fn service_to(upstream: &str) -> String {
    service(upstream, &route_to("/", upstream))
}

/// One route that sends a prefix to an upstream.
pub(crate) fn route_to(prefix: &str, upstream: &str) -> String {
    format!(
        "- {{ matchers: [{{ prefix: {prefix} }}], routeAction: {{ single: {{ upstream: {{ name: {upstream} }} }} }} }}"
    )
}

/// One route that answers by itself.
pub(crate) fn route_answering(prefix: &str, body: &str) -> String {
    format!(
        "- {{ matchers: [{{ prefix: {prefix} }}], directResponseAction: {{ status: 200, body: \"{body}\" }} }}"
    )
}

/// A certificate with its key as a `Secret`.
pub(crate) fn secret(name: &str, identity: &Identity) -> String {
    secret_with(name, Some(identity), None)
}

/// A certificate with its key and what is to be stapled to it, as a `Secret`.
pub(crate) fn stapled_secret(name: &str, identity: &Identity, staple: &[u8]) -> String {
    let (certificate, key) = (quoted(&identity.certificate), quoted(&identity.key));
    let staple = STANDARD.encode(staple);
    object(
        "Secret",
        name,
        &format!("tls: {{ certChain: {certificate}, privateKey: {key}, ocspStaple: {staple} }}"),
    )
}

/// A `Secret` with a certificate, with a root, or with both.
pub(crate) fn secret_with(name: &str, identity: Option<&Identity>, root: Option<&str>) -> String {
    let mut parts = Vec::new();
    if let Some(identity) = identity {
        parts.push(format!("certChain: {}", quoted(&identity.certificate)));
        parts.push(format!("privateKey: {}", quoted(&identity.key)));
    }
    parts.extend(root.map(|root| format!("rootCa: {}", quoted(root))));
    object("Secret", name, &format!("tls: {{ {} }}", parts.join(", ")))
}

/// Any object in the wrapped form, its fields as YAML.
pub(crate) fn object(kind: &str, name: &str, fields: &str) -> String {
    object_with(kind, &format!("name: {name}"), fields)
}

/// Any object with more metadata, as the inside of a flow mapping.
pub(crate) fn object_with(kind: &str, metadata: &str, fields: &str) -> String {
    format!("kind: {kind}\nmetadata: {{ {metadata} }}\nspec:\n{}", indent(fields))
}

/// Documents in one file.
pub(crate) fn documents(objects: &[String]) -> String {
    objects.join("---\n")
}

/// The keys and values of objects in a store with this root: what `etcdctl put` and `consul kv put` take.
pub(crate) fn keyed(root: &str, objects: &[String]) -> Vec<(String, String)> {
    let word = |object: &str, after: &str| {
        let (_, rest) = object.split_once(after).unwrap_or_else(|| panic!("no {after:?} in {object}"));
        rest.split(|c: char| !c.is_alphanumeric() && c != '-').next().unwrap_or_default().to_owned()
    };
    let key = |object: &String| {
        let (kind, name) = (word(object, "kind: "), word(object, "{ name: "));
        (format!("{root}/config/{kind}/gloo-system/{name}"), object.clone())
    };
    objects.iter().map(key).collect()
}

/// Text in YAML's double quotes, whatever is in it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Two blanks before each line; a newline at the end.
pub(crate) fn indent(text: &str) -> String {
    text.lines().fold(String::new(), |mut indented, line| {
        let _ = writeln!(indented, "  {line}");
        indented
    })
}
