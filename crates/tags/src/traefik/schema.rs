//! Which options Traefik's tags have, of which kind, and with which defaults: version 3.7.
//!
//! Tables, not code: [`super::decode`] walks them. A default is written as a tag would write it.

mod middleware;

/// What an option is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// A text.
    Text,
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Number,
    /// A span of time.
    Span,
    /// One of these of which Traefik knows whether it was set: told even where it is empty, false or 0.
    Set(&'static Shape),
    /// Texts, separated by commas.
    Texts,
    /// Values by names of the user's own.
    Map(&'static Shape),
    /// Options below it.
    Struct(&'static Struct),
    /// Options below it, or `true` alone.
    StructOrTrue(&'static Struct),
    /// `[0]`, `[1]`, ... with options below each.
    List(&'static Struct),
    /// The options of the one element of a list, whose name is told in the table.
    Only(&'static str, &'static Struct),
    /// Anything.
    Any,
}

/// Options that belong together.
#[derive(Debug)]
pub(crate) struct Struct {
    /// How errors call it.
    pub(crate) name: &'static str,
    pub(crate) fields: &'static [(&'static str, Shape)],
    /// Values of options that are not set.
    pub(crate) defaults: &'static [(&'static str, &'static str)],
}

use Shape::{Flag, List, Map, Number, Only, Set, Span, Struct as Below, StructOrTrue, Text, Texts};

/// `traefik.http`
pub(crate) static HTTP: Struct = Struct {
    name: "traefik.http",
    fields: &[
        ("routers", Map(&Below(&ROUTER))),
        ("services", Map(&Below(&SERVICE))),
        ("middlewares", Map(&Below(&middleware::MIDDLEWARE))),
        ("models", Map(&Below(&MODEL))),
    ],
    defaults: &[],
};

static MODEL: Struct = Struct {
    name: "model",
    fields: &[("middlewares", Texts), ("tls", StructOrTrue(&ROUTER_TLS))],
    defaults: &[],
};

static ROUTER: Struct = Struct {
    name: "router",
    fields: &[
        ("entryPoints", Texts),
        ("middlewares", Texts),
        ("service", Text),
        ("rule", Text),
        ("parentRefs", Texts),
        ("ruleSyntax", Text),
        ("priority", Number),
        ("tls", StructOrTrue(&ROUTER_TLS)),
        ("observability", Below(&OBSERVABILITY)),
    ],
    defaults: &[],
};

static ROUTER_TLS: Struct = Struct {
    name: "tls",
    fields: &[("options", Text), ("certResolver", Text), ("domains", List(&DOMAIN))],
    defaults: &[],
};

static DOMAIN: Struct = Struct { name: "domain", fields: &[("main", Text), ("sans", Texts)], defaults: &[] };

static OBSERVABILITY: Struct = Struct {
    name: "observability",
    fields: &[
        ("accessLogs", Set(&Flag)),
        ("metrics", Set(&Flag)),
        ("tracing", Set(&Flag)),
        ("traceVerbosity", Text),
    ],
    defaults: &[("traceVerbosity", "minimal")],
};

static SERVICE: Struct = Struct {
    name: "service",
    fields: &[("middlewares", Texts), ("loadBalancer", Below(&LOAD_BALANCER))],
    defaults: &[],
};

/// What a service without any tags has.
pub(crate) static LOAD_BALANCER: Struct = Struct {
    name: "loadBalancer",
    fields: &[
        ("sticky", StructOrTrue(&STICKY)),
        ("servers", Only("server", &SERVER)),
        ("strategy", Text),
        ("healthCheck", Below(&HEALTH_CHECK)),
        ("passiveHealthCheck", Below(&PASSIVE_HEALTH_CHECK)),
        ("passHostHeader", Set(&Flag)),
        ("responseForwarding", Below(&RESPONSE_FORWARDING)),
        ("serversTransport", Text),
    ],
    defaults: &[("strategy", "wrr"), ("passHostHeader", "true")],
};

static SERVER: Struct = Struct {
    name: "server",
    fields: &[
        ("url", Text),
        ("weight", Set(&Number)),
        ("preservePath", Flag),
        ("scheme", Text),
        ("port", Text),
    ],
    defaults: &[],
};

static STICKY: Struct =
    Struct { name: "sticky", fields: &[("cookie", StructOrTrue(&COOKIE))], defaults: &[] };

static COOKIE: Struct = Struct {
    name: "cookie",
    fields: &[
        ("name", Text),
        ("secure", Flag),
        ("httpOnly", Flag),
        ("sameSite", Text),
        ("maxAge", Number),
        ("path", Set(&Text)),
        ("domain", Text),
    ],
    defaults: &[("path", "/")],
};

static HEALTH_CHECK: Struct = Struct {
    name: "healthCheck",
    fields: &[
        ("scheme", Text),
        ("mode", Text),
        ("path", Text),
        ("method", Text),
        ("status", Number),
        ("port", Number),
        ("interval", Span),
        ("unhealthyInterval", Set(&Span)),
        ("timeout", Span),
        ("hostname", Text),
        ("followRedirects", Set(&Flag)),
        ("headers", Map(&Text)),
    ],
    defaults: &[("mode", "http"), ("interval", "30s"), ("timeout", "5s"), ("followRedirects", "true")],
};

static PASSIVE_HEALTH_CHECK: Struct = Struct {
    name: "passiveHealthCheck",
    fields: &[("failureWindow", Span), ("maxFailedAttempts", Number)],
    defaults: &[("failureWindow", "10s"), ("maxFailedAttempts", "1")],
};

static RESPONSE_FORWARDING: Struct = Struct {
    name: "responseForwarding",
    fields: &[("flushInterval", Span)],
    defaults: &[("flushInterval", "100ms")],
};
