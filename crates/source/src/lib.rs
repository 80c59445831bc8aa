//! Traits of everything read besides config: endpoints, services, secrets.
#![forbid(unsafe_code)]
