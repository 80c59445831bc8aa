//! Envoy resources as people read them: canonical JSON with Envoy's own field names.
//!
//! For the edges only (`translate`, goldens, errors): it goes through descriptors and is slow. Secret
//! material is replaced unless the caller asks for it by name, see [`Sensitive`].

mod bootstrap;

use biplane_core::scalars::REDACTED;
use prost::Message as _;
use prost_reflect::{DynamicMessage, FieldDescriptor, ReflectMessage, SerializeOptions, Value as Field};
use serde_json::{Map, Value};

pub use bootstrap::static_bootstrap;

use crate::descriptors;
use crate::encode::TYPE_URL_PREFIX;
use crate::resource::EnvoyResource;

/// What becomes of key material.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sensitive {
    /// A placeholder stands for it.
    Redacted,
    /// It is there in full. Whoever asks for this answers for where it goes.
    Shown,
}

/// The bytes are not what they should be.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// There is no descriptor for the message.
    #[error("no message is named {0}")]
    UnknownMessage(String),
    /// The bytes are no such message.
    #[error("not a message of its type: {0}")]
    Decode(#[from] prost::DecodeError),
    /// JSON has no form for it: an `Any` of an unknown type.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

/// A resource in canonical JSON: equal resources give equal text. A name comes first in its object, the
/// other fields by alphabet; lists keep their order.
pub fn canonical(resource: &EnvoyResource, sensitive: Sensitive) -> Result<Value, JsonError> {
    message(resource.name.kind.message(), &resource.body, sensitive)
}

/// Any message of Envoy's in canonical JSON.
pub fn message(name: &str, bytes: &[u8], sensitive: Sensitive) -> Result<Value, JsonError> {
    let mut message = decode(name, bytes)?;
    if sensitive == Sensitive::Redacted {
        redact_message(&mut message)?;
    }
    let options = SerializeOptions::new().use_proto_field_name(true);
    Ok(sorted(message.serialize_with_options(serde_json::value::Serializer, &options)?))
}

fn decode(name: &str, bytes: &[u8]) -> Result<DynamicMessage, JsonError> {
    let descriptor = descriptors::message(name).ok_or_else(|| JsonError::UnknownMessage(name.to_owned()))?;
    Ok(DynamicMessage::decode(descriptor, bytes)?)
}

/// Puts the keys of every object in order. Maps come out of the descriptors' world in a random one.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut fields: Vec<(String, Value)> =
                map.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            fields.sort_by(|(a, _), (b, _)| rank(a).cmp(&rank(b)));
            Value::Object(Map::from_iter(fields))
        }
        Value::Array(values) => Value::Array(values.into_iter().map(sorted).collect()),
        other => other,
    }
}

fn rank(key: &str) -> (bool, bool, &str) {
    (key != "@type", key != "name", key)
}

/// Envoy marks the fields that hold secrets.
fn redact_message(message: &mut DynamicMessage) -> Result<(), JsonError> {
    if message.descriptor().full_name() == "google.protobuf.Any" {
        return redact_any(message);
    }
    for (field, value) in message.fields_mut() {
        redact_value(value, is_sensitive(&field))?;
    }
    Ok(())
}

fn is_sensitive(field: &FieldDescriptor) -> bool {
    let marker = descriptors::pool().get_extension_by_name("udpa.annotations.sensitive");
    marker.is_some_and(|marker| field.options().get_extension(&marker).as_bool() == Some(true))
}

fn redact_value(value: &mut Field, sensitive: bool) -> Result<(), JsonError> {
    match value {
        Field::Message(message) if sensitive => blank(message)?,
        Field::Message(message) => redact_message(message)?,
        Field::List(values) => values.iter_mut().try_for_each(|value| redact_value(value, sensitive))?,
        Field::Map(values) => values.values_mut().try_for_each(|value| redact_value(value, sensitive))?,
        Field::String(text) if sensitive => REDACTED.clone_into(text),
        Field::Bytes(bytes) if sensitive => *bytes = REDACTED.into(),
        _ => {}
    }
    Ok(())
}

/// A source of secret data: what is inline goes, the name of a file stays. Of any other message all texts go.
fn blank(message: &mut DynamicMessage) -> Result<(), JsonError> {
    if message.descriptor().full_name() != "envoy.config.core.v3.DataSource" {
        return message.fields_mut().try_for_each(|(_, value)| redact_value(value, true));
    }
    let inline = ["inline_string", "inline_bytes"].into_iter().any(|name| message.has_field_by_name(name));
    if inline {
        message.set_field_by_name("inline_string", Field::String(REDACTED.into()));
    }
    Ok(())
}

fn redact_any(any: &mut DynamicMessage) -> Result<(), JsonError> {
    let url =
        any.get_field_by_name("type_url").and_then(|url| url.as_str().map(str::to_owned)).unwrap_or_default();
    let bytes =
        any.get_field_by_name("value").and_then(|value| value.as_bytes().cloned()).unwrap_or_default();
    let mut message = decode(url.strip_prefix(TYPE_URL_PREFIX).unwrap_or(&url), &bytes)?;
    redact_message(&mut message)?;
    any.set_field_by_name("value", Field::Bytes(message.encode_to_vec().into()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use biplane_core::key::ResourceRef;
    use biplane_core::resources::Secret;
    use biplane_core::resources::secret::TlsSecret;
    use biplane_core::scalars::SecretString;

    use super::*;
    use crate::secret;

    fn certificate() -> EnvoyResource {
        let tls = TlsSecret {
            cert_chain: Some("public".into()),
            private_key: Some(SecretString::new("canary")),
            ..TlsSecret::default()
        };
        let output = secret::translate(
            &ResourceRef::new("ns", "cert"),
            &Secret { tls: Some(tls), ..Secret::default() },
        );
        output.resources.into_iter().next().expect("a certificate with its key makes a secret")
    }

    #[test]
    fn private_key_is_shown_only_to_who_asks() {
        let redacted = canonical(&certificate(), Sensitive::Redacted).unwrap().to_string();
        assert!(!redacted.contains("canary") && redacted.contains("public") && redacted.contains(REDACTED));
        let shown = canonical(&certificate(), Sensitive::Shown).unwrap().to_string();
        assert!(shown.contains("canary"));
    }

    #[test]
    fn name_is_the_first_field() {
        let shown = canonical(&certificate(), Sensitive::Redacted).unwrap();
        assert_eq!(shown.as_object().unwrap().keys().collect::<Vec<_>>(), ["name", "tls_certificate"]);
    }
}
