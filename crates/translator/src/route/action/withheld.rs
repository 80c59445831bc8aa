//! What a route answers while a secret is missing that its requests have to carry: 503. Without it a request would
//! say something else than its author meant.

use biplane_core::resources::route::DirectResponseAction;
use envoy_types::pb::envoy::config::route::v3::route::Action;

use super::direct_response;

const STATUS: u32 = 503;
const BODY: &str = "A secret that this route needs is not there. `biplane status` says which.\n";

/// The action in place of one that forwards; what answers itself needs no headers.
pub(in crate::route) fn instead_of(action: Action) -> Action {
    match action {
        Action::Route(_) => answer(),
        other => other,
    }
}

pub(super) fn answer() -> Action {
    direct_response::translate(&DirectResponseAction { status: STATUS, body: Some(BODY.to_owned()) })
}

/// Whether a direct response is that answer.
pub(in crate::route) fn is_answer(status: u32, body: &str) -> bool {
    status == STATUS && body == BODY
}
