//! Upstreams and secrets of routers, as documents.

use biplane_core::key::{Kind, ObjectKey};
use biplane_core::resources::metadata::{MADE_BY, SERVICES};
use serde_json::{Map, Value, json};

use super::{Document, names};
use crate::router::{Canaries, Endpoints, MadeSecret, Pick, Scheme, Target};
use crate::service::{ServiceId, SourceKind};
use crate::settings::Settings;

/// What made the objects, as the label of all objects that nobody wrote says it.
pub(super) const MADE_BY_TAGS: &str = "tags";

/// The action that sends requests to the targets, whose upstreams are added to `needs`.
pub(super) fn forward(
    targets: &[Target],
    settings: &Settings,
    needs: &mut Vec<Document>,
) -> Result<Map<String, Value>, String> {
    let mut destinations = Vec::new();
    for target in targets {
        let document = document(target, settings);
        let reference = json!({ "namespace": document.key.namespace, "name": document.key.name });
        destinations.push((json!({ "upstream": reference }), target.weight));
        if needs.iter().all(|need| need.key != document.key) {
            needs.push(document);
        }
    }
    let action = match destinations.as_slice() {
        [] => return Err("it has no upstream".to_owned()),
        [(single, _)] => json!({ "single": single }),
        several if several.iter().all(|(_, weight)| *weight == 0) => {
            return Err("all its weights are 0".to_owned());
        }
        several => {
            let destinations: Vec<_> = several
                .iter()
                .map(|(destination, weight)| json!({ "destination": destination, "weight": weight }))
                .collect();
            json!({ "multi": { "destinations": destinations } })
        }
    };
    Ok(Map::from_iter([("routeAction".to_owned(), action)]))
}

/// A secret made of tags.
pub(super) fn secret(secret: &MadeSecret, settings: &Settings) -> Document {
    let key = ObjectKey::new(Kind::Secret, settings.namespace.clone(), secret.name.clone());
    finished(key, secret.fields.clone(), None)
}

fn document(target: &Target, settings: &Settings) -> Document {
    let mut fields = Map::new();
    let (name, services) = match &target.endpoints {
        Endpoints::Service { service, pick, port } => {
            let (kind, endpoints) = discovered(service, pick, *port);
            fields.insert(kind.to_owned(), endpoints);
            let parts = [service.source.as_str(), &service.namespace, &service.name].map(str::to_owned);
            (parts, Some(service.to_string()))
        }
        Endpoints::Static { host, port } => {
            fields.insert("static".to_owned(), json!({ "hosts": [{ "addr": host, "port": port }] }));
            (["static".to_owned(), host.clone(), port.to_string()], None)
        }
    };
    speak(target.scheme, &mut fields);
    fields.extend(target.upstream.clone());
    let parts = name.each_ref().map(String::as_str);
    let name = names::upstream(&parts, &Value::Object(fields.clone()));
    finished(ObjectKey::new(Kind::Upstream, settings.namespace.clone(), name), fields, services)
}

fn discovered(service: &ServiceId, pick: &Pick, port: Option<u16>) -> (&'static str, Value) {
    let mut fields = Map::new();
    let mut put = |field: &str, value: Value| fields.insert(field.to_owned(), value);
    put("serviceName", json!(service.name));
    let namespace = Some(&service.namespace).filter(|namespace| !namespace.is_empty());
    match service.source {
        SourceKind::Nomad => {
            if !service.datacenter.is_empty() {
                put("region", json!(service.datacenter));
            }
            if let Some(namespace) = namespace {
                put("namespace", json!(namespace));
            }
            match pick.canaries {
                Canaries::Include => {}
                Canaries::Exclude => drop(put("canaries", json!("exclude"))),
                Canaries::Only => drop(put("canaries", json!("only"))),
            }
        }
        SourceKind::Consul => {
            if !service.datacenter.is_empty() {
                put("dataCenters", json!([service.datacenter]));
            }
            // Consul's free edition refuses every namespace, the default one too.
            if let Some(namespace) = namespace.filter(|namespace| *namespace != "default") {
                put("namespace", json!(namespace));
            }
        }
    }
    for (field, tags) in [("instanceTags", &pick.with_tags), ("instanceBlacklistTags", &pick.without_tags)] {
        if !tags.is_empty() {
            put(field, json!(tags));
        }
    }
    if let Some(port) = port {
        put("port", json!(port));
    }
    if !service.source_name.is_empty() {
        put("source", json!(service.source_name));
    }
    (service.source.as_str(), Value::Object(fields))
}

fn speak(scheme: Scheme, fields: &mut Map<String, Value>) {
    if matches!(scheme, Scheme::Https | Scheme::H2) {
        fields.insert("sslConfig".to_owned(), json!({}));
    }
    if matches!(scheme, Scheme::H2c | Scheme::H2) {
        fields.insert("useHttp2".to_owned(), json!(true));
    }
}

fn finished(key: ObjectKey, fields: Map<String, Value>, services: Option<String>) -> Document {
    let mut metadata = json!({
        "name": key.name,
        "namespace": key.namespace,
        "labels": { MADE_BY: MADE_BY_TAGS },
    });
    if let Some(services) = services {
        metadata["annotations"] = json!({ (SERVICES): services });
    }
    let mut value = Map::new();
    value.insert("metadata".to_owned(), metadata);
    value.extend(fields);
    Document { key, value: Value::Object(value) }
}
