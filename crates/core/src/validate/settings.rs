//! Settings.

use super::{Validator, text};
use crate::path::Trail;
use crate::resources::Settings;

pub(super) fn settings(v: &mut Validator<'_, '_>, settings: &Settings, at: &Trail<'_>) {
    let Some(policy) = settings.gloo.as_ref().and_then(|gloo| gloo.invalid_config_policy.as_ref()) else {
        return;
    };
    let (gloo, body) = (at.field("gloo"), policy.invalid_route_response_body.as_deref());
    let at = gloo.field("invalidConfigPolicy");
    v.within(&at.field("invalidRouteResponseCode"), policy.invalid_route_response_code, 200, 599);
    if body.is_some_and(|body| body.len() > text::DIRECT_BODY) {
        let message = format!("longer than the {} bytes that Envoy answers with", text::DIRECT_BODY);
        v.error(&at.field("invalidRouteResponseBody"), message);
    }
}
