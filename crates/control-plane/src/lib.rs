//! Ingest, incremental graph, publish gate, snapshot on disk, supervision.
#![forbid(unsafe_code)]
