//! Matchers: what users write to Envoy's `RouteMatch`, and the identity by which conflicts are found.

use biplane_core::resources::route::{HeaderMatcher, Matcher, QueryParameterMatcher};
use envoy_types::pb::envoy::config::route::v3::header_matcher::HeaderMatchSpecifier;
use envoy_types::pb::envoy::config::route::v3::query_parameter_matcher::QueryParameterMatchSpecifier;
use envoy_types::pb::envoy::config::route::v3::route_match::{
    ConnectMatcher, PathSpecifier, TlsContextMatchOptions,
};
use envoy_types::pb::envoy::config::route::v3::{self as pb, RouteMatch};
use xxhash_rust::xxh3::Xxh3;

use super::client_ip;
use super::values::{regex, string};
use crate::proto::boolean;

/// Envoy's `RouteMatch`; `None`: the matcher has no path, which Envoy refuses.
///
/// All services of a listener share its routes, so a client may pass the handshake of one service by its
/// server name and then ask for the host of another. Where that other one is for `verified` clients,
/// its routes match only on connections that have shown a certificate, which no handshake asks for without
/// verifying it. (Envoy's `validated` would not do: it is false for every resumed session.)
pub(super) fn translate(matcher: &Matcher, verified: bool) -> Option<RouteMatch> {
    let mut headers: Vec<_> = matcher.headers.iter().map(header).collect();
    headers.extend(methods(&matcher.methods));
    Some(RouteMatch {
        path_specifier: Some(path(matcher)?),
        case_sensitive: matcher.case_sensitive.map(boolean),
        headers,
        query_parameters: matcher.query_parameters.iter().map(query_parameter).collect(),
        tls_context: verified
            .then(|| TlsContextMatchOptions { presented: Some(boolean(true)), validated: None }),
        filter_state: matcher.client_ip.as_deref().map(client_ip::translate).into_iter().collect(),
        ..RouteMatch::default()
    })
}

fn path(matcher: &Matcher) -> Option<PathSpecifier> {
    if let Some(exact) = &matcher.exact {
        Some(PathSpecifier::Path(exact.clone()))
    } else if let Some(pattern) = &matcher.regex {
        Some(PathSpecifier::SafeRegex(regex(pattern)))
    } else if matcher.connect_matcher.is_some() {
        Some(PathSpecifier::ConnectMatcher(ConnectMatcher {}))
    } else {
        matcher.prefix.clone().map(PathSpecifier::Prefix)
    }
}

/// An empty value asks for presence only, as in Gloo.
fn header(header: &HeaderMatcher) -> pb::HeaderMatcher {
    let specifier = if header.value.is_empty() {
        HeaderMatchSpecifier::PresentMatch(true)
    } else {
        HeaderMatchSpecifier::StringMatch(string(&header.value, header.regex))
    };
    pb::HeaderMatcher {
        name: header.name.clone(),
        invert_match: header.invert_match,
        header_match_specifier: Some(specifier),
        ..pb::HeaderMatcher::default()
    }
}

fn query_parameter(parameter: &QueryParameterMatcher) -> pb::QueryParameterMatcher {
    let specifier = if parameter.value.is_empty() {
        QueryParameterMatchSpecifier::PresentMatch(true)
    } else {
        QueryParameterMatchSpecifier::StringMatch(string(&parameter.value, parameter.regex))
    };
    pb::QueryParameterMatcher {
        name: parameter.name.clone(),
        query_parameter_match_specifier: Some(specifier),
    }
}

/// Envoy has no field for methods: one is compared, several are alternatives of a regex.
fn methods(methods: &[String]) -> Option<pb::HeaderMatcher> {
    let value = match methods {
        [] => return None,
        [method] => string(method, false),
        methods => string(&alternatives(methods), true),
    };
    Some(pb::HeaderMatcher {
        name: ":method".to_owned(),
        header_match_specifier: Some(HeaderMatchSpecifier::StringMatch(value)),
        ..pb::HeaderMatcher::default()
    })
}

fn alternatives(methods: &[String]) -> String {
    methods.iter().map(|method| escaped(method)).collect::<Vec<_>>().join("|")
}

/// The text as a regex that matches only the text: HTTP lets method names hold `.`, `+`, `|` and more.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii_punctuation() && character != '_' {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// What a matcher matches, as a hash: equal for matchers that differ at most in the order of their
/// headers, query parameters and methods, in the case of header names, or in the case of a path
/// whose case does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MatcherIdentity(u128);

impl MatcherIdentity {
    /// The identity of a matcher.
    pub fn of(matcher: &Matcher) -> Self {
        let mut words = Words(Xxh3::new());
        words.path(matcher);
        words.list(matcher.headers.iter().map(header_words));
        words.list(matcher.query_parameters.iter().map(parameter_words));
        words.list(matcher.methods.iter().map(|method| vec![method.clone()]));
        words.list(matcher.client_ip.iter().map(|client| client_ip::words(client)));
        Self(words.0.digest128())
    }
}

fn header_words(header: &HeaderMatcher) -> Vec<String> {
    let (regex, invert) = (header.regex && !header.value.is_empty(), header.invert_match);
    vec![header.name.to_ascii_lowercase(), header.value.clone(), format!("{regex} {invert}")]
}

fn parameter_words(parameter: &QueryParameterMatcher) -> Vec<String> {
    let regex = parameter.regex && !parameter.value.is_empty();
    vec![parameter.name.clone(), parameter.value.clone(), regex.to_string()]
}

