//! Types and client of Biplane's HTTP API: what the server answers and every reader of it shares.
//!
//! The types are plain data in camelCase JSON. A reader takes what it knows and reads past the rest,
//! and a field that an older server does not send has its default, so that a client and a
//! server of different versions understand each other.
//!
//! Nothing here may carry secret material: these types are printed, logged and shown in browsers.
#![forbid(unsafe_code)]
#![expect(clippy::result_large_err, reason = "a problem is met once a call, and callers read its fields")]

pub mod client;
pub mod explain;
pub mod resources;
pub mod status;
pub mod wire;
pub mod words;

/// The names of resources and what they look like, for those that know this crate only.
pub use biplane_core::{key, schema};
pub use client::{Client, ClientError, ClientOptions};
pub use resources::{Problem, ProblemKind, Resources};
pub use status::Status;

/// Where the API is served and looked for unless a setting says otherwise.
pub const DEFAULT_ADDRESS: std::net::SocketAddr =
    std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9978);

/// The paths of the API.
pub mod path {
    /// Whether the process makes progress: 200 or 503.
    pub const LIVE: &str = "/live";
    /// Whether Envoys get their configuration from here: 200 or 503.
    pub const READY: &str = "/ready";
    /// Metrics in OpenMetrics text.
    pub const METRICS: &str = "/metrics";
    /// A [`Status`](crate::Status) in JSON.
    pub const STATUS: &str = "/v1/status";
    /// A list of resources: a [`ResourceList`](crate::resources::ResourceList), filtered by the query.
    pub const RESOURCES: &str = "/v1/resources";
    /// One [`Resource`](crate::resources::Resource): read, written, deleted.
    pub const RESOURCE: &str = "/v1/resources/{kind}/{namespace}/{name}";
    /// The [`Version`](crate::resources::Version)s of a resource.
    pub const HISTORY: &str = "/v1/resources/{kind}/{namespace}/{name}/history";
    /// Takes a [`RollbackRequest`](crate::wire::RollbackRequest).
    pub const ROLLBACK: &str = "/v1/resources/{kind}/{namespace}/{name}/rollback";
    /// Takes an [`ApplyRequest`](crate::resources::ApplyRequest).
    pub const APPLY: &str = "/v1/apply";
    /// Events of resources as they happen, one JSON document a line.
    pub const WATCH: &str = "/v1/watch";
    /// The removals that the guard holds back for a source are meant. The name is percent-encoded.
    pub const ACCEPT: &str = "/v1/sources/{name}/accept";
    /// Has a source of secrets or endpoints read everything again at once. The name is percent-encoded.
    pub const REFRESH: &str = "/v1/sources/{name}/refresh";
    /// A list of [`SecretStatus`](crate::status::SecretStatus) in JSON.
    pub const SECRETS: &str = "/v1/secrets";
    /// A list of [`EndpointsStatus`](crate::status::EndpointsStatus) in JSON.
    pub const ENDPOINTS: &str = "/v1/endpoints";
    /// A list of [`ServiceStatus`](crate::status::ServiceStatus) in JSON.
    pub const SERVICES: &str = "/v1/services";
    /// An [`Explanation`](crate::explain::Explanation) of the request that the query describes.
    pub const EXPLAIN: &str = "/v1/explain";
    /// Marks a new store as one of Biplane's.
    pub const INIT: &str = "/v1/init";
    /// The API's description in OpenAPI 3.1.
    pub const OPENAPI: &str = "/v1/openapi.json";
}
