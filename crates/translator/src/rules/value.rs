//! Rules about one value.

use prost_reflect::{DynamicMessage, Kind, ReflectMessage, Value};

use super::flag;

/// What `value`, of type `kind`, breaks of `rules`.
pub(super) fn breaks(value: &Value, rules: &DynamicMessage, kind: &Kind) -> Option<String> {
    if flag(rules, "ignore_empty") && value.is_default(kind) {
        return None;
    }
    match value {
        Value::String(text) => text_breaks(text, rules),
        Value::EnumNumber(number) => enum_breaks(*number, rules, kind),
        Value::Bytes(bytes) => bytes_break(bytes.len() as u64, rules),
        other => number_breaks(number(other)?, rules),
    }
}

/// What a message that stands for one value breaks: a duration, or a number or text that may be left out.
pub(super) fn message_breaks(message: &DynamicMessage, rules: &DynamicMessage) -> Option<String> {
    if message.descriptor().full_name() == "google.protobuf.Duration" {
        return number_breaks(seconds(message), rules);
    }
    if !is_wrapper(message) {
        return None;
    }
    let field = message.descriptor().get_field_by_name("value")?;
    breaks(&message.get_field(&field), rules, &field.kind())
}

/// Whether the message is one of protobuf's wrappers around a value.
pub(super) fn is_wrapper(message: &DynamicMessage) -> bool {
    let descriptor = message.descriptor();
    descriptor.package_name() == "google.protobuf"
        && descriptor.name().ends_with("Value")
        && descriptor.name() != "Value"
        && descriptor.name() != "ListValue"
}

fn seconds(duration: &DynamicMessage) -> f64 {
    let part = |name| duration.get_field_by_name(name).and_then(|value| number(&value)).unwrap_or_default();
    part("seconds") + part("nanos") / 1e9
}

#[expect(clippy::cast_precision_loss, reason = "limits are small; the largest is 2^32")]
fn number(value: &Value) -> Option<f64> {
    Some(match value {
        Value::I32(value) => f64::from(*value),
        Value::I64(value) => *value as f64,
        Value::U32(value) => f64::from(*value),
        Value::U64(value) => *value as f64,
        Value::F32(value) => f64::from(*value),
        Value::F64(value) => *value,
        Value::Message(message) => seconds(message),
        _ => return None,
    })
}

type Comparison = (&'static str, &'static str, fn(&f64, &f64) -> bool);

const COMPARISONS: [Comparison; 4] = [
    ("lt", "less than", f64::lt),
    ("lte", "at most", f64::le),
    ("gt", "more than", f64::gt),
    ("gte", "at least", f64::ge),
];

fn number_breaks(value: f64, rules: &DynamicMessage) -> Option<String> {
    COMPARISONS.iter().find_map(|(name, words, holds)| {
        let limit = set(rules, name).and_then(|limit| number(&limit))?;
        (!holds(&value, &limit)).then(|| format!("is {value}, must be {words} {limit}"))
    })
}

fn enum_breaks(number: i32, rules: &DynamicMessage, kind: &Kind) -> Option<String> {
    let known = kind.as_enum().is_some_and(|kind| kind.get_value(number).is_some());
    if flag(rules, "defined_only") && !known {
        return Some(format!("has no value of number {number}"));
    }
    let refused = rules.get_field_by_name("not_in")?;
    let refused = refused.as_list()?.iter().any(|value| *value == Value::I32(number));
    refused.then(|| format!("must not be of number {number}"))
}

fn bytes_break(length: u64, rules: &DynamicMessage) -> Option<String> {
    limits(length, rules, ["min_len", "max_len"], "bytes")
}

fn text_breaks(text: &str, rules: &DynamicMessage) -> Option<String> {
    let characters = text.chars().count() as u64;
    limits(characters, rules, ["min_len", "max_len"], "characters")
        .or_else(|| limits(text.len() as u64, rules, ["min_bytes", "max_bytes"], "bytes"))
        .or_else(|| affix_breaks(text, rules))
        .or_else(|| list_breaks(text, rules))
        .or_else(|| header_breaks(text, rules))
}

fn limits(length: u64, rules: &DynamicMessage, names: [&str; 2], unit: &str) -> Option<String> {
    let limit = |name| set(rules, name).and_then(|value| value.as_u64());
    let least = limit(names[0]).filter(|least| length < *least).map(|least| format!("at least {least}"));
    let broken =
        least.or_else(|| limit(names[1]).filter(|most| length > *most).map(|most| format!("at most {most}")));
    broken.map(|bound| format!("has {length} {unit}, must have {bound}"))
}

fn affix_breaks(text: &str, rules: &DynamicMessage) -> Option<String> {
    let affix = |name| set(rules, name).and_then(|value| value.as_str().map(str::to_owned));
    let begin =
        affix("prefix").filter(|prefix| !text.starts_with(prefix)).map(|it| format!("begin with {it:?}"));
    let end =
        || affix("suffix").filter(|suffix| !text.ends_with(suffix)).map(|it| format!("end with {it:?}"));
    begin.or_else(end).map(|what| format!("must {what}"))
}

fn list_breaks(text: &str, rules: &DynamicMessage) -> Option<String> {
    let listed = |name| {
        let list = set(rules, name)?;
        Some(list.as_list()?.iter().any(|value| value.as_str() == Some(text)))
    };
    let broken = listed("in") == Some(false) || listed("not_in") == Some(true);
    broken.then(|| "is a value that Envoy does not take".to_owned())
}

/// Header names and values have a syntax of their own; `strict: false` asks for no more than that they do not
/// end the header.
fn header_breaks(text: &str, rules: &DynamicMessage) -> Option<String> {
    const NAME: i32 = 1;
    let kind = set(rules, "well_known_regex")?.as_enum_number()?;
    let strict = rules.get_field_by_name("strict")?.as_bool()?;
    let fits = |c: char| match (strict, kind) {
        (false, _) => !matches!(c, '\0' | '\n' | '\r'),
        (true, NAME) => c.is_ascii_alphanumeric() || "!#$%&'*+-.^_|~`:".contains(c),
        (true, _) => c == '\t' || !c.is_ascii_control(),
    };
    let bad = text.chars().find(|c| !fits(*c))?;
    Some(format!("has {bad:?}, which no header may have"))
}

fn set(rules: &DynamicMessage, name: &str) -> Option<Value> {
    let present = rules.has_field_by_name(name);
    present.then(|| rules.get_field_by_name(name).map(std::borrow::Cow::into_owned))?
}
