//! Headers to add and to remove.

use super::{Validator, formatter, text};
use crate::options::HeaderManipulation;
use crate::options::header_manipulation::{HeaderValue, HeaderValueOption};
use crate::path::Trail;

/// Most headers that Envoy takes in one list.
const MAX_HEADERS: usize = 1000;
/// Longest name or value, in bytes.
const MAX_LENGTH: usize = 16_384;

pub(super) fn manipulation(v: &mut Validator<'_, '_>, headers: &HeaderManipulation, at: &Trail<'_>) {
    added_to_requests(v, &headers.request_headers_to_add, &at.field("requestHeadersToAdd"));
    added(v, &headers.response_headers_to_add, &at.field("responseHeadersToAdd"));
    removed(v, &headers.request_headers_to_remove, &at.field("requestHeadersToRemove"));
    removed(v, &headers.response_headers_to_remove, &at.field("responseHeadersToRemove"));
}

/// Headers with values of their own: where no secret can be used.
pub(super) fn added(v: &mut Validator<'_, '_>, headers: &[HeaderValueOption], at: &Trail<'_>) {
    count(v, headers, at);
    for (index, option) in headers.iter().enumerate() {
        let at = at.index(index);
        if option.header_secret_ref.is_some() {
            let hint = "headers of secrets are for requests of routes: write header: {key: ..., value: ...}";
            v.error_hint(&at.field("headerSecretRef"), "no secret can be used here", hint);
        } else {
            header(v, &option.header, &at.field("header"));
        }
    }
}

/// Headers of requests, from secrets too.
fn added_to_requests(v: &mut Validator<'_, '_>, headers: &[HeaderValueOption], at: &Trail<'_>) {
    count(v, headers, at);
    for (index, option) in headers.iter().enumerate() {
        let at = at.index(index);
        let choices = [
            ("header", option.header != HeaderValue::default()),
            ("headerSecretRef", option.header_secret_ref.is_some()),
        ];
        v.at_most_one(&at, "the header", &choices);
        match &option.header_secret_ref {
            Some(reference) => v.reference(reference, &at.field("headerSecretRef")),
            None => header(v, &option.header, &at.field("header")),
        }
    }
}

fn count(v: &mut Validator<'_, '_>, headers: &[HeaderValueOption], at: &Trail<'_>) {
    if headers.len() > MAX_HEADERS {
        v.error(at, format!("{} headers, more than the {MAX_HEADERS} that Envoy takes", headers.len()));
    }
}

fn header(v: &mut Validator<'_, '_>, header: &HeaderValue, at: &Trail<'_>) {
    if header.key.is_empty() {
        v.missing(&at.field("key"), "the header has no name", "write header: {key: x-name, value: ...}");
    } else if let Err(why) = text::mutable_header_name(&header.key) {
        v.error(&at.field("key"), format!("{:?}: {why}", header.key));
    }
    value(v, &header.value, &at.field("value"));
    formatted(v, &header.value, &at.field("value"));
    if header.key.len() > MAX_LENGTH || header.value.len() > MAX_LENGTH {
        v.error(at, format!("longer than the {MAX_LENGTH} bytes that Envoy takes"));
    }
}

pub(super) fn removed(v: &mut Validator<'_, '_>, names: &[String], at: &Trail<'_>) {
    for (index, name) in names.iter().enumerate() {
        if let Err(why) = text::mutable_header_name(name) {
            v.error(&at.index(index), format!("{name:?}: {why}"));
        }
    }
}

/// A text that ends up in a header.
pub(super) fn value(v: &mut Validator<'_, '_>, value: &str, at: &Trail<'_>) {
    if let Err(why) = text::header_value(value) {
        v.error(at, why);
    }
}

/// A text with Envoy's substitution formatters.
pub(super) fn formatted(v: &mut Validator<'_, '_>, value: &str, at: &Trail<'_>) {
    if let Err(refusal) = formatter::check(value) {
        v.error_hint(at, refusal.message, refusal.hint);
    }
}

/// The name of a header to read.
pub(super) fn name(v: &mut Validator<'_, '_>, name: &str, at: &Trail<'_>) {
    if let Err(why) = text::header_name(name) {
        v.error(at, format!("{name:?}: {why}"));
    }
}
