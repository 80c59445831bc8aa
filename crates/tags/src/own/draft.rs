//! The options that tags write, by route, with their names checked.

use std::collections::BTreeMap;

use crate::finding::Finding;
use crate::service::ServiceId;

use super::scalar;

/// What an option is about, and so what it costs when it cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The service as a whole.
    Service,
    /// Which requests are meant, and where they come in: without it the route is not served.
    Match,
    /// Who is let in: without it the route is closed.
    Guard,
    /// How requests are treated: the route goes without.
    Treatment,
}

/// An option's name.
#[derive(Debug)]
pub(super) struct Name {
    pub(super) text: &'static str,
    pub(super) kind: Kind,
    /// Whether a further name follows, as in `headers.x-version`.
    keyed: bool,
}

const fn name(text: &'static str, kind: Kind) -> Name {
    Name { text, kind, keyed: false }
}

const fn keyed(text: &'static str, kind: Kind) -> Name {
    Name { text, kind, keyed: true }
}

/// All options.
const NAMES: &[Name] = &[
    name("enable", Kind::Service),
    name("canary", Kind::Service),
    name("hosts", Kind::Match),
    name("path", Kind::Match),
    name("prefix", Kind::Match),
    name("exact", Kind::Match),
    name("regex", Kind::Match),
    name("methods", Kind::Match),
    keyed("headers", Kind::Match),
    keyed("queryParameters", Kind::Match),
    name("rule", Kind::Match),
    name("gateways", Kind::Match),
    name("priority", Kind::Match),
    name("tls", Kind::Match),
    name("tls.secret", Kind::Match),
    name("redirectHttps", Kind::Match),
    name("port", Kind::Match),
    name("scheme", Kind::Match),
    name("allow", Kind::Guard),
    name("deny", Kind::Guard),
    name("basicAuth", Kind::Guard),
    name("apiKeyAuth", Kind::Guard),
    name("weight", Kind::Treatment),
    name("stripPrefix", Kind::Treatment),
    name("prefixRewrite", Kind::Treatment),
    name("hostRewrite", Kind::Treatment),
    name("timeout", Kind::Treatment),
    name("idleTimeout", Kind::Treatment),
    name("retries", Kind::Treatment),
    name("retries.retryOn", Kind::Treatment),
    name("retries.perTryTimeout", Kind::Treatment),
    keyed("requestHeadersToAdd", Kind::Treatment),
    name("requestHeadersToRemove", Kind::Treatment),
    keyed("responseHeadersToAdd", Kind::Treatment),
    name("responseHeadersToRemove", Kind::Treatment),
    name("cors.allowOrigin", Kind::Treatment),
    name("cors.allowOriginRegex", Kind::Treatment),
    name("cors.allowMethods", Kind::Treatment),
    name("cors.allowHeaders", Kind::Treatment),
    name("cors.exposeHeaders", Kind::Treatment),
    name("cors.maxAge", Kind::Treatment),
    name("cors.allowCredentials", Kind::Treatment),
    name("websocket", Kind::Treatment),
    name("sticky", Kind::Treatment),
];

/// One option as a tag writes it.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) name: &'static Name,
    /// The further name of an option that has one; empty for others.
    pub(super) key: String,
    pub(super) value: String,
    pub(super) tag: String,
}

/// All that the tags of an instance write.
#[derive(Debug, Default)]
pub(super) struct Drafts {
    /// Of no route, hence of all.
    common: Vec<Written>,
    routes: BTreeMap<String, Vec<Written>>,
    /// Whether there is any tag of ours.
    any: bool,
    /// A misspelt option that may have been meant to guard a route, of these routes; `None`: of all.
    doubts: Vec<Option<String>>,
}

/// The options of one route.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub(super) name: &'a str,
    own: &'a [Written],
    common: &'a [Written],
    /// Whether it may have lost a guard to a slip.
    pub(super) in_doubt: bool,
}

impl Drafts {
    /// Sorts the tags that start with `prefix`.
    pub(super) fn read(id: &ServiceId, tags: &[String], prefix: &str, findings: &mut Vec<Finding>) -> Self {
        let mut drafts = Self::default();
        for tag in tags {
            let Some(rest) = strip_prefix(tag.trim_start(), prefix) else { continue };
            drafts.any = true;
            let Some((key, value)) = rest.split_once('=') else {
                let message = "the tag has no value";
                findings.push(Finding::error(id, message).tag(tag).hint(format!("write {prefix}{rest}=...")));
                continue;
            };
            drafts.add(id, key.trim(), value.trim(), tag, findings);
        }
        drafts
    }

