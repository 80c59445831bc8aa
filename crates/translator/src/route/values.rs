//! String matchers and regexes, which many fields of Envoy's routes share.

use biplane_core::options::rewrite::Pattern;
use envoy_types::pb::envoy::r#type::matcher::v3::string_matcher::MatchPattern;
use envoy_types::pb::envoy::r#type::matcher::v3::{RegexMatchAndSubstitute, RegexMatcher, StringMatcher};

pub(super) fn regex(regex: &str) -> RegexMatcher {
    RegexMatcher { regex: regex.to_owned(), engine_type: None }
}

pub(super) fn substitute(pattern: &Pattern, substitution: &str) -> RegexMatchAndSubstitute {
    RegexMatchAndSubstitute { pattern: Some(regex(&pattern.regex)), substitution: substitution.to_owned() }
}

/// A matcher of a whole string: as it is written, or by a regex.
pub(super) fn string(text: &str, is_regex: bool) -> StringMatcher {
    let pattern =
        if is_regex { MatchPattern::SafeRegex(regex(text)) } else { MatchPattern::Exact(text.to_owned()) };
    StringMatcher { ignore_case: false, match_pattern: Some(pattern) }
}
