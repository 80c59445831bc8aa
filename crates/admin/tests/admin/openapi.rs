//! The document describes all that is served, and nothing else.

use biplane_admin::AccessOptions;
use serde_json::Value;

use crate::contract::Contract;
use crate::plane::Plane;
use crate::raw;
use crate::server::Server;

/// Calls `visit` with every value in the document and where it is.
fn walk(value: &Value, at: &str, visit: &mut impl FnMut(&str, &Value)) {
    visit(at, value);
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| walk(value, &format!("{at}/{name}"), visit));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, value)| walk(value, &format!("{at}/{index}"), visit));
        }
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_used() {
    let document = biplane_admin::openapi();
    let mut references = Vec::new();
    walk(&document, "", &mut |at, value| {
        if let Some(Value::String(reference)) = value.get("$ref") {
            references.push((at.to_owned(), reference.clone()));
        }
    });
    for (at, reference) in &references {
        let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{at} leads out: {reference}"));
        assert!(document.pointer(pointer).is_some(), "{at} leads nowhere: {reference}");
    }
    for name in document["components"]["schemas"].as_object().expect("schemas").keys() {
        let reference = format!("#/components/schemas/{name}");
        assert!(references.iter().any(|(_, known)| *known == reference), "{name} is not used");
    }
}

#[test]
fn every_example_is_what_its_schema_describes() {
    let contract = Contract::of_server();
    let mut examples = 0;
    walk(&biplane_admin::openapi(), "", &mut |at, value| {
        if let (Some(schema), Some(example)) = (value.get("schema"), value.get("example")) {
            contract.valid(schema, example, at);
            examples += 1;
        }
    });
    assert!(examples >= 12, "{examples} examples");
}

#[test]
fn the_document_has_the_shape_of_openapi_3_1() {
    let document = biplane_admin::openapi();
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["info"]["title"].is_string() && document["info"]["version"].is_string());
    let mut ids = Vec::new();
    for (path, operations) in Contract::of_server().paths() {
        for (method, operation) in operations.as_object().expect("operations") {
            let at = format!("{method} {path}");
            assert!(operation["summary"].as_str().is_some_and(|text| text.ends_with('.')), "{at}");
            assert!(operation["responses"]["200"].is_object(), "{at}");
            assert!(operation["security"].is_array(), "{at}");
            ids.push(operation["operationId"].as_str().expect("an id").to_owned());
            let parameters = operation["parameters"].as_array().expect("parameters");
            let named: Vec<_> =
                parameters.iter().filter(|p| p["in"] == "path").map(|p| p["name"].as_str()).collect();
            let templated: Vec<_> =
                path.split('/').filter_map(|p| p.strip_prefix('{')).map(|p| p.strip_suffix('}')).collect();
            assert_eq!(named, templated, "{at}");
        }
    }
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all, "an id is used twice");
}

#[tokio::test]
async fn what_is_described_is_served_and_what_is_not_is_not() {
    let server = Server::start(Plane::default(), &AccessOptions::default()).await;
    for (path, operations) in Contract::of_server().paths() {
        let asked =
            path.replace("{kind}", "Upstream").replace("{namespace}", "default").replace("{name}", "a");
        for method in ["GET", "PUT", "POST", "DELETE", "PATCH"] {
            if asked == "/v1/watch" && method == "GET" {
                continue; // It does not end; `watch` holds it against the document.
            }
            let answer = server.send(&raw::request(method, &asked, &[], "")).await.expect("an answer");
            let described = operations.get(method.to_ascii_lowercase()).is_some();
            assert_eq!(answer.status != 405, described, "{method} {path} answers {}", answer.status);
        }
    }
}

#[tokio::test]
async fn the_document_is_served() {
    let server = Server::start(Plane::default(), &AccessOptions::default()).await;
    assert_eq!(server.get("/v1/openapi.json").await.json(), biplane_admin::openapi());
}
