//! Conditions on the host, and what is left of them once Envoy has chosen the virtual host.
//!
//! Envoy looks for the host first: exactly, then by the longest suffix, then `*`. So each condition is decided for a
//! domain as far as that can be done beforehand, and the rest is asked of `:authority`.

use std::sync::Arc;

use regex::Regex;
use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Look};

use super::header::HeaderTest;
use super::pattern::{self, Inside, Times};

/// A domain of a virtual host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Domain {
    /// This host.
    Exact(String),
    /// All hosts that end in this (`.example.com`) and that no narrower domain has.
    Suffix(String),
    /// All that no other domain has.
    Any,
}

impl Domain {
    /// Whether all hosts of the other one are in this, counting those that a narrower domain takes.
    pub(crate) fn contains(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (Self::Suffix(suffix), Self::Exact(host)) => is_under(host, suffix),
            (Self::Suffix(suffix), Self::Suffix(inner)) => inner.ends_with(suffix.as_str()),
            (Self::Exact(host), Self::Exact(other)) => host == other,
            (Self::Exact(_), _) | (Self::Suffix(_), Self::Any) => false,
        }
    }

    /// `app.example.com`, `*.example.com` or `*`.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Exact(host) => host.clone(),
            Self::Suffix(suffix) => format!("*{suffix}"),
            Self::Any => "*".to_owned(),
        }
    }

    /// The larger the narrower.
    pub(super) fn narrowness(&self) -> usize {
        match self {
            Self::Exact(_) => usize::MAX,
            Self::Suffix(suffix) => suffix.len(),
            Self::Any => 0,
        }
    }
}

fn is_under(host: &str, suffix: &str) -> bool {
    host.len() > suffix.len() && host.ends_with(suffix)
}

/// A condition on the host, which is in lower case and without port and dot at its end.
#[derive(Clone, Debug)]
pub(super) enum HostTest {
    /// Is this.
    Exact(String),
    /// Is one label in front of this (`.example.com`).
    OneLabel(String),
    /// Ends in this.
    Suffix(String),
    /// Holds a match of a pattern.
    Pattern(Arc<HostPattern>),
}

#[derive(Debug)]
pub(super) struct HostPattern {
    text: String,
    regex: Regex,
    authority: String,
    bound: Domain,
}

impl PartialEq for HostTest {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(a), Self::Exact(b))
            | (Self::OneLabel(a), Self::OneLabel(b))
            | (Self::Suffix(a), Self::Suffix(b)) => a == b,
            (Self::Pattern(a), Self::Pattern(b)) => a.text == b.text,
            _ => false,
        }
    }
}

/// What is known of a condition on a domain.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict {
    /// It holds for all hosts of the domain.
    Always,
    /// It holds for none.
    Never,
    /// It depends.
    Ask(HeaderTest),
}

impl HostTest {
    /// `None`: no request's host can be this, such as one with a port.
    pub(super) fn host(text: &str) -> Option<Self> {
        let host = text.to_ascii_lowercase();
        let host = host.strip_suffix('.').unwrap_or(&host);
        if host.parse::<std::net::Ipv6Addr>().is_ok() {
            return Some(Self::Exact(format!("[{host}]")));
        }
        if let Some(suffix) = host.strip_prefix('*') {
            return (suffix.starts_with('.') && is_name(&suffix[1..]))
                .then(|| Self::OneLabel(suffix.to_owned()));
        }
        is_name(host).then(|| Self::Exact(host.to_owned()))
    }

    pub(super) fn suffix(text: &str) -> Self {
        Self::Suffix(text.to_ascii_lowercase())
    }

    pub(super) fn pattern(text: &str) -> Result<Self, String> {
        let lower = pattern::map(&pattern::parse(text)?, &lower, &lower_class);
        let filler = pattern::any_number(pattern::none_of("\n"));
        let whole = pattern::whole(&lower, &filler, Inside::Allowed).unwrap_or_else(|| lower.clone());
        if let Some(host) = literal_of(&whole).and_then(|literal| Self::host(&literal)) {
            return Ok(host);
        }
        let regex = Regex::new(&pattern::print(&lower)).map_err(|_| "the pattern is too large".to_owned())?;
        let bounded =
            pattern::whole(&lower, &pattern::any_number(pattern::none_of(":\n")), Inside::Forbidden)
                .ok_or("an anchor (^ or $) in the middle of a pattern cannot be said to Envoy")?;
        let bound = bound(&lower);
        Ok(Self::Pattern(Arc::new(HostPattern {
            text: text.to_owned(),
            regex,
            authority: authority(bounded),
            bound,
        })))
    }

