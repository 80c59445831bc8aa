//! Config stores: bytes under object keys, however they are kept.
//!
//! A [`Store`] lists and watches; [`Driver`] turns any store into a stream of [`SourceEvent`]s and
//! is the only place that retries. What the bytes mean is decided elsewhere.
//!
//! ```text
//!  file / etcd / Consul / memory          Driver                         control plane
//!  Store::list  ── Listing | StoreError ──▶ list, watch, relist,  ──▶  Complete(listing)
//!  Store::watch ── Changes | Resync ──────▶ back off, audit            Changes(changes)
//!                                                                      Failed { error, since }
//! ```
//!
//! The invariant that everything here serves: a read is complete or it is an error. An empty
//! [`Listing`] means that the store is known to hold nothing.
//!
//! A backend implements [`Store`] and runs [`conformance_tests!`] against the real server; the
//! [`memory`] store is the reference that passes every rule, [`faulty`] breaks any store on demand.
#![forbid(unsafe_code)]

mod backoff;
mod batch;
pub mod clock;
pub mod conformance;
mod driver;
mod error;
pub mod faulty;
pub mod history;
pub mod intent;
pub mod layout;
mod log;
pub mod manifest;
pub mod memory;
mod metrics;
mod object;
mod patience;
pub mod records;
pub mod sentinel;
mod store;

pub use batch::{Batch, Operation, Precondition, Write};
pub use driver::{Driver, DriverHandle, DriverOptions, SourceEvent};
pub use error::StoreError;
pub use faulty::FaultyStore;
pub use intent::{Acceptance, Author, Intent};
pub use layout::Layout;
pub use log::{After, ChangeLog};
pub use memory::MemoryStore;
pub use metrics::{StoreMetrics, StoreMetricsSnapshot};
pub use object::{Change, Changes, Fault, FaultKind, Identity, Listing, Revision, StoredObject, WatchEvent};
pub use patience::Patience;
pub use records::{Fence, Record, RecordWrite, Records, Seat};
pub use sentinel::Sentinel;
pub use store::{Description, RevisionScope, Store, StoreExt, WatchStream};
