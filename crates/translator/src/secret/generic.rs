//! Values by name: one generic Envoy `Secret` each, for whatever reads a value by SDS.

use std::collections::BTreeMap;

use biplane_core::key::{ObjectKey, ResourceRef};
use biplane_core::path::FieldPath;
use biplane_core::report::Report;
use biplane_core::resources::Secret;
use biplane_core::resources::secret::HeaderSecret;
use biplane_core::scalars::SecretString;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::GenericSecret;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::secret::Type;

use super::{credentials, inline, resource, subscription, trimmed};
use crate::names;
use crate::resource::{EnvoyResource, Output};

/// The generic secrets of all forms that Envoy has a use for.
pub(super) fn translate(name: &ResourceRef, secret: &Secret, key: &ObjectKey) -> Output {
    let headers = secret.header.iter().flat_map(headers);
    let headers: Vec<_> =
        headers.map(|(header, value)| generic(names::secret_header(name, header), value, key)).collect();
    let values = values(secret).into_iter().filter(|(_, value)| !value.is_empty());
    let values = values.map(|(field, value)| generic(names::secret_value(name, field), value.expose(), key));
    let subscription = (!headers.is_empty()).then(|| subscription::cluster(name, &headers, key));
    let unfit = secret.header.iter().flat_map(|header| unfit(header, key));
    Output {
        reports: unfit.chain(credentials::unfit(key, secret)).collect(),
        resources: subscription.into_iter().chain(values).chain(headers).collect(),
        unknown: Vec::new(),
    }
}

fn generic(name: String, value: &str, key: &ObjectKey) -> EnvoyResource {
    let value = GenericSecret { secret: Some(inline(value)), ..GenericSecret::default() };
    resource(name, Type::GenericSecret(value), key)
}

/// The headers of a secret that a request can carry, by name.
fn headers(secret: &HeaderSecret) -> impl Iterator<Item = (&str, &str)> {
    let trimmed = secret.headers.iter().map(|(name, value)| (name.as_str(), trimmed(value)));
    trimmed.filter(|(_, value)| !value.is_empty() && fits(value))
}

/// Envoy would send whatever it is given: a line break would start another header.
fn fits(value: &str) -> bool {
    !value.contains(|c: char| c.is_control() && c != '\t')
}

/// Headers that have a value that none can have. In an object this is a mistake that reading it finds; what is kept
/// elsewhere is seen here first.
fn unfit(secret: &HeaderSecret, key: &ObjectKey) -> Vec<Report> {
    let unfit = secret.headers.iter().filter(|(_, value)| !fits(trimmed(value)));
    let report = |(name, _): (&String, _)| {
        let path = FieldPath::root().field("header").field("headers").field(name);
        Report::error(key, path, "a control character stands in the value, so the header is not sent")
            .hint("a header's value is one line of text")
    };
    unfit.map(report).collect()
}

/// All values of the other forms. Where a user or a client is named like a field, the field counts.
fn values(secret: &Secret) -> BTreeMap<&str, &SecretString> {
    let mut values = BTreeMap::new();
    if let Some(credentials) = &secret.credentials {
        values.extend(named(&credentials.users));
        values.extend(credentials.password.as_ref().map(|password| ("password", password)));
    }
    if let Some(keys) = &secret.api_key {
        values.extend(named(&keys.keys));
        values.extend(keys.api_key.as_ref().map(|key| ("apiKey", key)));
    }
    if let Some(oauth) = &secret.oauth {
        values.extend(oauth.client_secret.as_ref().map(|secret| ("clientSecret", secret)));
    }
    if let Some(encryption) = &secret.encryption {
        values.extend(encryption.key.as_ref().map(|key| ("key", key)));
    }
    if let Some(generic) = &secret.generic {
        values.extend(named(&generic.values));
    }
    values
}

fn named(values: &BTreeMap<String, SecretString>) -> impl Iterator<Item = (&str, &SecretString)> {
    values.iter().map(|(name, value)| (name.as_str(), value))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::resource::{EnvoyType, Output};
    use crate::route::testing::{name_of, parsed};
    use crate::secret::translate;

    fn of(secret: Value) -> Output {
        translate(&name_of("s"), &parsed(secret))
    }

    fn names(output: &Output) -> Vec<&str> {
        let secrets = output.resources.iter().filter(|resource| resource.name.kind == EnvoyType::Secret);
        secrets.map(|resource| &*resource.name.name).collect()
    }

    #[test]
    fn every_value_has_a_secret_of_its_own() {
        for (secret, expected) in [
            (json!({ "header": { "headers": { "X-A": "1", "x-b": "2" } } }), "header/X-A header/x-b"),
            (
                json!({ "credentials": { "username": "a", "password": "b", "users": { "c": "d" } } }),
                "c password",
            ),
            (json!({ "apiKey": { "apiKey": "a", "keys": { "shop": "b" } } }), "apiKey shop"),
            (json!({ "oauth": { "clientSecret": "a" } }), "clientSecret"),
            (json!({ "encryption": { "key": "a" } }), "key"),
            (json!({ "generic": { "values": { "jwks": "a", "none": "" } } }), "jwks"),
        ] {
            let expected: Vec<_> = expected.split(' ').map(|name| format!("default/s/{name}")).collect();
            assert_eq!(names(&of(secret)), expected);
        }
    }

    #[test]
    fn headers_have_a_cluster_that_names_their_secrets() {
        let output = of(json!({ "header": { "headers": { "X-A": "1", "x-b": "2", "x-none": "" } } }));
        let cluster = &output.resources[0];
        assert_eq!(cluster.name.to_string(), "Cluster secret:default/s");
        let named: Vec<_> = cluster.references.iter().map(|reference| &*reference.name).collect();
        assert_eq!(named, names(&output));
    }

    #[test]
    fn credentials_of_clouds_and_secrets_that_are_not_known_yet_are_no_business_of_envoys() {
        for secret in [
            json!({ "aws": { "accessKey": "a", "secretKey": "b" } }),
            json!({ "azure": { "apiKeys": { "f": "a" } } }),
            json!({ "vault": { "kv": { "path": "a" } } }),
            json!({ "file": { "path": "a" } }),
        ] {
            let output = of(secret);
            assert_eq!((output.resources, output.reports), (Vec::new(), Vec::new()));
        }
    }

    #[test]
    fn header_whose_value_would_start_another_header_is_left_out_and_reported() {
        let output = of(json!({ "header": { "headers": { "x-bad": "a\r\nx-more: b", "x-file": "a\n" } } }));
        assert_eq!(names(&output), ["default/s/header/x-file"]);
        assert_eq!(output.reports.len(), 1);
        assert_eq!(output.reports[0].path.to_string(), "header.headers.x-bad");
    }
}
