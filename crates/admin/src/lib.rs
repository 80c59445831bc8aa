//! Biplane's HTTP server: liveness, readiness, metrics, status, and a page that shows them.
//!
//! ```text
//! control plane ── Source ──▶ routes ──▶ server ──▶ probes, Prometheus, `biplane status`, a browser
//! ```
//!
//! It answers questions and changes nothing: there is no path that writes. What it knows it asks a
//! [`Source`] for at each request, so it has no state that could be out of date.
//!
//! Until callers can prove who they are it binds to loopback only, and answers only requests that
//! were addressed to loopback: a page in a browser on the same machine that reaches it by a name of its
//! own (DNS rebinding) is refused.
#![forbid(unsafe_code)]

mod guard;
mod page;
mod routes;
mod server;

use std::sync::Arc;

use async_trait::async_trait;
use biplane_admin_api::resources::Accepted;
use biplane_admin_api::{Problem, Resources, Status};

pub use guard::check_address;
pub use server::serve;

/// Where answers come from. Every method is called on the async runtime: it reads what is at hand
/// and neither blocks nor waits.
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

    /// What the store holds, to read and to change.
    fn resources(&self) -> Arc<dyn Resources>;

    /// The removals that the guard holds back for a source are meant: carry them out. A source whose mark
    /// has gone is marked anew first. `author` is kept with it.
    async fn accept(&self, source: &str, author: &str) -> Result<Accepted, Problem>;
}
