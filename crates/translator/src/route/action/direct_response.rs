//! `directResponseAction`: a status and a body, inline. How long a body may be is the route
//! configuration's to say.

use biplane_core::resources::route::DirectResponseAction;
use envoy_types::pb::envoy::config::core::v3::{DataSource, data_source::Specifier};
use envoy_types::pb::envoy::config::route::v3::{self as pb, route::Action};

pub(super) fn translate(action: &DirectResponseAction) -> Action {
    let body = action.body.as_ref().filter(|body| !body.is_empty());
    Action::DirectResponse(pb::DirectResponseAction {
        status: action.status,
        body: body.map(|body| DataSource {
            specifier: Some(Specifier::InlineString(body.clone())),
            ..DataSource::default()
        }),
        ..pb::DirectResponseAction::default()
    })
}
