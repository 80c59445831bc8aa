//! Names that Biplane gives itself: an object that somebody writes under one would be taken for what is made.

use super::Validator;
use crate::key::Kind;
use crate::path::Trail;
use crate::resources::upstream::discovery::{ConsulDestination, ConsulUpstream};

/// Refuses an object of such a name.
pub(super) fn name(v: &mut Validator<'_, '_>, root: &Trail<'_>) {
    let key = v.findings.key();
    let (prefix, what) = match key.kind {
        Kind::Upstream => (
            ConsulDestination::reserved_upstream(&key.namespace, &key.name),
            "upstreams that stand for `consul` destinations of routes",
        ),
        Kind::Secret => (
            ConsulUpstream::reserved_secret(&key.namespace, &key.name),
            "certificates of Consul's service mesh",
        ),
        _ => return,
    };
    let Some(prefix) = prefix else { return };
    let at = root.field("metadata");
    let message = format!("names in {} that begin with {prefix} are kept for {what}", key.namespace);
    v.error_hint(&at.field("name"), message, "give it another name, or put it into another namespace");
}