    fn add(&mut self, id: &ServiceId, key: &str, value: &str, tag: &str, findings: &mut Vec<Finding>) {
        let (route, option) = match strip_prefix(key, "routes.").and_then(|rest| rest.split_once('.')) {
            Some((route, option)) if !route.is_empty() => (Some(route.to_owned()), option),
            _ => (None, key),
        };
        let (name, key) = match find(option) {
            Ok(found) => found,
            Err(nearest) => {
                if nearest.is_some_and(|name| name.kind == Kind::Guard) {
                    self.doubts.push(route);
                }
                findings.push(unknown(id, tag, nearest));
                return;
            }
        };
        if route.is_some() && name.kind == Kind::Service {
            let message = format!("{} is of the service as a whole, not of a route", name.text);
            findings.push(Finding::error(id, message).tag(tag));
            return;
        }
        let to = route.map_or(&mut self.common, |route| self.routes.entry(route).or_default());
        if to.iter().any(|before| before.name.text == name.text && before.key == key) {
            let message = "the option is written twice; the first counts";
            findings.push(Finding::error(id, message).tag(tag));
            return;
        }
        to.push(Written { name, key, value: value.to_owned(), tag: tag.to_owned() });
    }

    /// Whether the instance asks for routes at all.
    pub(super) fn is_exposed(&self, id: &ServiceId, by_default: bool, findings: &mut Vec<Finding>) -> bool {
        if !self.any {
            return false;
        }
        let Some(written) = self.common.iter().find(|written| written.name.text == "enable") else {
            if !by_default {
                let message = "the service has tags for routes, but none that exposes it";
                findings.push(
                    Finding::warning(id, message).hint("add the tag enable=true, with the same prefix"),
                );
            }
            return by_default;
        };
        scalar::flag(&written.value).unwrap_or_else(|why| {
            findings.push(Finding::error(id, format!("not exposed: {why}")).tag(&written.tag));
            false
        })
    }

    /// The routes: those with names, or the one that has none.
    pub(super) fn routes(&self) -> impl Iterator<Item = Draft<'_>> {
        let unnamed = self.routes.is_empty().then_some(("default", &[][..]));
        let named = self.routes.iter().map(|(name, own)| (name.as_str(), own.as_slice()));
        named.chain(unnamed).map(|(name, own)| {
            let in_doubt = self.doubts.iter().any(|route| route.as_deref().is_none_or(|route| route == name));
            Draft { name, own, common: &self.common, in_doubt }
        })
    }
}

impl Draft<'_> {
    /// An option of the route, else of the service.
    pub(super) fn get(&self, name: &str) -> Option<&Written> {
        self.all(name).next()
    }

    /// All values of an option that has further names.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &Written> {
        let own =
            move |key: &str| self.own.iter().any(|written| written.name.text == name && written.key == key);
        let common = self.common.iter().filter(move |written| !own(&written.key));
        self.own.iter().chain(common).filter(move |written| written.name.text == name)
    }
}

/// ASCII case does not count in names.
fn strip_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// An option by what a tag calls it; else the nearest.
fn find(written: &str) -> Result<(&'static Name, String), Option<&'static Name>> {
    for name in NAMES {
        if !name.keyed && name.text.eq_ignore_ascii_case(written) {
            return Ok((name, String::new()));
        }
        let behind = strip_prefix(written, name.text).and_then(|rest| rest.strip_prefix('.'));
        if let Some(key) = behind.filter(|key| name.keyed && !key.is_empty()) {
            return Ok((name, key.to_ascii_lowercase()));
        }
    }
    Err(nearest(written))
}

fn nearest(written: &str) -> Option<&'static Name> {
    let folded = written.to_ascii_lowercase();
    let distance = |name: &&Name| {
        let known = name.text.to_ascii_lowercase();
        let stem = if name.keyed { folded.split('.').next().unwrap_or_default() } else { folded.as_str() };
        strsim::damerau_levenshtein(&known, stem)
    };
    let near = |name: &&Name| distance(name) <= 1 + name.text.len() / 4;
    NAMES.iter().filter(near).min_by_key(distance)
}

fn unknown(id: &ServiceId, tag: &str, nearest: Option<&Name>) -> Finding {
    let finding = Finding::error(id, "there is no such option").tag(tag);
    match nearest {
        Some(name) if name.keyed => finding.hint(format!("did you mean {}.<name>?", name.text)),
        Some(name) => finding.hint(format!("did you mean {}?", name.text)),
        None => finding,
    }
}
