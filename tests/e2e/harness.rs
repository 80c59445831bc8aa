//! What every test here stands on: a tree of resources, a Biplane that serves it, an Envoy that takes it.
//!
//! ```text
//!  Tree (directory, files, a port)  -- site() -->  Site: the same, served: files --> Biplane --> Envoy <-- ask
//! ```
//!
//! Each test has servers, ports and directories of its own, so that all of them run side by side.

pub(crate) mod resources;
mod site;
pub(crate) mod status;

use std::time::Duration;

pub(crate) use site::{Bootstrap, Site, Tree, counts, envoy, ports_open};

/// How long anything may take that should take milliseconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// The host of a request where the host does not matter.
pub(crate) const HOST: &str = "example.com";

/// How long something must hold that must not change.
pub(crate) const CALM: Duration = Duration::from_millis(500);
