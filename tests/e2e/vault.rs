//! Secrets that a real OpenBao keeps, through Biplane, to a real Envoy.

mod canary;
mod faults;
mod kv;
mod pki;
mod world;
