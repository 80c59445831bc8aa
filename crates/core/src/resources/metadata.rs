//! What every object says about itself besides its fields.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::scalars::Timestamp;

/// Name, namespace, labels and the like. What Kubernetes and Gloo keep here for themselves
/// (`uid`, `generation`, `managedFields` ...) is read past.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    /// The object's name.
    pub name: String,
    /// The namespace that it lives in; default `gloo-system`, as in Gloo.
    pub namespace: String,
    /// Labels, which selectors match.
    pub labels: BTreeMap<String, String>,
    /// Notes for people and tools.
    pub annotations: BTreeMap<String, String>,
    /// When the object was made: the older of two that claim the same thing keeps it.
    pub creation_timestamp: Option<Timestamp>,
}

/// The label of an object that nobody wrote; its value says what made it: `tags`, or the name of a source of services.
pub const MADE_BY: &str = "biplane.io/made-by";

/// The annotation of an object that was made of services: these, as `nomad prod/dc1/default/web`, with `, ` between them.
pub const SERVICES: &str = "biplane.io/services";

/// The annotation of a virtual service that only these gateways may serve: names, or `namespace/name`, with commas between
/// them. What a gateway selects by itself counts as well.
pub const GATEWAYS: &str = "biplane.io/gateways";

/// The annotation of a virtual service that these gateways must not serve, in the same form: they have another one for its
/// domains.
pub const EXCEPT_GATEWAYS: &str = "biplane.io/except-gateways";

impl Metadata {
    /// Whether nobody wrote the object.
    pub fn is_made(&self) -> bool {
        self.labels.contains_key(MADE_BY)
    }

    /// Whether a gateway may serve the virtual service with this metadata.
    pub fn admits_gateway(&self, namespace: &str, name: &str) -> bool {
        let lists = |annotation: &str| {
            self.annotations.get(annotation).map(|gateways| is_listed(gateways, namespace, name))
        };
        lists(GATEWAYS) != Some(false) && lists(EXCEPT_GATEWAYS) != Some(true)
    }
}

fn is_listed(gateways: &str, namespace: &str, name: &str) -> bool {
    gateways.split(',').map(str::trim).any(|gateway| match gateway.split_once('/') {
        Some(whole) => whole == (namespace, name),
        None => gateway == name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gateways_are_named_with_or_without_their_namespace_and_none_means_all() {
        let of = |value: Option<&str>| Metadata {
            annotations: value.map(|value| (GATEWAYS.to_owned(), value.to_owned())).into_iter().collect(),
            ..Metadata::default()
        };
        for (value, admits) in [
            (None, true),
            (Some("edge"), true),
            (Some("inner, edge"), true),
            (Some("default/edge"), true),
            (Some("other/edge"), false),
            (Some("inner"), false),
            (Some(""), false),
        ] {
            assert_eq!(of(value).admits_gateway("default", "edge"), admits, "{value:?}");
        }
    }

    #[test]
    fn gateways_that_are_left_out_are_not_admitted() {
        let annotations = [(EXCEPT_GATEWAYS.to_owned(), "public, edge/internal".to_owned())].into();
        let metadata = Metadata { annotations, ..Metadata::default() };
        let admits = |namespace, name| metadata.admits_gateway(namespace, name);
        assert!(!admits("any", "public") && !admits("edge", "internal") && admits("other", "internal"));
    }
}
