//! End-to-end tests with real servers and a real Envoy.
#![forbid(unsafe_code)]
