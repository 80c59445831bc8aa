//! One Envoy resource as it is served: its bytes, framed once for every client, with what it names
//! and whom to blame for it. This crate never looks into the bytes.

use std::fmt;
use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use xxhash_rust::xxh3::xxh3_64;

/// The types of resources, in the order in which one wake-up serves them: what is named before what names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceType {
    /// `envoy.config.cluster.v3.Cluster`, by CDS.
    Cluster,
    /// `envoy.config.endpoint.v3.ClusterLoadAssignment`, by EDS.
    Endpoint,
    /// `envoy.extensions.transport_sockets.tls.v3.Secret`, by SDS.
    Secret,
    /// `envoy.config.listener.v3.Listener`, by LDS.
    Listener,
    /// `envoy.config.route.v3.ScopedRouteConfiguration`, by SRDS.
    ScopedRoute,
    /// `envoy.config.route.v3.RouteConfiguration`, by RDS.
    Route,
    /// `envoy.config.route.v3.VirtualHost`, by VHDS.
    VirtualHost,
    /// `envoy.config.core.v3.TypedExtensionConfig`, by ECDS.
    ExtensionConfig,
    /// `envoy.service.runtime.v3.Runtime`, by RTDS.
    Runtime,
}

impl ResourceType {
    /// All types, in serving order.
    pub const ALL: [Self; 9] = [
        Self::Cluster,
        Self::Endpoint,
        Self::Secret,
        Self::Listener,
        Self::ScopedRoute,
        Self::Route,
        Self::VirtualHost,
        Self::ExtensionConfig,
        Self::Runtime,
    ];

    /// The type URL.
    pub const fn type_url(self) -> &'static str {
        match self {
            Self::Cluster => "type.googleapis.com/envoy.config.cluster.v3.Cluster",
            Self::Endpoint => "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
            Self::Secret => "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
            Self::Listener => "type.googleapis.com/envoy.config.listener.v3.Listener",
            Self::ScopedRoute => "type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration",
            Self::Route => "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
            Self::VirtualHost => "type.googleapis.com/envoy.config.route.v3.VirtualHost",
            Self::ExtensionConfig => "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
            Self::Runtime => "type.googleapis.com/envoy.service.runtime.v3.Runtime",
        }
    }

    /// The type of a type URL.
    pub fn from_type_url(url: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.type_url() == url)
    }

    /// Whether a response of the state of the world must hold all resources of the type, so that
    /// absence deletes: clusters and listeners (xds_protocol, "State of the world").
    pub const fn is_full_state(self) -> bool {
        matches!(self, Self::Cluster | Self::Listener)
    }

    /// The name of its discovery service, in small letters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cluster => "cds",
            Self::Endpoint => "eds",
            Self::Secret => "sds",
            Self::Listener => "lds",
            Self::ScopedRoute => "srds",
            Self::Route => "rds",
            Self::VirtualHost => "vhds",
            Self::ExtensionConfig => "ecds",
            Self::Runtime => "rtds",
        }
    }
}

impl fmt::Display for ResourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The identity of a resource within a fleet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceName {
    /// Its type.
    pub kind: ResourceType,
    /// Its name.
    pub name: Arc<str>,
}

impl ResourceName {
    /// A name of a type.
    pub fn new(kind: ResourceType, name: impl Into<Arc<str>>) -> Self {
        Self { kind, name: name.into() }
    }
}

impl fmt::Display for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

/// A version: a hash of the content. Equal content has equal versions in every process and on every
/// replica; between different ones there is no order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Version(pub u64);

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Eleven characters: Envoy sends one back for each resource that it holds when it reconnects.
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digit = |position: u32| DIGITS[(self.0 >> (6 * position) & 63) as usize] as char;
        (0..11).try_for_each(|position| write!(f, "{}", digit(position)))
    }
}

/// A resource with its bytes in the two forms in which responses carry it.
#[derive(Clone, PartialEq, Eq)]
pub struct Resource {
    /// Type and name.
    pub name: ResourceName,
    /// The version of the content.
    pub version: Version,
    /// The encoded message: the value of the `Any`.
    pub body: Bytes,
    /// The resources that it names.
    pub references: Arc<[ResourceName]>,
    /// The objects that it was made from, to blame when a client refuses it.
    pub origins: Arc<[Arc<str>]>,
    /// A field `resources` of a DeltaDiscoveryResponse, tag and length included.
    pub(crate) delta: Bytes,
    /// What precedes `body` in a field `resources` of a DiscoveryResponse.
    pub(crate) sotw_head: Bytes,
}

impl Resource {
    /// Frames a resource once for all clients.
    pub fn new(
        name: ResourceName,
        body: Bytes,
        references: Arc<[ResourceName]>,
        origins: Arc<[Arc<str>]>,
    ) -> Self {
        let version = Version(xxh3_64(&body));
        let any_head = any_head(name.kind, body.len());
        let sotw_head = head(DELTA_RESOURCES, any_head.len() + body.len(), &any_head);
        let delta = delta_frame(&name, version, &any_head, &body);
        // One allocation holds the delta frame, and the body is a part of it.
        let body = delta.slice(delta.len() - body.len()..);
        Self { name, version, body, references, origins, delta, sotw_head }
    }
}

/// Bodies may be secret and are long.
impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{} ({} bytes)", self.name, self.version, self.body.len())
    }
}

/// Field 2 of both responses holds the resources.
const DELTA_RESOURCES: u32 = 2;

/// The front of an `Any`: its type URL, and tag and length of its value.
fn any_head(kind: ResourceType, length: usize) -> BytesMut {
    let mut buffer = BytesMut::new();
    put_bytes(&mut buffer, 1, kind.type_url().as_bytes());
    put_key(&mut buffer, 2);
    put_varint(&mut buffer, length as u64);
    buffer
}

fn head(field: u32, length: usize, front: &[u8]) -> Bytes {
    let mut buffer = BytesMut::with_capacity(front.len() + 12);
    put_key(&mut buffer, field);
    put_varint(&mut buffer, length as u64);
    buffer.put_slice(front);
    buffer.freeze()
}

/// `Resource`: version 1, resource 2, name 3. The `Any` goes last so that the body ends the frame.
fn delta_frame(name: &ResourceName, version: Version, any_head: &[u8], body: &[u8]) -> Bytes {
    let mut inner = BytesMut::with_capacity(any_head.len() + body.len() + name.name.len() + 40);
    put_bytes(&mut inner, 1, version.to_string().as_bytes());
    put_bytes(&mut inner, 3, name.name.as_bytes());
    put_key(&mut inner, 2);
    put_varint(&mut inner, (any_head.len() + body.len()) as u64);
    inner.put_slice(any_head);
    let length = inner.len() + body.len();
    let mut frame = BytesMut::with_capacity(length + 12);
    put_key(&mut frame, DELTA_RESOURCES);
    put_varint(&mut frame, length as u64);
    frame.put_slice(&inner);
    frame.put_slice(body);
    frame.freeze()
}

/// A length-delimited field.
pub(crate) fn put_bytes(buffer: &mut BytesMut, field: u32, value: &[u8]) {
    put_key(buffer, field);
    put_varint(buffer, value.len() as u64);
    buffer.put_slice(value);
}

fn put_key(buffer: &mut BytesMut, field: u32) {
    prost::encoding::encode_key(field, prost::encoding::WireType::LengthDelimited, buffer);
}

fn put_varint(buffer: &mut BytesMut, value: u64) {
    prost::encoding::encode_varint(value, buffer);
}
