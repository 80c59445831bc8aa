//! Biplane's HTTP server: probes, metrics, status, a page that shows them, and the API that reads and
//! changes resources.
//!
//! ```text
//! TCP, TLS, socket file ──▶ server ──▶ guard ──▶ routes ──▶ Source ──▶ control plane, Resources
//!                                        │
//!                                      Access: who may do what
//! ```
//!
//! It has no state that could be out of date: what it knows it asks a [`Source`] for at each request.
//! [`Resources`] decides what a change does; this crate decides who may ask for it, bounds what a caller
//! can cost, and leaves a line in the log for each change (target `audit`).
//!
//! Invariants:
//! - Every route says in one table (`routes`) what right it needs; the router and the OpenAPI
//!   document are both made from that table.
//! - Nobody writes without being known: by a token, by the permissions of a socket file, or because a setting
//!   for development says so. A token that is not known is refused and never treated as none.
//! - Beyond loopback nothing is served without TLS and tokens, and nothing but probes and the page's own files
//!   without a token.
//! - No log line, and no message of this crate, holds a value out of a document.
#![forbid(unsafe_code)]
#![expect(clippy::result_large_err, reason = "a problem is an answer, made once a request at most")]

mod access;
mod audit;
mod body;
mod failure;
mod guard;
mod link;
mod listener;
mod openapi;
mod page;
mod routes;
mod server;

use std::sync::Arc;

use async_trait::async_trait;
use biplane_admin_api::explain::{ExplainQuery, Explanation};
use biplane_admin_api::resources::Accepted;
use biplane_admin_api::status::{EndpointsStatus, SecretStatus, ServiceStatus};
use biplane_admin_api::{Problem, Resources, Status};

pub use access::{Access, AccessOptions, NewToken, Role, TokenError, TokenRule};
pub use biplane_tls::TlsFiles as TlsOptions;
pub use listener::Listener;
pub use server::serve;

/// Where answers come from. Every method is called on the async runtime: those that are not async read what is at
/// hand and neither block nor wait.
#[async_trait]
pub trait Source: Send + Sync + 'static {
    /// The state of the whole.
    fn status(&self) -> Status;

    /// Whether Envoys get their configuration from here; if not, why, in one line.
    fn ready(&self) -> Result<(), String>;

    /// Whether the process makes progress; if not, what hangs, in one line.
    fn live(&self) -> Result<(), String>;

    /// All metrics in OpenMetrics text.
    fn metrics(&self) -> String;

    /// The secrets, without their values.
    fn secrets(&self) -> Vec<SecretStatus>;

    /// The endpoints of every upstream.
    fn endpoints(&self) -> Vec<EndpointsStatus>;

    /// The services that sources of services know, and what is made of them.
    async fn services(&self) -> Vec<ServiceStatus>;

    /// Which route answers a request, and why.
    fn explain(&self, query: &ExplainQuery) -> Result<Explanation, Problem>;

    /// Has a source of secrets or endpoints read everything again at once.
    fn refresh(&self, source: &str) -> Result<(), Problem>;

    /// What the store holds, to read and to change.
    fn resources(&self) -> Arc<dyn Resources>;

    /// The removals that the guard holds back for a source are meant: carry them out. A source whose mark
    /// has gone is marked anew first. `author` is kept with it.
    async fn accept(&self, source: &str, held_tag: Option<&str>, author: &str) -> Result<Accepted, Problem>;
}

/// The API's description in OpenAPI 3.1, as it is served.
pub fn openapi() -> serde_json::Value {
    openapi::document(&routes::table())
}

/// Whether the API may be served at `address` with this access: beyond loopback it takes TLS and tokens.
pub fn check_address(address: std::net::SocketAddr, access: &Access) -> std::io::Result<()> {
    access.check_address(address)
}
