//! Snapshot, change journal, per-stream state machine and gRPC server for Envoy's xDS.
#![forbid(unsafe_code)]