/// Words in a row, each told apart from the next by its length.
struct Words(Xxh3);

impl Words {
    fn word(&mut self, word: &str) {
        self.0.update(&(word.len() as u64).to_le_bytes());
        self.0.update(word.as_bytes());
    }

    fn words(&mut self, words: [&str; 3]) {
        for word in words {
            self.word(word);
        }
    }

    /// Items whose order and repetition mean nothing.
    fn list(&mut self, items: impl Iterator<Item = Vec<String>>) {
        let mut items: Vec<_> = items.collect();
        items.sort();
        items.dedup();
        self.0.update(&(items.len() as u64).to_le_bytes());
        items.iter().flatten().for_each(|word| self.word(word));
    }

    fn path(&mut self, matcher: &Matcher) {
        let case_counts = matcher.case_sensitive != Some(false);
        let case = if case_counts { "" } else { "any case" };
        let cased = |text: &str| if case_counts { text.to_owned() } else { text.to_ascii_lowercase() };
        if let Some(exact) = &matcher.exact {
            self.words(["exact", case, &cased(exact)]);
        } else if let Some(regex) = &matcher.regex {
            self.words(["regex", "", regex]);
        } else if matcher.connect_matcher.is_some() {
            self.words(["connect", "", ""]);
        } else {
            self.words(["prefix", case, &cased(matcher.prefix.as_deref().unwrap_or_default())]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn methods_of(methods: &[&str]) -> Matcher {
        Matcher {
            prefix: Some("/".to_owned()),
            methods: methods.iter().map(|&method| method.to_owned()).collect(),
            ..Matcher::default()
        }
    }

    fn header_named(name: &str, value: &str) -> HeaderMatcher {
        HeaderMatcher { name: name.to_owned(), value: value.to_owned(), ..HeaderMatcher::default() }
    }

    #[test]
    fn one_method_is_compared_and_several_are_a_regex() {
        let one = translate(&methods_of(&["GET"]), false).unwrap().headers;
        let two = translate(&methods_of(&["GET", "M-SEARCH"]), false).unwrap().headers;
        let specifier = |value, regex| Some(HeaderMatchSpecifier::StringMatch(string(value, regex)));
        assert_eq!(one[0].header_match_specifier, specifier("GET", false));
        assert_eq!(two[0].header_match_specifier, specifier(r"GET|M\-SEARCH", true));
        assert!(translate(&methods_of(&[]), false).unwrap().headers.is_empty());
    }

    #[test]
    fn empty_value_asks_for_presence() {
        let matcher = Matcher {
            headers: vec![HeaderMatcher { regex: true, invert_match: true, ..header_named("x-a", "") }],
            query_parameters: vec![QueryParameterMatcher { name: "q".to_owned(), ..Default::default() }],
            ..methods_of(&[])
        };
        let translated = translate(&matcher, false).unwrap();
        let header = &translated.headers[0];
        assert!(header.invert_match);
        assert_eq!(header.header_match_specifier, Some(HeaderMatchSpecifier::PresentMatch(true)));
        let parameter = translated.query_parameters[0].query_parameter_match_specifier.as_ref();
        assert_eq!(parameter, Some(&QueryParameterMatchSpecifier::PresentMatch(true)));
    }

    #[test]
    fn matcher_without_a_path_is_refused() {
        assert_eq!(translate(&Matcher { prefix: None, ..methods_of(&["GET"]) }, false), None);
    }

    #[test]
    fn identity_ignores_order_and_header_case() {
        let a = Matcher {
            headers: vec![header_named("X-A", "1"), header_named("x-b", "2")],
            ..methods_of(&["GET", "PUT"])
        };
        let b = Matcher {
            headers: vec![header_named("x-b", "2"), header_named("x-a", "1")],
            case_sensitive: Some(true),
            ..methods_of(&["PUT", "GET", "PUT"])
        };
        assert_eq!(MatcherIdentity::of(&a), MatcherIdentity::of(&b));
    }

    #[test]
    fn identity_tells_path_kinds_and_values_apart() {
        let text = Some("/a".to_owned());
        let matchers = [
            Matcher { prefix: text.clone(), ..Matcher::default() },
            Matcher { exact: text.clone(), ..Matcher::default() },
            Matcher { regex: text.clone(), ..Matcher::default() },
            Matcher { prefix: text.clone(), case_sensitive: Some(false), ..Matcher::default() },
            Matcher { prefix: text.clone(), headers: vec![header_named("x-a", "1")], ..Matcher::default() },
            Matcher { prefix: text.clone(), headers: vec![header_named("x-a", "2")], ..Matcher::default() },
            Matcher { prefix: text, methods: vec!["GET".to_owned()], ..Matcher::default() },
        ];
        let identities: std::collections::BTreeSet<_> = matchers.iter().map(MatcherIdentity::of).collect();
        assert_eq!(identities.len(), matchers.len());
    }

    #[test]
    fn routes_for_verified_clients_match_only_where_a_certificate_was_shown() {
        let matcher = Matcher { prefix: Some("/".to_owned()), ..Matcher::default() };
        let options = translate(&matcher, true).unwrap().tls_context.unwrap();
        assert_eq!((options.presented, options.validated), (Some(boolean(true)), None));
        assert_eq!(translate(&matcher, false).unwrap().tls_context, None);
    }
}
