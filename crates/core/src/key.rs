//! Names of things: the kind of a resource, the key under which a store keeps it, and the
//! reference by which one resource names another. Everything here is plain data with a total
//! order, so that every listing and every report comes out in the same order everywhere.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The namespace of an object that names none: Gloo's default.
pub const DEFAULT_NAMESPACE: &str = "gloo-system";

/// The longest name or namespace, in bytes.
pub const MAX_NAME: usize = 253;

/// The groups of `apiVersion` that are read, each with its version.
pub const API_VERSIONS: [&str; 3] = ["gateway.solo.io/v1", "gloo.solo.io/v1", "biplane.io/v1"];

/// A kind of resource, in Gloo's v1 words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    /// One Envoy listener: address, port, and which virtual services it serves.
    Gateway,
    /// Domains and the routes behind them.
    VirtualService,
    /// Routes that a virtual service or another table delegates to.
    RouteTable,
    /// Where requests go: a cluster of endpoints.
    Upstream,
    /// A weighted set of upstreams that routes name as one.
    UpstreamGroup,
    /// Route options that routes refer to.
    RouteOption,
    /// Virtual host options that virtual hosts refer to.
    VirtualHostOption,
    /// Key material: certificates and keys.
    Secret,
    /// Settings of the whole control plane, such as the policy for invalid routes.
    Settings,
}

impl Kind {
    /// All kinds, in the order in which they are listed and read.
    pub const ALL: [Self; 9] = [
        Self::Gateway,
        Self::VirtualService,
        Self::RouteTable,
        Self::Upstream,
        Self::UpstreamGroup,
        Self::RouteOption,
        Self::VirtualHostOption,
        Self::Secret,
        Self::Settings,
    ];

    /// The kind's name as it is written in `kind:`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "Gateway",
            Self::VirtualService => "VirtualService",
            Self::RouteTable => "RouteTable",
            Self::Upstream => "Upstream",
            Self::UpstreamGroup => "UpstreamGroup",
            Self::RouteOption => "RouteOption",
            Self::VirtualHostOption => "VirtualHostOption",
            Self::Secret => "Secret",
            Self::Settings => "Settings",
        }
    }

    /// The folder that Gloo's file layout keeps this kind in.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Gateway => "gateways",
            Self::VirtualService => "virtualservices",
            Self::RouteTable => "routetables",
            Self::Upstream => "upstreams",
            Self::UpstreamGroup => "upstreamgroups",
            Self::RouteOption => "routeoptions",
            Self::VirtualHostOption => "virtualhostoptions",
            Self::Secret => "secrets",
            Self::Settings => "settings",
        }
    }

    /// The `apiVersion` group and version that Gloo writes for this kind.
    pub const fn api_version(self) -> &'static str {
        match self {
            Self::Upstream | Self::UpstreamGroup | Self::Secret | Self::Settings => "gloo.solo.io/v1",
            _ => "gateway.solo.io/v1",
        }
    }

    /// The kind whose folder name in Gloo's layout is `plural`.
    pub fn from_plural(plural: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.plural() == plural)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not the name of a kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown kind {0:?}")]
pub struct UnknownKind(pub String);

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| UnknownKind(text.to_owned()))
    }
}

/// The text cannot be a name: it would break the paths and keys that stores build from names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// No text at all.
    #[error("it is empty")]
    Empty,
    /// More than [`MAX_NAME`] bytes.
    #[error("it is longer than 253 bytes")]
    TooLong,
    /// `.`, or `..` anywhere in it.
    #[error("`..` could leave the store's root")]
    Dots,
    /// A slash, white space or a control character.
    #[error("{0:?} is not allowed in it")]
    Character(char),
}

/// Checks a name or a namespace. Wider than Kubernetes' rule on purpose: Consul and files hold
/// Gloo objects with capitals and underscores, and nothing here builds DNS names from them.
pub fn check_name(name: &str) -> Result<(), InvalidName> {
    if name.is_empty() {
        return Err(InvalidName::Empty);
    }
    if name.len() > MAX_NAME {
        return Err(InvalidName::TooLong);
    }
    if name == "." || name.contains("..") {
        return Err(InvalidName::Dots);
    }
    let refused = |c: &char| matches!(c, '/' | '\\') || c.is_control() || c.is_whitespace();
    name.chars().find(refused).map_or(Ok(()), |c| Err(InvalidName::Character(c)))
}

/// The identity of one stored object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ObjectKey {
    /// What it is.
    pub kind: Kind,
    /// The namespace that it lives in.
    pub namespace: String,
    /// Its name, unique for its kind and namespace.
    pub name: String,
}

impl ObjectKey {
    /// A key from its parts.
    pub fn new(kind: Kind, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind, namespace: namespace.into(), name: name.into() }
    }

    /// The reference by which other objects name this one.
    pub fn reference(&self) -> ResourceRef {
        ResourceRef::new(self.namespace.clone(), self.name.clone())
    }
}

/// `VirtualService default/petstore`: how logs, reports and tables name an object.
impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// A reference to an object of a kind that the field tells. A reference as users write it may
/// leave the namespace out; decoding fills in the namespace of the object that holds it, so
/// past decoding `namespace` is never empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ResourceRef {
    /// The namespace of the object; default: that of the object that holds the reference.
    pub namespace: String,
    /// The name of the object.
    pub name: String,
}

impl ResourceRef {
    /// A reference from its parts.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// The key of the object of `kind` that this names.
    pub fn key(&self, kind: Kind) -> ObjectKey {
        ObjectKey::new(kind, self.namespace.clone(), self.name.clone())
    }
}

impl fmt::Display for ResourceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_is_refused_only_where_it_would_break_a_path() {
        for name in ["a", "petstore.v1", "Consul_Service", "a-b", "größe"] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in ["", ".", "..", "a..b", "a/b", "a\\b", "a b", "a\n", "a\u{0}", &"x".repeat(254)] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
    }
}
