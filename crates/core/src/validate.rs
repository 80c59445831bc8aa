//! What shapes cannot say: exactly one action a route, a regex that Envoy accepts, a range that is
//! not empty. All findings of an object at once.
//!
//! The measure is Envoy: whatever it would refuse in a value that is copied over must be an error
//! here, because Envoy refuses a whole listener, route table or cluster, with everything in it.

mod action;
mod auth;
mod formatter;
mod gateway;
mod headers;
mod health;
mod load_balancer;
mod options;
mod pem;
mod reserved;
mod route;
mod secret;
mod settings;
mod text;
mod tls;
mod upstream;
mod virtual_service;

use crate::findings::Findings;
use crate::key::ResourceRef;
use crate::path::Trail;
use crate::regex::RegexError;
use crate::report::Severity;
use crate::resources::Spec;
use crate::scalars::Duration;
use crate::yaml::Node;

/// Validates typed values. `fields` is the tree that they were read from, for its lines.
pub(crate) fn validate(spec: &Spec, fields: &Node<'_>, findings: &mut Findings<'_>) {
    let mut validator = Validator { fields, findings };
    let (v, root) = (&mut validator, &Trail::root());
    reserved::name(v, root);
    match spec {
        Spec::Gateway(gateway) => gateway::gateway(v, gateway, root),
        Spec::VirtualService(service) => virtual_service::virtual_service(v, service, root),
        Spec::RouteTable(table) => route::routes(v, &table.routes, &root.field("routes")),
        Spec::Upstream(upstream) => upstream::upstream(v, upstream, root),
        Spec::UpstreamGroup(group) => {
            action::destinations(v, &group.destinations, &root.field("destinations"));
        }
        Spec::RouteOption(option) => {
            if let Some(options) = &option.options {
                options::route_options(v, options, &root.field("options"));
            }
        }
        Spec::VirtualHostOption(option) => {
            if let Some(options) = &option.options {
                options::virtual_host_options(v, options, &root.field("options"));
            }
        }
        Spec::Secret(secret) => secret::secret(v, secret, root),
        Spec::Settings(settings) => settings::settings(v, settings, root),
    }
}

/// Collects findings at trails, finds their lines, and leaves out what follows from a field that
/// could not be read.
struct Validator<'v, 'f> {
    fields: &'v Node<'v>,
    findings: &'v mut Findings<'f>,
}

impl Validator<'_, '_> {
    /// The value at `at` is wrong.
    fn error(&mut self, at: &Trail<'_>, message: impl Into<String>) {
        self.report(Severity::Error, at, message.into(), None);
    }

    fn error_hint(&mut self, at: &Trail<'_>, message: impl Into<String>, hint: impl Into<String>) {
        self.report(Severity::Error, at, message.into(), Some(hint.into()));
    }

    fn warning_hint(&mut self, at: &Trail<'_>, message: impl Into<String>, hint: impl Into<String>) {
        self.report(Severity::Warning, at, message.into(), Some(hint.into()));
    }

    /// Something that must be there is not.
    fn missing(&mut self, at: &Trail<'_>, message: impl Into<String>, hint: impl Into<String>) {
        if !self.findings.may_be_due_to_a_drop(&at.path()) {
            self.error_hint(at, message, hint);
        }
    }

    fn report(&mut self, severity: Severity, at: &Trail<'_>, message: String, hint: Option<String>) {
        let path = at.path();
        if self.findings.is_void(&path) {
            return;
        }
        let line = self.fields.line_of(&path).unwrap_or(self.fields.line);
        let report = match severity {
            Severity::Error => self.findings.error(path, line, message),
            Severity::Warning => self.findings.warning(path, line, message),
        };
        report.hint = hint;
    }

    /// Exactly one of `choices` (name, whether it is set); `what` names what they are.
    fn exactly_one(&mut self, at: &Trail<'_>, what: &str, choices: &[(&str, bool)]) {
        if choices.iter().any(|choice| choice.1) {
            self.at_most_one(at, what, choices);
        } else {
            let names: Vec<_> = choices.iter().map(|choice| choice.0).collect();
            self.missing(at, format!("{what} is missing"), format!("write one of {}", names.join(", ")));
        }
    }

    fn at_most_one(&mut self, at: &Trail<'_>, what: &str, choices: &[(&str, bool)]) {
        let set: Vec<_> = choices.iter().filter(|choice| choice.1).map(|choice| choice.0).collect();
        if set.len() > 1 {
            self.error_hint(
                at,
                format!("{what} is given more than once: {}", set.join(", ")),
                "keep one of them",
            );
        }
    }

    /// A number within bounds, both included.
    fn within<T: PartialOrd + std::fmt::Display + Copy>(
        &mut self,
        at: &Trail<'_>,
        value: Option<T>,
        least: T,
        most: T,
    ) {
        if let Some(value) = value.filter(|value| *value < least || *value > most) {
            self.error(at, format!("{value} is out of range: {least} to {most}"));
        }
    }

    /// A duration above zero, if there is one.
    fn above_zero(&mut self, at: &Trail<'_>, value: Option<Duration>) {
        if value.is_some_and(|value| value.0.is_zero()) {
            self.error_hint(at, "must be longer than 0s", "leave it out for the default");
        }
    }

    fn reference(&mut self, reference: &ResourceRef, at: &Trail<'_>) {
        if reference.name.is_empty() {
            self.missing(&at.field("name"), "the reference names nothing", "write the name of the object");
        }
    }

    fn regex(&mut self, pattern: &str, at: &Trail<'_>) {
        if let Err(error) = crate::regex::check(pattern) {
            self.regex_error(&error, at);
        }
    }

    fn regex_error(&mut self, error: &RegexError, at: &Trail<'_>) {
        self.error_hint(
            at,
            format!("Envoy refuses this regex: {error}"),
            "Envoy's regexes follow RE2's syntax",
        );
    }
}
