//! From the tags of services to ordinary virtual services and upstreams.
//!
//! ```text
//! services ─▶ rollout ─▶ readers: own, traefik, fabio ─▶ routers ─▶ table ─▶ documents
//! with tags   whose tags  tags to routers (the IR)        rules     hosts,    VirtualService,
//!             count                                                 order     Upstream, Secret
//! ```
//! A reader knows one language of tags and nothing of Envoy; the table knows routers and nothing of tags. What
//! comes out is what a user could have written, and is decoded like it. Nothing here is stored: equal services and
//! settings give equal documents in every process.
#![forbid(unsafe_code)]

mod compile;

pub mod fabio;
pub mod finding;
pub mod own;
pub mod reader;
mod rollout;
pub mod router;
pub mod service;
pub mod settings;
pub mod table;
pub mod traefik;
