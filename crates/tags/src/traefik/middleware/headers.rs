//! The `headers` middleware: headers of one's own, those of browsers' security, and cross-origin sharing.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Draft, redirect};
use crate::router::{Action, Before, Rule};

/// Changes of headers, by name in small letters: the name as written and the value; `None` takes the header away.
#[derive(Clone, Debug, Default)]
pub(crate) struct HeaderEdits {
    request: BTreeMap<String, (String, Option<String>)>,
    response: BTreeMap<String, (String, Option<String>)>,
    /// Put beside values that are there.
    appended: Vec<(String, String)>,
}

impl HeaderEdits {
    /// The request gets this header. What a later middleware says counts.
    pub(crate) fn set_request(&mut self, name: &str, value: &str) {
        self.request.insert(name.to_lowercase(), (name.to_owned(), Some(value.to_owned())));
    }

    /// The request loses this header.
    pub(crate) fn remove_request(&mut self, name: &str) {
        self.request.insert(name.to_lowercase(), (name.to_owned(), None));
    }

    /// The response gets or loses this header. Responses go through the middlewares backwards, so what an earlier one
    /// says counts.
    fn edit_response(&mut self, name: &str, value: Option<&str>) {
        let edit = (name.to_owned(), value.map(str::to_owned));
        self.response.entry(name.to_lowercase()).or_insert(edit);
    }

    /// The value of `headerManipulation`.
    pub(crate) fn option(&self) -> Option<Value> {
        let mut option = Map::new();
        let add = |edits: &BTreeMap<String, (String, Option<String>)>| -> Vec<Value> {
            let set = edits.values().filter_map(|(name, value)| Some((name, value.as_ref()?)));
            set.map(|(name, value)| added(name, value, false)).collect()
        };
        let remove = |edits: &BTreeMap<String, (String, Option<String>)>| -> Vec<Value> {
            edits.values().filter(|(_, value)| value.is_none()).map(|(name, _)| json!(name)).collect()
        };
        let mut responses = add(&self.response);
        responses.extend(self.appended.iter().map(|(name, value)| added(name, value, true)));
        for (field, values) in [
            ("requestHeadersToAdd", add(&self.request)),
            ("requestHeadersToRemove", remove(&self.request)),
            ("responseHeadersToAdd", responses),
            ("responseHeadersToRemove", remove(&self.response)),
        ] {
            if !values.is_empty() {
                option.insert(field.to_owned(), values.into());
            }
        }
        Some(Value::Object(option)).filter(|option| *option != json!({}))
    }
}

/// In values Envoy's commands stand between percent signs; Traefik's are texts.
fn added(name: &str, value: &str, append: bool) -> Value {
    json!({"header": {"key": name, "value": value.replace('%', "%%")}, "append": append})
}

#[expect(clippy::struct_field_names, reason = "Traefik's names")]
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Headers {
    custom_request_headers: BTreeMap<String, String>,
    custom_response_headers: BTreeMap<String, String>,
    access_control_allow_credentials: bool,
    access_control_allow_headers: Vec<String>,
    access_control_allow_methods: Vec<String>,
    access_control_allow_origin_list: Vec<String>,
    access_control_allow_origin_list_regex: Vec<String>,
    access_control_expose_headers: Vec<String>,
    access_control_max_age: i64,
    add_vary_header: bool,
    allowed_hosts: Vec<String>,
    hosts_proxy_headers: Vec<String>,
    ssl_proxy_headers: BTreeMap<String, String>,
    sts_seconds: i64,
    sts_include_subdomains: bool,
    sts_preload: bool,
    #[serde(rename = "forceSTSHeader")]
    force_sts_header: bool,
    frame_deny: bool,
    custom_frame_options_value: String,
    content_type_nosniff: bool,
    browser_xss_filter: bool,
    #[serde(rename = "customBrowserXSSValue")]
    custom_browser_xss_value: String,
    content_security_policy: String,
    content_security_policy_report_only: String,
    public_key: String,
    referrer_policy: String,
    permissions_policy: String,
    is_development: bool,
    feature_policy: String,
    ssl_redirect: bool,
    ssl_temporary_redirect: bool,
    ssl_host: String,
    ssl_force_host: bool,
}

pub(super) fn apply(name: &str, options: &Headers, draft: &mut Draft<'_>) {
    if !options.is_development {
        allowed_hosts(name, options, draft);
        if options.ssl_redirect {
            redirect::to_https(options.ssl_temporary_redirect, Some(&options.ssl_host), draft);
        }
    }
    if options.ssl_force_host {
        draft.warn(format!("middleware {name}: sslForceHost is left out; redirectRegex can do it"));
    }
    custom(name, options, draft);
    security(name, options, draft);
    cors(name, options, draft);
}

/// Requests for other hosts are refused, as Traefik refuses them.
fn allowed_hosts(name: &str, options: &Headers, draft: &mut Draft<'_>) {
    if options.allowed_hosts.is_empty() {
        return;
    }
    if !options.hosts_proxy_headers.is_empty() {
        let message =
            format!("middleware {name}: hostsProxyHeaders is left out; only the Host header is looked at");
        draft.warn(message);
    }
    let hosts = options.allowed_hosts.iter().map(|host| Rule::Host(host.to_lowercase())).collect();
    let action = Action::Respond { status: 500, body: "Bad Host".to_owned() };
    draft.before.push(Before { when: Rule::Or(hosts).negated(), action });
}

