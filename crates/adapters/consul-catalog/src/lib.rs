//! Endpoints and services from Consul's catalog, watched for as long as somebody needs them.
//!
//! ```text
//!  upstream ─┐                ┌─ follow: one question (service, datacenter) ─ believe ─▶ Part ─┐
//!  upstream ─┼─▶ ConsulCatalog┤                                                            merge ─▶ view ─▶ Listing
//!  tags ─────┘    (subjects)  └─ follow: the same in another datacenter ──────▶ Part ──────────┘
//!                                 ▲ waits on a connection of its own, or for
//!                                 └─ hints: three queries that watch the whole catalog
//! ```
//!
//! What is guaranteed:
//!
//! - A listing is complete about each datacenter as of its last answer, or a failure. Nothing leaves because somebody
//!   cannot be reached, may not be seen, is behind, or has begun anew: see `follow/believe.rs`, `trust.rs` and `merge.rs`.
//! - Instances that fail their checks stay listed, as unhealthy; who takes them out decides what that means.
//! - A token is in a header and nowhere else.
//!
//! What it costs: a question is asked once, however many want to know. Up to [`CatalogOptions::max_watches`] services
//! are waited for with a connection each, and a change costs one read. An agent takes 200 connections from one address
//! (`limits.http_max_conns_per_client`), so all further services share three that wait: a check that turns costs the
//! read of its service and of the checks that do not pass; a registration that, the names of all services and a read of
//! all checks, which says where; and what says nothing anywhere a question for each service's index, at most every ten
//! seconds.
#![forbid(unsafe_code)]

mod catalog;
mod connect;
mod counters;
mod failure;
mod follow;
mod hints;
mod merge;
mod names;
mod options;
mod report;
mod source;
mod subject;
mod trust;
mod view;
mod watch;

pub use connect::ConnectSecrets;
pub use options::{CatalogOptions, Tuning};
pub use source::ConsulCatalog;
