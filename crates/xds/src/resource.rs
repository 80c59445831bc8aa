//! An Envoy resource as the server keeps it: encoded, versioned and framed once, then shared by
//! every client. Invariant: a resource never changes after it was made; equal bodies have equal
//! versions, in every process.

use std::fmt;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use prost::encoding::{encode_varint, encoded_len_varint};

/// The types of resources that xDS carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceType {
    /// `envoy.config.cluster.v3.Cluster`
    Cluster,
    /// `envoy.config.endpoint.v3.ClusterLoadAssignment`
    Endpoint,
    /// `envoy.config.listener.v3.Listener`
    Listener,
    /// `envoy.config.route.v3.RouteConfiguration`
    Route,
    /// `envoy.extensions.transport_sockets.tls.v3.Secret`
    Secret,
    /// `envoy.config.route.v3.ScopedRouteConfiguration`
    ScopedRoute,
    /// `envoy.config.route.v3.VirtualHost`
    VirtualHost,
    /// `envoy.config.core.v3.TypedExtensionConfig`
    ExtensionConfig,
    /// `envoy.service.runtime.v3.Runtime`
    Runtime,
}

impl ResourceType {
    /// Every type, in the order of their numbers.
    pub const ALL: [Self; 9] = [
        Self::Cluster,
        Self::Endpoint,
        Self::Listener,
        Self::Route,
        Self::Secret,
        Self::ScopedRoute,
        Self::VirtualHost,
        Self::ExtensionConfig,
        Self::Runtime,
    ];

    /// The type URL of an `Any` that holds one.
    pub const fn type_url(self) -> &'static str {
        match self {
            Self::Cluster => "type.googleapis.com/envoy.config.cluster.v3.Cluster",
            Self::Endpoint => "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
            Self::Listener => "type.googleapis.com/envoy.config.listener.v3.Listener",
            Self::Route => "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
            Self::Secret => "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
            Self::ScopedRoute => "type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration",
            Self::VirtualHost => "type.googleapis.com/envoy.config.route.v3.VirtualHost",
            Self::ExtensionConfig => "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
            Self::Runtime => "type.googleapis.com/envoy.service.runtime.v3.Runtime",
        }
    }

    /// The type that a type URL names.
    pub fn from_type_url(url: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.type_url() == url)
    }

    /// The name of its discovery service, short: `cds`, `eds`, ...
    pub const fn short(self) -> &'static str {
        match self {
            Self::Cluster => "cds",
            Self::Endpoint => "eds",
            Self::Listener => "lds",
            Self::Route => "rds",
            Self::Secret => "sds",
            Self::ScopedRoute => "srds",
            Self::VirtualHost => "vhds",
            Self::ExtensionConfig => "ecds",
            Self::Runtime => "rtds",
        }
    }

    /// Its place in [`ResourceType::ALL`].
    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for ResourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.short())
    }
}

/// The identity of a resource within a fleet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceName {
    /// Its type.
    pub kind: ResourceType,
    /// Its name, unique for the type.
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

/// The version of a resource: a hash of its body, so that replicas and restarts agree on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(u64);

/// The URL-safe alphabet of base64.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl Version {
    /// The version of a body.
    pub fn of(body: &[u8]) -> Self {
        Self(xxhash_rust::xxh3::xxh3_64(body))
    }

    /// The version that [`Version`]'s `Display` has written so; nothing for another server's text.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        let fits = digits.len() == 11;
        let digit = |byte: &u8| ALPHABET.iter().position(|known| known == byte).map(|value| value as u128);
        let value = digits.iter().try_fold(0_u128, |value, byte| Some(value << 6 | digit(byte)?))?;
        u64::try_from(value).ok().filter(|_| fits).map(Self)
    }

    /// The number itself, for those who combine versions.
    pub const fn to_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits: [u8; 11] = std::array::from_fn(|place| {
            let shift = 6 * (10 - place);
            ALPHABET[usize::try_from(self.0 >> shift & 63).expect("six bits fit")]
        });
        f.pad(std::str::from_utf8(&digits).expect("the alphabet is ASCII"))
    }
}

