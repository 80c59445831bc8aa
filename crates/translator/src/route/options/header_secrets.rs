//! `headerSecretRef`: headers whose values Envoy gets by SDS. Routes name them and hold none.
//!
//! ```text
//! SDS ──▶ set_filter_state, where a route, a virtual host or a destination asks for it
//!           └─ under the secret's name: %SECRET(value)%
//! headers to add: %FILTER_STATE(<the secret's name>:PLAIN)%
//! ```
//!
//! Envoy's lists of headers know no `%SECRET%`; its filter state is the way there. Of a value that Envoy has not got
//! there is no header; the cluster that comes before the route sees to it that Envoy has it
//! ([`names::secret_subscription`]).

use std::collections::{BTreeSet, HashMap};

use biplane_core::key::{ObjectKey, ResourceRef};
use biplane_core::options::HeaderManipulation;
use biplane_core::options::header_manipulation::{HeaderValue, HeaderValueOption};
use biplane_core::path::FieldPath;
use biplane_core::report::Report;
use envoy_types::pb::envoy::config::core::v3::data_source::Specifier;
use envoy_types::pb::envoy::config::core::v3::substitution_format_string::Format;
use envoy_types::pb::envoy::config::core::v3::{DataSource, SubstitutionFormatString, TypedExtensionConfig};
use envoy_types::pb::envoy::extensions::filters::common::set_filter_state::v3::FilterStateValue;
use envoy_types::pb::envoy::extensions::filters::common::set_filter_state::v3::filter_state_value::{
    Key, Value,
};
use envoy_types::pb::envoy::extensions::filters::http::set_filter_state::v3::Config;
use envoy_types::pb::envoy::extensions::formatter::generic_secret::v3::GenericSecret;
use envoy_types::pb::google::protobuf::Any;

use super::header_manipulation::MAX_ADDED;
use crate::route::needs::Need;
use crate::route::scope::Scope;
use crate::{encode, names, secret, tls};

/// The filter's name in every listener.
const FILTER: &str = "envoy.filters.http.set_filter_state";
/// What the one secret of a formatter is called within it.
const VALUE: &str = "value";

/// Puts the headers of secrets, by name, in the place of each `headerSecretRef`. `false`: a secret is not there, as
/// has been reported.
pub(in crate::route) fn expand(
    scope: &mut Scope<'_>,
    headers: &mut HeaderManipulation,
    object: &ObjectKey,
    path: &dyn Fn() -> FieldPath,
) -> bool {
    if headers.request_headers_to_add.iter().all(|option| option.header_secret_ref.is_none()) {
        return true;
    }
    let mut complete = true;
    let mut expanded = Vec::new();
    for option in std::mem::take(&mut headers.request_headers_to_add) {
        let Some(secret) = &option.header_secret_ref else {
            expanded.push(option);
            continue;
        };
        let names = names_of(scope, secret, object, path);
        complete &= names.is_some();
        scope.carries(secret);
        for name in names.into_iter().flatten() {
            if option.append == Some(false) {
                // Also while Envoy has no value to put in its place.
                headers.request_headers_to_remove.push(name.clone());
            }
            let header = HeaderValue { key: name, value: String::new() };
            expanded.push(HeaderValueOption { header, ..option.clone() });
        }
    }
    headers.request_headers_to_add = expanded;
    complete && within_limit(scope, headers, object, path)
}

fn names_of(
    scope: &mut Scope<'_>,
    name: &ResourceRef,
    object: &ObjectKey,
    path: &dyn Fn() -> FieldPath,
) -> Option<Vec<String>> {
    let secret = scope.lookup.secret(name);
    let need = Need { secret: name, form: "header", without: "requests are answered with 503" };
    let report = need.report(object, path(), secret.as_deref(), |secret| {
        secret.header.as_ref().is_some_and(|header| !header.headers.is_empty())
    });
    match report {
        Some(report) => {
            if secret.is_some_and(|secret| !secret.is_known()) {
                scope.lacks([secret::subscription(name)]);
            }
            scope.report(report);
            None
        }
        None => Some(secret?.header.as_ref()?.headers.keys().cloned().collect()),
    }
}

/// What a user writes is checked where it is read; only here it is known how many headers a secret has.
fn within_limit(
    scope: &mut Scope<'_>,
    headers: &mut HeaderManipulation,
    object: &ObjectKey,
    path: &dyn Fn() -> FieldPath,
) -> bool {
    let count = headers.request_headers_to_add.len();
    if count <= MAX_ADDED {
        return true;
    }
    headers.request_headers_to_add.truncate(MAX_ADDED);
    let message = format!(
        "{count} headers with those of secrets; Envoy takes {MAX_ADDED}, so requests are answered with 503"
    );
    scope.report(Report::error(object, path(), message));
    false
}

/// Has Envoy fetch the values of the secrets among these headers.
pub(in crate::route) fn configure(headers: &HeaderManipulation, filters: &mut HashMap<String, Any>) {
    let named = headers.request_headers_to_add.iter();
    let named: BTreeSet<String> = named.filter_map(|option| Some(secret_of(option)?.1)).collect();
    if named.is_empty() {
        return;
    }
    let config =
        Config { on_request_headers: named.iter().map(|name| state(name)).collect(), ..Config::default() };
    filters.insert(FILTER.to_owned(), encode::any(&config));
}

/// What Envoy is to put into such a header; `None`: it has a value of its own.
pub(super) fn value(option: &HeaderValueOption) -> Option<String> {
    Some(format!("%FILTER_STATE({}:PLAIN)%", key(&secret_of(option)?.1)))
}

/// The `Secret` object that a header comes from, and the Envoy secret that has its value.
fn secret_of(option: &HeaderValueOption) -> Option<(&ResourceRef, String)> {
    let secret = option.header_secret_ref.as_ref()?;
    Some((secret, names::secret_header(secret, &option.header.key)))
}

/// The name of a value in the filter state. It stands inside a command of Envoy's, to which some characters mean
/// something.
fn key(secret: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._/".contains(&b);
    secret.bytes().fold(String::with_capacity(secret.len()), |mut key, byte| {
        if plain(byte) {
            key.push(char::from(byte));
        } else {
            key.push_str(&format!("={byte:02X}"));
        }
        key
    })
}

fn state(secret: &str) -> FilterStateValue {
    FilterStateValue {
        key: Some(Key::ObjectKey(key(secret))),
        factory_key: "envoy.string".to_owned(),
        value: Some(Value::FormatString(SubstitutionFormatString {
            format: Some(Format::TextFormatSource(DataSource {
                specifier: Some(Specifier::InlineString(format!("%SECRET({VALUE})%"))),
                ..DataSource::default()
            })),
            omit_empty_values: true,
            formatters: vec![formatter(secret)],
            ..SubstitutionFormatString::default()
        })),
        skip_if_empty: true,
        ..FilterStateValue::default()
    }
}

fn formatter(secret: &str) -> TypedExtensionConfig {
    let config = GenericSecret { secret_configs: HashMap::from([(VALUE.to_owned(), tls::sds(secret))]) };
    TypedExtensionConfig {
        name: "envoy.formatter.generic_secret".to_owned(),
        typed_config: Some(encode::any(&config)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_the_filter_state_are_plain_and_differ() {
        assert_eq!(key("ns/a.b/header/x-a_b"), "ns/a.b/header/x-a_b");
        assert_eq!(key("a:b)%=é"), "a=3Ab=29=25=3D=C3=A9");
    }
}
