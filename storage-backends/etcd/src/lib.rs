//! The config store in etcd.
#![forbid(unsafe_code)]