fn custom(name: &str, options: &Headers, draft: &mut Draft<'_>) {
    for (header, value) in &options.custom_request_headers {
        if header.eq_ignore_ascii_case("host") {
            host(value, draft);
        } else if is_usable(name, header, value, draft) {
            if value.is_empty() {
                draft.headers.remove_request(header);
            } else {
                draft.headers.set_request(header, value);
            }
        }
    }
    for (header, value) in &options.custom_response_headers {
        if is_usable(name, header, value, draft) {
            draft.headers.edit_response(header, Some(value.as_str()).filter(|value| !value.is_empty()));
        }
    }
}

fn host(value: &str, draft: &mut Draft<'_>) {
    if !value.is_empty() {
        draft.options.insert("hostRewrite".to_owned(), json!(value));
    }
}

/// Whether Envoy takes the header; else it would refuse the whole route.
fn is_usable(name: &str, header: &str, value: &str, draft: &mut Draft<'_>) -> bool {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let usable = !header.is_empty()
        && header.chars().all(token)
        && !header.eq_ignore_ascii_case("host")
        && !value.chars().any(|c| c.is_control() && c != '\t');
    if !usable {
        draft.warn(format!("middleware {name}: the header {header:?} is left out, Envoy does not take it"));
    }
    usable
}

fn security(name: &str, options: &Headers, draft: &mut Draft<'_>) {
    let or = |own: &str, flag: bool, value: &str| match (own, flag) {
        ("", false) => String::new(),
        ("", true) => value.to_owned(),
        (own, _) => own.to_owned(),
    };
    let headers = [
        ("X-Frame-Options", or(&options.custom_frame_options_value, options.frame_deny, "DENY")),
        ("X-Content-Type-Options", or("", options.content_type_nosniff, "nosniff")),
        (
            "X-XSS-Protection",
            or(&options.custom_browser_xss_value, options.browser_xss_filter, "1; mode=block"),
        ),
        ("Content-Security-Policy", options.content_security_policy.clone()),
        ("Content-Security-Policy-Report-Only", options.content_security_policy_report_only.clone()),
        ("Public-Key-Pins", options.public_key.clone()),
        ("Referrer-Policy", options.referrer_policy.clone()),
        ("Permissions-Policy", options.permissions_policy.clone()),
        ("Feature-Policy", options.feature_policy.clone()),
        ("Strict-Transport-Security", strict_transport(name, options, draft)),
    ];
    for (header, value) in headers {
        if !value.is_empty() && is_usable(name, header, &value, draft) {
            draft.headers.edit_response(header, Some(&value));
        }
    }
}

/// Only connections with TLS tell it, unless it is forced.
fn strict_transport(name: &str, options: &Headers, draft: &mut Draft<'_>) -> String {
    if options.sts_seconds == 0 || options.is_development {
        return String::new();
    }
    if !draft.tls && !options.force_sts_header {
        if !options.ssl_proxy_headers.is_empty() {
            let message = "sslProxyHeaders is left out; forceSTSHeader tells it without TLS too";
            draft.warn(format!("middleware {name}: {message}"));
        }
        return String::new();
    }
    let subdomains = if options.sts_include_subdomains { "; includeSubDomains" } else { "" };
    let preload = if options.sts_preload { "; preload" } else { "" };
    format!("max-age={}{subdomains}{preload}", options.sts_seconds)
}

fn cors(name: &str, options: &Headers, draft: &mut Draft<'_>) {
    let origins = &options.access_control_allow_origin_list;
    let patterns = &options.access_control_allow_origin_list_regex;
    if options.add_vary_header {
        draft.headers.appended.push(("Vary".to_owned(), "Origin".to_owned()));
    }
    if origins.is_empty() && patterns.is_empty() {
        return without_origins(options, draft);
    }
    let mut cors = Map::new();
    let mut add = |field: &str, values: Vec<String>| {
        if !values.is_empty() {
            cors.insert(field.to_owned(), json!(values));
        }
    };
    add("allowOrigin", origins.clone());
    // Traefik looks for the pattern in the origin, Envoy matches all of it.
    add("allowOriginRegex", usable_patterns(name, patterns, draft));
    add("allowMethods", options.access_control_allow_methods.clone());
    add("allowHeaders", options.access_control_allow_headers.clone());
    add("exposeHeaders", options.access_control_expose_headers.clone());
    if options.access_control_max_age > 0 {
        cors.insert("maxAge".to_owned(), json!(options.access_control_max_age.to_string()));
    }
    if options.access_control_allow_credentials {
        cors.insert("allowCredentials".to_owned(), json!(true));
    }
    draft.options.insert("cors".to_owned(), Value::Object(cors));
}

fn usable_patterns(name: &str, patterns: &[String], draft: &mut Draft<'_>) -> Vec<String> {
    let mut usable = Vec::new();
    for pattern in patterns {
        match biplane_core::regex::check(pattern) {
            Ok(()) => usable.push(format!(".*(?:{pattern}).*")),
            Err(error) => draft.warn(format!("middleware {name}: {pattern:?} is no regex of RE2: {error}")),
        }
    }
    usable
}

/// Without origins the headers are told in every response.
fn without_origins(options: &Headers, draft: &mut Draft<'_>) {
    if options.access_control_allow_credentials {
        draft.headers.edit_response("Access-Control-Allow-Credentials", Some("true"));
    }
    if !options.access_control_expose_headers.is_empty() {
        let exposed = options.access_control_expose_headers.join(",");
        draft.headers.edit_response("Access-Control-Expose-Headers", Some(&exposed));
    }
}
