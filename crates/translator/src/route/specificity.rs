//! Which of two matchers is more specific. The order decides between routes that nobody put in an
//! order: route tables of one weight, and virtual services that share a domain.
//!
//! 1. By path: `exact`, then `connectMatcher`, then `regex`, then `prefix`.
//! 2. The longer path or pattern first.
//! 3. More conditions first: each header, each query parameter, and the methods as one.
//! 4. Fewer methods first.
//!
//! What is equal in all of them keeps the order that it came in.

use std::cmp::Reverse;

use biplane_core::resources::route::Matcher;

/// How specific a matcher is; the most specific sorts first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Specificity {
    path: PathKind,
    length: Reverse<u32>,
    conditions: Reverse<u32>,
    methods: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum PathKind {
    Exact,
    Connect,
    Regex,
    Prefix,
}

impl Specificity {
    /// The specificity of a matcher that has its path.
    pub fn of(matcher: &Matcher) -> Self {
        let (path, text) = path(matcher);
        let methods = matcher.methods.len();
        let conditions = matcher.headers.len()
            + matcher.query_parameters.len()
            + usize::from(methods > 0)
            + usize::from(matcher.client_ip.is_some());
        Self {
            path,
            length: Reverse(count(text.len())),
            conditions: Reverse(count(conditions)),
            methods: count(methods),
        }
    }
}

fn path(matcher: &Matcher) -> (PathKind, &str) {
    if let Some(exact) = &matcher.exact {
        (PathKind::Exact, exact)
    } else if matcher.connect_matcher.is_some() {
        (PathKind::Connect, "")
    } else if let Some(regex) = &matcher.regex {
        (PathKind::Regex, regex)
    } else {
        (PathKind::Prefix, matcher.prefix.as_deref().unwrap_or_default())
    }
}

fn count(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use biplane_core::resources::route::{ConnectMatcher, HeaderMatcher};

    use super::*;

    fn prefix(text: &str) -> Matcher {
        Matcher { prefix: Some(text.to_owned()), ..Matcher::default() }
    }

    fn with_methods(methods: &[&str]) -> Matcher {
        Matcher { methods: methods.iter().map(|&method| method.to_owned()).collect(), ..prefix("/") }
    }

    #[test]
    fn specificity_sorts_path_kind_then_length_then_conditions_then_methods() {
        let sorted = [
            Matcher { exact: Some("/a".to_owned()), ..Matcher::default() },
            Matcher { connect_matcher: Some(ConnectMatcher {}), ..Matcher::default() },
            Matcher { regex: Some("/.*".to_owned()), ..Matcher::default() },
            prefix("/a/long"),
            prefix("/b"),
            Matcher { headers: vec![HeaderMatcher::default()], ..with_methods(&["GET"]) },
            with_methods(&["GET"]),
            with_methods(&["GET", "POST"]),
            prefix("/"),
        ];
        assert!(sorted.is_sorted_by(|a, b| Specificity::of(a) < Specificity::of(b)));
    }
}
