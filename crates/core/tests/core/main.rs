//! The public face of `biplane-core`: text in, objects and findings out.

mod authentication;
mod discovery;
mod envoy_refusals;
mod forms;
mod mistakes;
mod recipe;
mod robustness;
mod schemas;
mod secret_forms;
mod secrets;

use biplane_core::decode::{Decoded, decode};
use biplane_core::document::{IdentifyHint, identify, split};
use biplane_core::location::Location;

/// Decodes every document of a text that stands in the file `a.yaml`.
fn decode_all(text: &str) -> Vec<Decoded> {
    split(text)
        .into_iter()
        .map(|slice| {
            let document = &text[slice.range];
            let key = identify(document, &IdentifyHint::default()).expect(document);
            decode(document, &key, &Location::file("a.yaml", slice.first_line))
        })
        .collect()
}

/// Decodes one document that must be right, warnings and all.
fn decode_one(text: &str) -> biplane_core::resources::Object {
    let mut decoded = decode_all(text);
    assert_eq!(decoded.len(), 1, "one document");
    let decoded = decoded.remove(0);
    decoded.object.unwrap_or_else(|| panic!("{:#?}", decoded.reports))
}

/// All findings of a text, as people read them.
fn findings(text: &str) -> Vec<String> {
    decode_all(text)
        .into_iter()
        .flat_map(|decoded| decoded.reports)
        .map(|report| report.to_string())
        .collect()
}
