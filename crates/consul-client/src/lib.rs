//! A thin client of Consul's HTTP API.
#![forbid(unsafe_code)]
