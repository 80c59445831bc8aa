//! `redirectAction`.

use biplane_core::resources::route::{RedirectAction, RedirectCode};
use envoy_types::pb::envoy::config::route::v3::redirect_action::{
    PathRewriteSpecifier, RedirectResponseCode, SchemeRewriteSpecifier,
};
use envoy_types::pb::envoy::config::route::v3::{self as pb, route::Action};

use crate::route::values::substitute;

pub(super) fn translate(action: &RedirectAction) -> Action {
    let https = action.https_redirect == Some(true);
    Action::Redirect(pb::RedirectAction {
        host_redirect: action.host_redirect.clone().unwrap_or_default(),
        port_redirect: action.port_redirect.unwrap_or_default(),
        response_code: code(action.response_code.unwrap_or_default()).into(),
        strip_query: action.strip_query.unwrap_or_default(),
        scheme_rewrite_specifier: https.then_some(SchemeRewriteSpecifier::HttpsRedirect(true)),
        path_rewrite_specifier: path(action),
    })
}

const fn code(code: RedirectCode) -> RedirectResponseCode {
    match code {
        RedirectCode::MovedPermanently => RedirectResponseCode::MovedPermanently,
        RedirectCode::Found => RedirectResponseCode::Found,
        RedirectCode::SeeOther => RedirectResponseCode::SeeOther,
        RedirectCode::TemporaryRedirect => RedirectResponseCode::TemporaryRedirect,
        RedirectCode::PermanentRedirect => RedirectResponseCode::PermanentRedirect,
    }
}

fn path(action: &RedirectAction) -> Option<PathRewriteSpecifier> {
    if let Some(path) = &action.path_redirect {
        Some(PathRewriteSpecifier::PathRedirect(path.clone()))
    } else if let Some(prefix) = &action.prefix_rewrite {
        Some(PathRewriteSpecifier::PrefixRewrite(prefix.clone()))
    } else {
        let rewrite = action.regex_rewrite.as_ref()?;
        Some(PathRewriteSpecifier::RegexRewrite(substitute(&rewrite.pattern, &rewrite.substitution)))
    }
}
