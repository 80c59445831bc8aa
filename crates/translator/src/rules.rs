//! The rules that Envoy's own messages carry (`validate.rules` in their descriptors): a resource that breaks one
//! is refused by Envoy, with everything that came in the same response.
//!
//! For the edges only, as JSON is: `validate` without an Envoy at hand, and goldens. Decoding refuses what would
//! break a rule, with the user's own field and line; what is found here is a fault of Biplane's.
//! Patterns are not looked at: they are written for another regex library.

mod value;

use std::collections::HashMap;
use std::sync::LazyLock;

use biplane_core::path::FieldPath;
use prost_reflect::{
    DynamicMessage, ExtensionDescriptor, FieldDescriptor, MessageDescriptor, OneofDescriptor, ReflectMessage,
    Value,
};

use crate::descriptors;
use crate::encode::TYPE_URL_PREFIX;
use crate::resource::EnvoyResource;

/// What `resource` breaks, each with the path of the field; nothing: Envoy takes its shape.
pub fn broken(resource: &EnvoyResource) -> Vec<String> {
    let mut walk = Walk::default();
    walk.bytes(resource.name.kind.message(), &resource.body, &FieldPath::root());
    walk.broken
}

/// The extensions by which descriptors carry rules.
struct Extensions {
    field: ExtensionDescriptor,
    oneof_required: ExtensionDescriptor,
    disabled: ExtensionDescriptor,
}

static EXTENSIONS: LazyLock<Extensions> = LazyLock::new(|| {
    let named = |name| descriptors::pool().get_extension_by_name(name).expect("validate.proto is in the set");
    Extensions {
        field: named("validate.rules"),
        oneof_required: named("validate.required"),
        disabled: named("validate.disabled"),
    }
});

#[derive(Default)]
struct Walk {
    broken: Vec<String>,
    /// The rules of fields that were met, by full name: reading options is slow.
    rules: HashMap<String, Option<DynamicMessage>>,
}

impl Walk {
    fn report(&mut self, path: &FieldPath, what: impl AsRef<str>) {
        self.broken.push(format!("{path}: {}", what.as_ref()));
    }

    fn bytes(&mut self, name: &str, bytes: &[u8], path: &FieldPath) {
        let Some(descriptor) = descriptors::message(name) else {
            return self.report(path, format!("no message is named {name}"));
        };
        match DynamicMessage::decode(descriptor, bytes) {
            Ok(message) => self.message(&message, path),
            Err(why) => self.report(path, format!("not a {name}: {why}")),
        }
    }

    fn message(&mut self, message: &DynamicMessage, path: &FieldPath) {
        let descriptor = message.descriptor();
        if descriptor.full_name() == "google.protobuf.Any" {
            return self.any(message, path);
        }
        if is_exempt(&descriptor) {
            return;
        }
        for oneof in descriptor.oneofs().filter(|oneof| lacks_choice(oneof, message)) {
            let names: Vec<String> = oneof.fields().map(|field| field.name().to_owned()).collect();
            self.report(path, format!("one of {} must be set", names.join(", ")));
        }
        for field in descriptor.fields() {
            self.field(message, &field, &path.field(field.name()));
        }
    }

    fn any(&mut self, any: &DynamicMessage, path: &FieldPath) {
        let (Some(url), Some(value)) = (any.get_field_by_name("type_url"), any.get_field_by_name("value"))
        else {
            return;
        };
        let url = url.as_str().unwrap_or_default();
        let name = url.strip_prefix(TYPE_URL_PREFIX).unwrap_or(url);
        self.bytes(name, value.as_bytes().map(AsRef::as_ref).unwrap_or_default(), path);
    }

    fn field(&mut self, message: &DynamicMessage, field: &FieldDescriptor, path: &FieldPath) {
        let set = message.has_field(field);
        let rules = self.rules_of(field);
        if !set && field.supports_presence() {
            // Of a choice, one is enough; whether one must be made is the choice's own rule.
            if field.containing_oneof().is_none() && rules.is_some_and(|rules| is_required(&rules)) {
                self.report(path, "must be set");
            }
        } else if set || rules.is_some() {
            self.value(&message.get_field(field), field, rules.as_ref(), path);
        }
    }

