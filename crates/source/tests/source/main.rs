//! The fixed sources pass every rule.
#![forbid(unsafe_code)]

mod endpoints;
mod secrets;
