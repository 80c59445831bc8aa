//! One Envoy resource as the translator hands it on: encoded once, with what it names and where it
//! came from. The protobuf struct that it was built from is gone by then: it would cost 48 times
//! the memory of its encoding.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use biplane_core::key::ObjectKey;
use biplane_core::report::Report;
use bytes::Bytes;
use zeroize::Zeroizing;

use crate::encode;

/// The types of resources that the translator makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EnvoyType {
    /// `envoy.config.cluster.v3.Cluster`
    Cluster,
    /// `envoy.config.endpoint.v3.ClusterLoadAssignment`
    Endpoint,
    /// `envoy.extensions.transport_sockets.tls.v3.Secret`
    Secret,
    /// `envoy.config.listener.v3.Listener`
    Listener,
    /// `envoy.config.route.v3.RouteConfiguration`
    Route,
}

impl EnvoyType {
    /// The full name of the protobuf message.
    pub const fn message(self) -> &'static str {
        match self {
            Self::Cluster => "envoy.config.cluster.v3.Cluster",
            Self::Endpoint => "envoy.config.endpoint.v3.ClusterLoadAssignment",
            Self::Secret => "envoy.extensions.transport_sockets.tls.v3.Secret",
            Self::Listener => "envoy.config.listener.v3.Listener",
            Self::Route => "envoy.config.route.v3.RouteConfiguration",
        }
    }
}

/// The identity of an Envoy resource within a fleet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnvoyName {
    /// Its type.
    pub kind: EnvoyType,
    /// Its name, unique for the type.
    pub name: Arc<str>,
}

impl EnvoyName {
    /// A name of a type.
    pub fn new(kind: EnvoyType, name: impl Into<Arc<str>>) -> Self {
        Self { kind, name: name.into() }
    }
}

impl fmt::Display for EnvoyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.kind, self.name)
    }
}

/// An encoded Envoy resource.
#[derive(Clone, PartialEq, Eq)]
pub struct EnvoyResource {
    /// Type and name.
    pub name: EnvoyName,
    /// The message in canonical encoding: equal content gives equal bytes in every process.
    pub body: Bytes,
    /// The resources that it names, existing or not, sorted: a listener its routes and secrets, a route
    /// configuration its clusters, a cluster its load assignment and secrets.
    pub references: Arc<[EnvoyName]>,
    /// The objects to blame when Envoy refuses it.
    pub origins: Arc<[ObjectKey]>,
}

impl EnvoyResource {
    /// Encodes `message`. References and origins may come in any order and more than once.
    pub fn encode(
        kind: EnvoyType,
        name: impl Into<Arc<str>>,
        message: &impl prost::Message,
        references: impl IntoIterator<Item = EnvoyName>,
        origins: impl IntoIterator<Item = ObjectKey>,
    ) -> Self {
        let body = encode::canonical(kind.message(), message);
        Self {
            name: EnvoyName::new(kind, name),
            body: if kind == EnvoyType::Secret { wiped_when_dropped(body) } else { body },
            references: references.into_iter().collect::<BTreeSet<_>>().into_iter().collect(),
            origins: origins.into_iter().collect::<BTreeSet<_>>().into_iter().collect(),
        }
    }
}

/// The same bytes, not copied, in memory that is wiped when the last who holds them lets go.
fn wiped_when_dropped(body: Bytes) -> Bytes {
    Bytes::from_owner(Zeroizing::new(Vec::from(body)))
}

/// Name and size only: the body of a secret holds a private key.
impl fmt::Debug for EnvoyResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnvoyResource")
            .field("name", &self.name)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// A resource that exists though nobody can say yet what is in it: a source has not answered. Envoys that have it from
/// before keep it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// Type and name.
    pub name: EnvoyName,
    /// What it will name, as far as that is known; sorted.
    pub references: Arc<[EnvoyName]>,
}

impl Unknown {
    /// One that will name these, in any order.
    pub fn new(
        kind: EnvoyType,
        name: impl Into<Arc<str>>,
        references: impl IntoIterator<Item = EnvoyName>,
    ) -> Self {
        let references: BTreeSet<_> = references.into_iter().collect();
        Self { name: EnvoyName::new(kind, name), references: references.into_iter().collect() }
    }
}

/// What one translation yields: resources, and what there is to say about the objects it used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// The resources, sorted by name.
    pub resources: Vec<EnvoyResource>,
    /// Resources of which nobody knows yet what is in them. One that is among `resources` too is there in part.
    pub unknown: Vec<Unknown>,
    /// Findings, sorted.
    pub reports: Vec<Report>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn body_of_a_resource_is_never_printed() {
        let resource = EnvoyResource {
            name: EnvoyName::new(EnvoyType::Secret, "default/s/certificate"),
            body: Bytes::from_static(b"private"),
            references: Arc::default(),
            origins: Arc::default(),
        };
        let expected = r#"EnvoyResource { name: EnvoyName { kind: Secret, name: "default/s/certificate" }, bytes: 7, .. }"#;
        assert_eq!(format!("{resource:?}"), expected);
    }
}
