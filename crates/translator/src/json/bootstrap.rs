//! A configuration that Envoy reads from one file and needs no server for: what `envoy --mode validate` can
//! judge, and what a reader can try out.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{JsonError, Sensitive, canonical};
use crate::resource::{EnvoyResource, EnvoyType};

/// The bootstrap of an Envoy that has `resources` from the start: what would come over xDS stands where
/// it is named. **It holds private keys in full.**
pub fn static_bootstrap<'a>(
    resources: impl IntoIterator<Item = &'a EnvoyResource>,
) -> Result<Value, JsonError> {
    let mut all = Resources::default();
    for resource in resources {
        let value = canonical(resource, Sensitive::Shown)?;
        all.0.entry(resource.name.kind).or_default().insert(resource.name.name.to_string(), value);
    }
    let listeners: Vec<Value> = all.of(EnvoyType::Listener).map(|listener| all.inlined(listener)).collect();
    let clusters: Vec<Value> = all.of(EnvoyType::Cluster).map(|cluster| all.inlined(cluster)).collect();
    let secrets: Vec<&Value> = all.of(EnvoyType::Secret).collect();
    Ok(json!({
        "node": { "id": "static", "cluster": "static" },
        "static_resources": {
            "listeners": listeners,
            "clusters": std::iter::once(silent()).chain(clusters).collect::<Vec<_>>(),
            "secrets": secrets,
        },
        "layered_runtime": { "layers": [{ "name": "static", "static_layer": { "re2.max_program_size.error_level": REGEX } }] },
    }))
}

/// A server without an endpoint, to ask for the secrets that do not exist. (Asking over ADS crashes Envoy 1.40 when
/// a cluster of the file does it.)
const SILENT: &str = "xds-that-never-answers";

fn silent() -> Value {
    json!({
        "name": SILENT,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": { "cluster_name": SILENT },
        "typed_extension_protocol_options": { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": { "http2_protocol_options": {} },
        } },
    })
}

/// Envoy's own limit refuses patterns as harmless as `[a-z0-9-]{1,64}`.
const REGEX: u32 = 100_000;

#[derive(Default)]
struct Resources(BTreeMap<EnvoyType, BTreeMap<String, Value>>);

impl Resources {
    fn of(&self, kind: EnvoyType) -> impl Iterator<Item = &Value> {
        self.0.get(&kind).into_iter().flat_map(BTreeMap::values)
    }

    fn named(&self, kind: EnvoyType, name: &Value) -> Option<&Value> {
        self.0.get(&kind)?.get(name.as_str()?)
    }

    /// `value` with everything that it asks for by xDS put in its place, as far as it is here.
    fn inlined(&self, value: &Value) -> Value {
        match value {
            Value::Array(values) => values.iter().map(|value| self.inlined(value)).collect(),
            Value::Object(fields) => {
                let fields = fields.iter().map(|(key, value)| (key.clone(), self.inlined(value)));
                let mut object = Value::Object(fields.collect());
                self.inline_endpoints(&mut object);
                self.inline_routes(&mut object);
                self.inline_secret(&mut object);
                object
            }
            other => other.clone(),
        }
    }

    fn inline_endpoints(&self, cluster: &mut Value) {
        if cluster.get("eds_cluster_config").is_none() {
            return;
        }
        let name = cluster["name"].clone();
        let endpoints = self.named(EnvoyType::Endpoint, &name).cloned();
        let fields = cluster.as_object_mut().expect("a cluster is an object");
        fields.remove("eds_cluster_config");
        fields.insert("type".into(), "STATIC".into());
        fields.insert("load_assignment".into(), endpoints.unwrap_or_else(|| json!({ "cluster_name": name })));
    }

    fn inline_routes(&self, manager: &mut Value) {
        let Some(rds) = manager.get("rds") else { return };
        let name = rds["route_config_name"].clone();
        let mut routes =
            self.named(EnvoyType::Route, &name).cloned().unwrap_or_else(|| json!({ "name": name }));
        // A route to an upstream that does not exist is a 503 and no reason to refuse the file.
        routes["validate_clusters"] = false.into();
        let fields = manager.as_object_mut().expect("a manager is an object");
        fields.remove("rds");
        fields.insert("route_config".into(), routes);
    }

    /// A secret of the file is named without a source.
    fn inline_secret(&self, reference: &mut Value) {
        let Some(name) = reference.get("sds_config").and(reference.get("name")) else { return };
        if self.named(EnvoyType::Secret, name).is_some() {
            reference.as_object_mut().expect("a reference is an object").remove("sds_config");
            return;
        }
        reference["sds_config"] = json!({ "resource_api_version": "V3", "api_config_source": {
            "api_type": "GRPC",
            "transport_api_version": "V3",
            "grpc_services": [{ "envoy_grpc": { "cluster_name": SILENT } }],
        } });
    }
}
