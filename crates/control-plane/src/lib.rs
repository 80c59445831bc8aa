//! The control plane: from what stores hold to what each fleet of Envoys gets.
//!
//! ```text
//! store ─ events ─▶ guard ─▶ ingest ─ edits ─▶ graph ─ changes ─▶ xds::Fleets ─▶ Envoys
//!                      ▲       │  ▲             engine: one event, one transaction
//!  operator, intents ──┘       ▼  │ at start
//!                        snapshot on disk
//! ```
//!
//! [`engine`] decides and does no I/O; [`serve`] feeds it and carries out what it says. [`offline`]
//! runs the same code without a server. Beside the line, one replica at a time (`leader`) writes status
//! and history into a store that has room for them; no Envoy depends on that.
#![forbid(unsafe_code)]

mod accept;
mod backoff;
mod catalog;
mod convert;
pub mod discovery;
pub mod engine;
mod explain;
mod freshen;
pub mod graph;
pub mod guard;
pub mod hold;
mod identity;
pub mod ingest;
mod intents;
mod lasting;
mod leader;
mod manager;
mod metrics;
mod newcomer;
mod news;
pub mod offline;
mod reload;
pub mod report_count;
mod run_loop;
pub mod secrets;
mod serve;
mod settings;
mod shared;
pub mod snapshot;
mod status;
mod supervisor;
mod vanished;
mod watches;
mod with_made;
mod witness;

pub use biplane_xds::Limits;
pub use catalog::CatalogSettings;
pub use identity::{NodeAccess, NodeTls, OpenKeys, Rules, TlsSecret};
pub use manager::ServiceManager;
pub use reload::Reload;
pub use serve::{Server, serve};
pub use settings::Settings;