    /// A domain that holds all hosts that pass.
    pub(super) fn bound(&self) -> Domain {
        match self {
            Self::Exact(host) => Domain::Exact(host.clone()),
            Self::OneLabel(suffix) | Self::Suffix(suffix) => Domain::Suffix(suffix.clone()),
            Self::Pattern(pattern) => pattern.bound.clone(),
        }
    }

    /// What is known of it on a domain.
    pub(super) fn on(&self, domain: &Domain, wanted: bool) -> Verdict {
        let holds = match domain {
            Domain::Exact(host) => Some(self.matches(host)),
            Domain::Suffix(suffix) => self.on_suffix(suffix),
            Domain::Any => None,
        };
        match holds {
            Some(holds) if holds == wanted => Verdict::Always,
            Some(_) => Verdict::Never,
            None => Verdict::Ask(self.header(wanted)),
        }
    }

    fn matches(&self, host: &str) -> bool {
        match self {
            Self::Exact(this) => this == host,
            Self::OneLabel(suffix) => {
                is_under(host, suffix) && !host[..host.len() - suffix.len()].contains('.')
            }
            Self::Suffix(suffix) => is_under(host, suffix),
            Self::Pattern(pattern) => pattern.regex.is_match(host),
        }
    }

    /// `None`: some hosts that end in this pass, or may pass, and some do not.
    fn on_suffix(&self, domain: &str) -> Option<bool> {
        match self {
            Self::Exact(host) => (!is_under(host, domain)).then_some(false),
            Self::OneLabel(suffix) if domain == suffix => None,
            Self::OneLabel(suffix) | Self::Suffix(suffix) if suffix.ends_with(domain) && suffix != domain => {
                None
            }
            Self::OneLabel(_) => Some(false),
            Self::Suffix(suffix) => Some(domain.ends_with(suffix.as_str())),
            Self::Pattern(_) => None,
        }
    }

    fn header(&self, wanted: bool) -> HeaderTest {
        let pattern = match self {
            Self::Exact(host) => authority(pattern::literal(host)),
            Self::OneLabel(suffix) => authority(under(pattern::none_of(".:\n"), suffix)),
            Self::Suffix(suffix) => authority(under(pattern::none_of(":\n"), suffix)),
            Self::Pattern(pattern) => pattern.authority.clone(),
        };
        let test = HeaderTest::regex(":authority", pattern);
        if wanted { test } else { test.inverted() }
    }
}

/// Characters that a name of a host in a rule can have.
fn is_name(host: &str) -> bool {
    !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'))
}

fn under(front: Hir, suffix: &str) -> Hir {
    Hir::concat(vec![pattern::at_least_one(front), pattern::literal(suffix)])
}

/// A host as `:authority` has it: in any case, a dot and a port behind it.
fn authority(host: Hir) -> String {
    let digits = pattern::at_least_one(pattern::one_of('0'..='9'));
    let port = pattern::optional(Hir::concat(vec![pattern::literal(":"), digits]));
    let dot = pattern::optional(pattern::literal("."));
    format!("(?i){}", pattern::print(&Hir::concat(vec![host, dot, port])))
}

/// Hosts are compared in lower case: what asks for a capital matches nothing.
fn lower(text: &str) -> Hir {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) { Hir::fail() } else { pattern::literal(text) }
}

fn lower_class(class: &ClassUnicode, _: Times) -> Hir {
    let mut class = class.clone();
    class.difference(&ClassUnicode::new([ClassUnicodeRange::new('A', 'Z')]));
    // What is asked of Envoy ignores case, and a class that leaves capitals out would leave small letters out with them.
    let mut letters = class.clone();
    letters.intersect(&ClassUnicode::new([ClassUnicodeRange::new('a', 'z')]));
    for range in letters.iter() {
        let capitals = (range.start().to_ascii_uppercase(), range.end().to_ascii_uppercase());
        class.push(ClassUnicodeRange::new(capitals.0, capitals.1));
    }
    Hir::class(Class::Unicode(class))
}

fn literal_of(hir: &Hir) -> Option<String> {
    match hir.kind() {
        HirKind::Literal(literal) => String::from_utf8(literal.0.to_vec()).ok(),
        _ => None,
    }
}

/// What all matches end in, from a dot on.
fn bound(hir: &Hir) -> Domain {
    let HirKind::Concat(parts) = hir.kind() else { return Domain::Any };
    let [front @ .., literal, end] = parts.as_slice() else { return Domain::Any };
    if front.is_empty() || !matches!(end.kind(), HirKind::Look(Look::End)) {
        return Domain::Any;
    }
    let Some(text) = literal_of(literal) else { return Domain::Any };
    match text.find('.') {
        Some(dot) if is_name(&text[dot + 1..]) => Domain::Suffix(text[dot..].to_owned()),
        _ => Domain::Any,
    }
}
