//! The config store in Consul KV.
#![forbid(unsafe_code)]
