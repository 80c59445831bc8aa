//! Services as upstreams: one for each, named after it, in the namespace that its source is named after.

use biplane_core::key::{Kind, ObjectKey};
use biplane_core::resources::metadata::{MADE_BY, SERVICES};
use biplane_source::ServiceName;
use biplane_tags::service::{ServiceId, SourceKind};
use serde_json::json;

use super::Item;
use crate::ingest::MadeObject;

/// The upstream of a service.
pub(super) fn upstream(item: &Item, id: &ServiceId) -> MadeObject {
    let ServiceName { datacenter, namespace, name } = &item.name;
    let asked = match id.source {
        SourceKind::Consul => {
            let datacenters: Vec<_> = [datacenter].into_iter().filter(|name| !name.is_empty()).collect();
            let mut asked = json!({"serviceName": name, "source": &*item.source});
            if !datacenters.is_empty() {
                asked["dataCenters"] = json!(datacenters);
            }
            if !namespace.is_empty() {
                asked["namespace"] = json!(namespace);
            }
            asked
        }
        SourceKind::Nomad => {
            let mut asked = json!({"serviceName": name, "source": &*item.source});
            for (field, value) in [("namespace", namespace), ("region", datacenter)] {
                if !value.is_empty() {
                    asked[field] = json!(value);
                }
            }
            asked
        }
    };
    let (key, kind) = (key(item), id.source.as_str());
    let metadata = json!({
        "name": key.name,
        "namespace": key.namespace,
        "labels": {MADE_BY: &*item.source, "discovered_by": kind},
        "annotations": {SERVICES: id.to_string()},
    });
    MadeObject { key, value: json!({"metadata": metadata, kind: asked}) }
}

/// The namespace of the upstreams of a source. Namespaces of upstreams hold no `_`: cluster names join both by it.
pub(super) fn namespace_of(source: &str) -> String {
    source.replace('_', "-")
}

/// The key of that upstream.
pub(super) fn key(item: &Item) -> ObjectKey {
    let ServiceName { datacenter, namespace, name } = &item.name;
    let namespace = Some(namespace).filter(|name| !name.is_empty() && *name != "default");
    let parts = [Some(datacenter).filter(|name| !name.is_empty()), namespace, Some(name)];
    let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
    ObjectKey::new(Kind::Upstream, namespace_of(&item.source), parts.join("."))
}
