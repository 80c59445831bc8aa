//! From middlewares to what a route has of them.
//!
//! Each kind adds its part to a [`Draft`], in the order of the router's list. Three things can become of one: it is
//! built, it is left out with a warning because nobody is kept out by it, or the route is closed because somebody may
//! be. What is not known closes.

mod access;
mod auth;
mod headers;
mod path;
mod redirect;
mod retry;

use biplane_core::key::ResourceRef;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::dynamic::Middleware;
use super::instance::Problem;
use crate::finding::Severity;
use crate::router::{Before, MadeSecret, Rule};
pub(crate) use headers::HeaderEdits;
pub(crate) use path::PathRewrite;

/// A route on its way through its middlewares.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    /// The router's rule.
    pub(crate) rule: &'a Rule,
    /// The router serves TLS.
    pub(crate) tls: bool,
    /// The namespace of secrets that are made.
    pub(crate) namespace: &'a str,
    pub(crate) before: Vec<Before>,
    pub(crate) path: PathRewrite,
    pub(crate) headers: HeaderEdits,
    /// Fields of core's `RouteOptions`.
    pub(crate) options: Map<String, Value>,
    pub(crate) secrets: Vec<MadeSecret>,
    /// Status and reason, once something that guards the route cannot be built.
    pub(crate) closed: Option<(u16, String)>,
    /// The route is not to try POST, LOCK and PATCH again as it does others.
    pub(crate) retries_spare_unsafe_methods: bool,
    pub(crate) problems: Vec<Problem>,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(rule: &'a Rule, tls: bool, namespace: &'a str) -> Self {
        Self {
            rule,
            tls,
            namespace,
            before: Vec::new(),
            path: PathRewrite::Unchanged,
            headers: HeaderEdits::default(),
            options: Map::new(),
            secrets: Vec::new(),
            closed: None,
            retries_spare_unsafe_methods: false,
            problems: Vec::new(),
        }
    }

    /// Nobody gets through: what limits access cannot be built.
    pub(crate) fn forbid(&mut self, why: impl Into<String>) {
        self.close(403, why, None);
    }

    /// The route answers 503: what it should do with requests cannot be built.
    pub(crate) fn break_off(&mut self, why: impl Into<String>) {
        self.close(503, why, None);
    }

    pub(crate) fn close(&mut self, status: u16, why: impl Into<String>, hint: Option<&str>) {
        let why = why.into();
        let mut problem = Problem::new(Severity::Error, format!("{why}; the route answers {status}"));
        problem.hint = hint.map(str::to_owned);
        self.problems.push(problem);
        self.closed.get_or_insert((status, why));
    }

    /// Something is left out, and the route serves without it.
    pub(crate) fn warn(&mut self, message: impl Into<String>) {
        self.problems.push(Problem::new(Severity::Warning, message));
    }
}

/// Lets the route go through `middleware`. Nothing behind what closes it counts.
pub(crate) fn apply(name: &str, middleware: &Middleware, draft: &mut Draft<'_>) {
    let kinds: Vec<_> = middleware.0.iter().collect();
    let (kind, options) = match kinds.as_slice() {
        [(kind, options)] => (kind.as_str(), *options),
        [] => return draft.forbid(format!("middleware {name} says nothing")),
        _ => return draft.forbid(format!("middleware {name} is of several kinds at once")),
    };
    match kind {
        "addPrefix" => path::add_prefix(name, &typed(options), draft),
        "stripPrefix" => path::strip_prefix(name, &typed(options), draft),
        "stripPrefixRegex" => path::strip_prefix_regex(name, &typed(options), draft),
        "replacePath" => path::replace_path(name, &typed(options), draft),
        "replacePathRegex" => path::replace_path_regex(name, &typed(options), draft),
        "headers" => headers::apply(name, &typed(options), draft),
        "redirectScheme" => redirect::scheme(name, &typed(options), draft),
        "redirectRegex" => redirect::regex(name, &typed(options), draft),
        "ipAllowList" | "ipWhiteList" => access::ip_allow_list(name, &typed(options), draft),
        "encodedCharacters" => access::encoded_characters(&typed(options), draft),
        "passTLSClientCert" => access::pass_tls_client_cert(name, draft),
        "basicAuth" => auth::basic(name, &typed(options), draft),
        "retry" => retry::apply(name, &typed(options), draft),
        "contentType" => {}
        "digestAuth" | "forwardAuth" | "plugin" => draft.close(
            403,
            format!("middleware {name}: {kind} cannot be built"),
            Some(
                "write a VirtualService for this host with an access rule that Biplane has, or leave it out",
            ),
        ),
        "buffering" | "circuitBreaker" | "compress" | "errors" | "grpcWeb" | "inFlightReq" | "rateLimit" => {
            draft.warn(format!("middleware {name}: {kind} is left out, Biplane has nothing like it yet"));
        }
        _ => draft.forbid(format!("middleware {name}: {kind} is not known")),
    }
}

/// Asks for one of the users that settings name in the place of a middleware.
pub(crate) fn let_in(name: &str, secret: &ResourceRef, draft: &mut Draft<'_>) {
    if draft.closed.is_none() {
        auth::by_settings(name, secret, draft);
    }
}

/// The path of a service's URL goes in front of the request's, behind all middlewares.
pub(crate) fn add_prefix_of_service(service: &str, path: &str, draft: &mut Draft<'_>) {
    path::add(&format!("of the service {service}"), path, draft);
}

/// The tables of the schema yield what the types of options hold.
fn typed<T: DeserializeOwned>(options: &Value) -> T {
    serde_json::from_value(options.clone()).expect("the schema yields what the types hold")
}