/// What a stream remembers of a resource that it has sent: never the body, so that a slow client
/// keeps no old configuration alive.
#[derive(Debug)]
pub(crate) struct Stamp {
    /// The version; nothing where the client brought one that we do not know.
    pub(crate) version: Option<Version>,
    /// The names it refers to, sorted; nothing where we cannot know.
    pub(crate) references: Option<Arc<[ResourceName]>>,
}

impl Stamp {
    /// The stamp of what a client brought along from an earlier stream.
    pub(crate) fn foreign(version: &str) -> Arc<Self> {
        Arc::new(Self { version: Version::parse(version), references: None })
    }

    /// Whether a client that holds this may be using `name`.
    pub(crate) fn may_use(&self, name: &ResourceName) -> bool {
        self.references.as_ref().is_none_or(|names| names.binary_search(name).is_ok())
    }
}

/// An encoded Envoy resource.
#[derive(Clone)]
pub struct Resource {
    /// Type and name.
    pub name: ResourceName,
    /// The hash of the body.
    pub version: Version,
    /// The message, in canonical encoding.
    pub body: Bytes,
    /// What it names, sorted and unique: a route its clusters, a listener its routes and secrets, a
    /// cluster its load assignment and secrets.
    pub references: Arc<[ResourceName]>,
    /// The objects to blame for it, for people to read.
    pub origins: Arc<[Arc<str>]>,
    /// What it would name as well if more were known; sorted. A client that holds any of these, and a version of the resource
    /// from an earlier stream, keeps that version: there may be more in it.
    pub lacks: Arc<[ResourceName]>,
    /// Everything of the delta response's entry that comes before the body.
    header: Bytes,
    /// Where in `header` the state-of-the-world response's entry begins.
    any_from: usize,
    stamp: Arc<Stamp>,
}

impl Resource {
    /// Takes a canonically encoded message. References may come in any order and more than once.
    pub fn new(
        name: ResourceName,
        body: Bytes,
        references: impl Into<Arc<[ResourceName]>>,
        origins: impl Into<Arc<[Arc<str>]>>,
    ) -> Self {
        Self::with_sorted(name, body, sorted(references.into()), origins)
    }

    /// The same with references that are sorted and unique already: a list that is shared with the version
    /// before, as long as all clusters, is then not even read.
    pub fn with_sorted(
        name: ResourceName,
        body: Bytes,
        references: Arc<[ResourceName]>,
        origins: impl Into<Arc<[Arc<str>]>>,
    ) -> Self {
        let version = Version::of(&body);
        let (header, any_from) = header(&name, version, body.len());
        let stamp = Arc::new(Stamp { version: Some(version), references: Some(references.clone()) });
        let (origins, lacks) = (origins.into(), Arc::default());
        Self { name, version, body, references, origins, lacks, header, any_from, stamp }
    }

    /// The same, of which only this much is known yet.
    #[must_use]
    pub fn lacking(self, names: Arc<[ResourceName]>) -> Self {
        Self { lacks: sorted(names), ..self }
    }

    /// The entry of a delta response: header and body, to be written one after the other.
    pub(crate) fn delta_entry(&self) -> [Bytes; 2] {
        [self.header.clone(), self.body.clone()]
    }

    /// The entry of a state-of-the-world response.
    pub(crate) fn sotw_entry(&self) -> [Bytes; 2] {
        [self.header.slice(self.any_from..), self.body.clone()]
    }

    pub(crate) fn stamp(&self) -> &Arc<Stamp> {
        &self.stamp
    }

    /// The length of its entry in a delta response.
    pub(crate) fn len(&self) -> usize {
        self.header.len() + self.body.len()
    }
}

impl PartialEq for Resource {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.body == other.body
            && self.references == other.references
            && self.origins == other.origins
            && self.lacks == other.lacks
    }
}

