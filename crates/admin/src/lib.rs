//! Biplane's HTTP server: liveness, readiness, metrics, status.
#![forbid(unsafe_code)]
