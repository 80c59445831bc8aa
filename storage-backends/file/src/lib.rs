//! The file store: a directory tree as a Biplane store.
#![forbid(unsafe_code)]
