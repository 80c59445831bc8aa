//! Resources to Envoy protobufs: synchronous, pure.
#![forbid(unsafe_code)]
