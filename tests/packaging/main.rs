//! What people install, as they install it: the Debian package in a clean Debian with a systemd of its own, and a real Envoy.
//!
//! They take root, the tree that `cargo xtask test --all` unpacks, and the packages that it makes. Run alone:
//! `cargo xtask test long_package`.
#![forbid(unsafe_code)]

mod page;
mod systemd;
