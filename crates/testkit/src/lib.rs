//! Real servers as processes, an xDS client and eventually(): for tests only.
#![forbid(unsafe_code)]
