//! A fleet that is configured with OpenTofu: a real one, with the provider of this build from a mirror.
//!
//! ```text
//!  tofu ── provider ── HTTP ──▶ Biplane ◀──▶ etcd
//!                                  └──▶ Envoy ◀── requests
//! ```

mod batches;
mod life;
mod values;
mod workbench;
