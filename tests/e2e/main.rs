//! End-to-end tests: Biplane as built, a real Envoy, and requests through it. One module a subject.
//!
//! They need the binary (`cargo build`) and Envoy (`cargo xtask tools`); `cargo xtask test` does both.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    reason = "tests of bars print what they have measured, for whoever asks with --nocapture"
)]

mod access_log;
mod addresses;
mod answers;
mod api_key;
mod balancing;
mod basic_auth;
mod catalog;
mod certificates;
mod conflicts;
mod connect;
mod consul;
mod cross_origin;
mod delegation;
mod deletions;
mod destinations;
mod directories;
mod dns;
mod ec2;
mod edits;
mod endpoints;
mod envoy_restarts;
mod etcd;
mod examples;
mod explain;
mod fleets;
mod gloo;
mod goldens;
mod harness;
mod header_secrets;
mod headers;
mod health;
mod hosts;
mod identity;
mod limits;
mod listeners;
mod matchers;
mod missing;
mod mutual_tls;
mod nomad;
mod option_objects;
mod protocols;
mod rejections;
mod replicas;
mod restarts;
mod retries;
mod rewrites;
mod stapling;
mod stores;
mod swaps;
mod terraform;
mod timeouts;
mod traffic;
mod unknown_secrets;
mod upstream_protocols;
mod upstream_tls;
mod vault;
