//! The names that Envoy resources get. They are part of the contract: people read them in Envoy's
//! statistics, `clusterHeader` requests carry them, and a name that moves drops connections.

use biplane_core::key::ResourceRef;

/// The cluster of an upstream: `<name>_<namespace>`, Gloo's form, which a `clusterHeader` carries.
pub fn cluster(upstream: &ResourceRef) -> String {
    format!("{}_{}", upstream.name, upstream.namespace)
}

/// The listener at an address. Named by place and not by gateway, so that renaming a gateway moves nothing.
pub fn listener(address: &str, port: u32) -> String {
    format!("listener-{address}-{port}")
}

/// The route configuration of a listener.
pub fn route_configuration(listener: &str) -> String {
    format!("{listener}-routes")
}

/// The virtual host of a virtual service, `<namespace>/<name>`; of several that share domains, their names
/// joined by `//`. No name holds a `/`, so no two virtual hosts get the same name: Envoy refuses all routes
/// of a listener where two do.
pub fn virtual_host<'a>(services: impl IntoIterator<Item = &'a ResourceRef>) -> String {
    let names: Vec<_> = services.into_iter().map(ToString::to_string).collect();
    names.join("//")
}

/// The certificate and key of a `Secret` object.
pub fn secret_certificate(secret: &ResourceRef) -> String {
    format!("{secret}/certificate")
}

/// The roots of a `Secret` object, to verify peers by.
pub fn secret_validation(secret: &ResourceRef) -> String {
    format!("{secret}/validation")
}

/// A value of a `Secret` object.
pub fn secret_value(secret: &ResourceRef, value: &str) -> String {
    format!("{secret}/{value}")
}

/// The value that a `Secret` object has for a header.
pub fn secret_header(secret: &ResourceRef, header: &str) -> String {
    format!("{secret}/header/{header}")
}

/// The cluster that has Envoy subscribe to the headers of a `Secret` object. No upstream's has a `:` or a `/`.
pub fn secret_subscription(secret: &ResourceRef) -> String {
    format!("secret:{secret}")
}
