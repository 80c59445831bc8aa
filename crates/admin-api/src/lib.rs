//! Types and client of Biplane's HTTP API.
#![forbid(unsafe_code)]