impl Eq for Resource {}

// A body may be a secret: it is never printed.
impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resource")
            .field("name", &format_args!("{}", self.name))
            .field("version", &format_args!("{}", self.version))
            .field("bytes", &self.body.len())
            .field("references", &self.references)
            .field("origins", &self.origins)
            .finish_non_exhaustive()
    }
}

fn sorted(references: Arc<[ResourceName]>) -> Arc<[ResourceName]> {
    if references.is_sorted_by(|one, next| one < next) {
        return references;
    }
    let mut names = references.to_vec();
    names.sort_unstable();
    names.dedup();
    names.into()
}

/// Length-delimited fields of the messages that frame a body. `resources` of both responses and
/// `resource` of a delta entry have the same number, so the entry of a state-of-the-world response
/// is the tail of the delta one.
const RESOURCES: u8 = 2 << 3 | 2;
const ENTRY_VERSION: u8 = 1 << 3 | 2;
const ENTRY_NAME: u8 = 3 << 3 | 2;
const ANY_TYPE_URL: u8 = 1 << 3 | 2;
const ANY_VALUE: u8 = 2 << 3 | 2;

fn header(name: &ResourceName, version: Version, body: usize) -> (Bytes, usize) {
    let version = version.to_string();
    let url = name.kind.type_url();
    let any = field_length(url.len()) + field_length(body);
    let entry = field_length(version.len()) + field_length(name.name.len()) + field_length(any);
    let mut buffer = BytesMut::with_capacity(field_length(entry) - body);
    begin(&mut buffer, RESOURCES, entry);
    text(&mut buffer, ENTRY_VERSION, &version);
    text(&mut buffer, ENTRY_NAME, &name.name);
    let any_from = buffer.len();
    begin(&mut buffer, RESOURCES, any);
    text(&mut buffer, ANY_TYPE_URL, url);
    begin(&mut buffer, ANY_VALUE, body);
    (buffer.freeze(), any_from)
}

/// The length of a field with a one-byte key and `content` bytes.
fn field_length(content: usize) -> usize {
    1 + encoded_len_varint(content as u64) + content
}

fn begin(buffer: &mut BytesMut, key: u8, length: usize) {
    buffer.put_u8(key);
    encode_varint(length as u64, buffer);
}

pub(crate) fn text(buffer: &mut BytesMut, key: u8, value: &str) {
    begin(buffer, key, value.len());
    buffer.put_slice(value.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_text_is_short_and_reads_back() {
        for number in [0, 1, 63, 64, u64::MAX, Version::of(b"body").0] {
            let text = Version(number).to_string();
            assert_eq!(text.len(), 11);
            assert_eq!(Version::parse(&text), Some(Version(number)));
        }
    }

    #[test]
    fn version_of_another_server_does_not_read() {
        for text in ["", "1", "2026-11-23T10:00:00Z/4", "___________", "AAAAAAAAAAAA"] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }

    #[test]
    fn version_is_the_same_in_every_process() {
        assert_eq!(Version::of(b"").to_u64(), 0x2d06_8005_38d3_94c2);
        assert_ne!(Version::of(b"biplane"), Version::of(b"biplanes"));
    }

    #[test]
    fn references_are_sorted_and_unique() {
        let name = |name: &str| ResourceName::new(ResourceType::Cluster, name);
        let route = ResourceName::new(ResourceType::Route, "r");
        let resource = Resource::new(route, Bytes::new(), vec![name("b"), name("a"), name("b")], vec![]);
        assert_eq!(*resource.references, [name("a"), name("b")]);
    }

    #[test]
    fn debug_never_prints_a_body() {
        let name = ResourceName::new(ResourceType::Secret, "s");
        let resource = Resource::new(name, Bytes::from_static(b"PRIVATE"), vec![], vec![]);
        assert!(!format!("{resource:?}").contains("PRIVATE"));
    }
}
