//! Rewrites of the path and of the host by regex.

use schemars::JsonSchema;
use serde::Deserialize;

/// A regex (RE2) and what replaces what it matches; `\\1` stands for the first group.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct RegexRewrite {
    /// The regex.
    pub pattern: Pattern,
    /// The replacement.
    pub substitution: String,
}

/// A regex in the form that Envoy and Gloo wrap it in.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Pattern {
    /// The regex, in RE2's syntax.
    pub regex: String,
    /// Envoy's old choice of engine, accepted and ignored: RE2 is the only one.
    pub google_re2: Option<GoogleRe2>,
}

/// Settings of RE2 in Envoy's old API, accepted and ignored.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct GoogleRe2 {
    /// Largest program size; Envoy takes it from its runtime now.
    pub max_program_size: Option<u32>,
}

/// Takes the host from the path.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct HostRewritePathRegex {
    /// The regex, in RE2's syntax, matched against the path.
    pub pattern: Pattern,
    /// The new host; `\\1` stands for the first group.
    pub substitution: String,
}