    fn rules_of(&mut self, field: &FieldDescriptor) -> Option<DynamicMessage> {
        let read = || {
            let (options, extension) = (field.options(), &EXTENSIONS.field);
            let rules =
                options.has_extension(extension).then(|| options.get_extension(extension).into_owned())?;
            rules.as_message().cloned()
        };
        self.rules.entry(field.full_name().to_owned()).or_insert_with(read).clone()
    }

    fn value(
        &mut self,
        value: &Value,
        field: &FieldDescriptor,
        rules: Option<&DynamicMessage>,
        path: &FieldPath,
    ) {
        let checks = rules.and_then(type_rules);
        match value {
            Value::List(values) => {
                self.count(values.len(), checks.as_ref(), ["min_items", "max_items"], path);
                let items = checks.as_ref().and_then(|checks| nested(checks, "items"));
                for (index, value) in values.iter().enumerate() {
                    self.value(value, field, items.as_ref(), &path.index(index));
                }
            }
            Value::Map(values) => {
                self.count(values.len(), checks.as_ref(), ["min_pairs", "max_pairs"], path);
                let rules = checks.as_ref().and_then(|checks| nested(checks, "values"));
                for (key, value) in values {
                    let key = key.as_str().unwrap_or_default();
                    self.value(value, field, rules.as_ref(), &path.field(key));
                }
            }
            Value::Message(message) => self.inner(message, rules, checks.as_ref(), path),
            _ => {
                if let Some(what) = checks.and_then(|checks| value::breaks(value, &checks, &field.kind())) {
                    self.report(path, what);
                }
            }
        }
    }

    fn count(&mut self, count: usize, checks: Option<&DynamicMessage>, limits: [&str; 2], path: &FieldPath) {
        let Some(checks) = checks else { return };
        let limit = |name| nested_number(checks, name);
        if limit(limits[0]).is_some_and(|least| (count as u64) < least) {
            self.report(path, format!("has {count} entries, too few"));
        }
        if limit(limits[1]).is_some_and(|most| count as u64 > most) {
            self.report(path, format!("has {count} entries, too many"));
        }
    }

    /// A message as the value of a field: those that stand for one value are checked as that value.
    fn inner(
        &mut self,
        message: &DynamicMessage,
        rules: Option<&DynamicMessage>,
        checks: Option<&DynamicMessage>,
        path: &FieldPath,
    ) {
        let skipped =
            rules.and_then(|rules| nested(rules, "message")).is_some_and(|rules| flag(&rules, "skip"));
        let what = checks.and_then(|checks| value::message_breaks(message, checks));
        if let Some(what) = what {
            self.report(path, what);
        }
        if !skipped && !value::is_wrapper(message) {
            self.message(message, path);
        }
    }
}

fn is_exempt(descriptor: &MessageDescriptor) -> bool {
    descriptor.options().get_extension(&EXTENSIONS.disabled).as_bool() == Some(true)
}

fn lacks_choice(oneof: &OneofDescriptor, message: &DynamicMessage) -> bool {
    let required = oneof.options().get_extension(&EXTENSIONS.oneof_required).as_bool() == Some(true);
    required && !oneof.fields().any(|field| message.has_field(&field))
}

fn is_required(rules: &DynamicMessage) -> bool {
    let message = nested(rules, "message").is_some_and(|rules| flag(&rules, "required"));
    message || type_rules(rules).is_some_and(|rules| flag(&rules, "required"))
}

/// The rules for the field's type: whichever of them is set.
fn type_rules(rules: &DynamicMessage) -> Option<DynamicMessage> {
    let set = rules.fields().find(|(field, _)| field.name() != "message");
    set.and_then(|(_, value)| value.as_message().cloned())
}

fn nested(rules: &DynamicMessage, name: &str) -> Option<DynamicMessage> {
    let value = rules.has_field_by_name(name).then(|| rules.get_field_by_name(name))??;
    value.as_message().cloned()
}

fn nested_number(rules: &DynamicMessage, name: &str) -> Option<u64> {
    rules.has_field_by_name(name).then(|| rules.get_field_by_name(name))??.as_u64()
}

fn flag(rules: &DynamicMessage, name: &str) -> bool {
    rules.get_field_by_name(name).is_some_and(|value| value.as_bool() == Some(true))
}

#[cfg(test)]
mod tests;
