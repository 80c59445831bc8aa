//! Descriptors of Envoy's messages: what JSON, and whatever else looks at messages by field name, goes by.
//!
//! They are the ones that the `envoy-types` crate was generated from, without comments and positions.
//! `cargo run -p biplane-translator --example descriptors` makes the copy; a test of that example compares it
//! with the crate that is in use. Loading takes a quarter of a second in a debug build, so that happens
//! when something first asks. The hot path never does.

use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, MessageDescriptor};

const BYTES: &[u8] = include_bytes!("../descriptors/envoy.bin");

static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(BYTES).expect("the descriptors are a checked copy"));

/// All of Envoy's messages.
pub fn pool() -> &'static DescriptorPool {
    &POOL
}

/// The message of this full name.
pub(crate) fn message(name: &str) -> Option<MessageDescriptor> {
    POOL.get_message_by_name(name)
}
