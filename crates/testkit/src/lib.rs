//! What tests and benchmarks stand on: real servers as processes, an upstream and a client of our own, load,
//! certificates, and [`eventually`]. A dev-dependency only.
//!
//! ```text
//!  Files --> a directory <-- Biplane (process) --xDS--> Envoy (process) <-- Request, Load
//!                                                          |
//!                                                          +--> Upstream (thread)
//!
//!  Etcd, Consul, Nomad, Bao, Moto (processes) <-- FaultProxy (thread) <-- Biplane, or a backend under test
//! ```
//!
//! Starting and waiting panic with the end of the server's log, because a test has nothing better to do than
//! to end there; asking a question (`request`, `stat`) returns a `Result`, because [`eventually`] asks again.
//! Upstreams and load run on threads of their own: a test that blocks does not stall the traffic that it measures.
//! Nothing here retries on its own, and everything that was started ends with the value that stands for it.
#![forbid(unsafe_code)]

mod background;
pub mod bao;
pub mod biplane;
pub mod browser;
pub mod certificates;
mod command;
pub mod consul;
pub mod directory;
pub mod dns;
pub mod envoy;
pub mod etcd;
mod eventually;
pub mod fault_proxy;
pub mod files;
pub mod http;
pub mod load;
pub mod machine;
pub mod moto;
pub mod nomad;
pub mod ports;
pub mod process;
mod tls;
pub mod tofu;
mod tools;
pub mod upstream;
pub mod xds;

pub use bao::Bao;
pub use biplane::Biplane;
pub use browser::Browser;
pub use certificates::{Authority, Identity};
pub use command::Output;
pub use consul::Consul;
pub use directory::TempDir;
pub use dns::DnsServer;
pub use envoy::Envoy;
pub use etcd::Etcd;
pub use eventually::{Hopeless, eventually, throughout};
pub use fault_proxy::FaultProxy;
pub use files::Files;
pub use http::{Client, ClientTls, Keys, Protocol, Request, Response};
pub use load::Load;
pub use machine::Machine;
pub use moto::Moto;
pub use nomad::Nomad;
pub use ports::free_port;
pub use process::Process;
pub use tofu::Tofu;
pub use upstream::Upstream;
