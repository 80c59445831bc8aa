//! Middlewares that change the path. All of them together have to become the one rewrite that a route may have.

use biplane_core::regex;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Draft;
use crate::router::Rule;
use crate::traefik::go_regex;
use crate::traefik::wire;

/// What becomes of the path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum PathRewrite {
    /// It stays as it is.
    #[default]
    Unchanged,
    /// Something is taken off its start, and something put there. A slash stays between what is put and the rest.
    Start {
        /// Patterns of what is taken off, one after the other, each where it matches; none begins with a slash.
        strips: Vec<String>,
        /// What is put in front of that slash.
        prepend: String,
    },
    /// It is this.
    Constant(String),
    /// A regex and what replaces its matches, in RE2's form.
    Regex(String, String),
}

impl PathRewrite {
    /// The value of `regexRewrite`.
    pub(crate) fn option(&self) -> Option<Value> {
        let (pattern, substitution) = match self {
            Self::Unchanged => return None,
            Self::Start { strips, prepend } => {
                let strips =
                    strips.iter().map(|strip| format!("(?:{strip}/?)?")).collect::<Vec<_>>().concat();
                (
                    format!("^/{strips}(.*)$"),
                    format!("{}/{}", go_regex::literal(prepend), last_group(&strips)),
                )
            }
            Self::Constant(path) => ("^.*$".to_owned(), go_regex::literal(path)),
            Self::Regex(pattern, substitution) => (pattern.clone(), substitution.clone()),
        };
        Some(json!({"pattern": {"regex": pattern}, "substitution": substitution}))
    }

    fn start(&self) -> Option<(Vec<String>, String)> {
        match self {
            Self::Unchanged => Some((Vec::new(), String::new())),
            Self::Start { strips, prepend } => Some((strips.clone(), prepend.clone())),
            Self::Constant(_) | Self::Regex(..) => None,
        }
    }
}

/// The group of the rest of the path, behind those of the user's own patterns.
fn last_group(strips: &str) -> String {
    let before =
        if strips.is_empty() { 0 } else { regex::groups(strips).expect("checked when it was added") };
    format!("\\{}", before + 1)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AddPrefix {
    prefix: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct StripPrefix {
    prefixes: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct StripPrefixRegex {
    regex: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ReplacePath {
    path: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ReplacePathRegex {
    regex: String,
    replacement: String,
}

pub(super) fn add_prefix(name: &str, options: &AddPrefix, draft: &mut Draft<'_>) {
    if options.prefix.is_empty() {
        return draft.break_off(format!("middleware {name}: addPrefix has no prefix"));
    }
    let prefix = wire::path(&options.prefix);
    let prefix = if prefix.starts_with('/') { prefix } else { format!("/{prefix}") };
    add(name, &prefix, draft);
}

/// Puts `prefix`, which starts with a slash, in front of the path. A slash at its end stays one of its own, as the
/// path begins with another.
pub(crate) fn add(name: &str, prefix: &str, draft: &mut Draft<'_>) {
    draft.path = match &draft.path {
        PathRewrite::Constant(path) => PathRewrite::Constant(format!("{prefix}{path}")),
        other => match other.start() {
            Some((strips, prepend)) => PathRewrite::Start { strips, prepend: format!("{prefix}{prepend}") },
            None => return cannot_follow(name, draft),
        },
    };
}

pub(super) fn strip_prefix(name: &str, options: &StripPrefix, draft: &mut Draft<'_>) {
    // A request's path starts with a slash, so that nothing else can be at its start.
    let prefixes: Vec<&String> = options.prefixes.iter().filter(|one| one.starts_with('/')).collect();
    if let [only] = prefixes.as_slice()
        && draft.path == PathRewrite::Unchanged
        && implies_prefix(draft.rule, only)
    {
        draft.headers.set_request("X-Forwarded-Prefix", &wire::path(only));
    }
    let prefixes: Vec<String> = prefixes.into_iter().map(|one| wire::path(one)).collect();
    if let PathRewrite::Constant(path) = &draft.path {
        let stripped = prefixes.iter().find_map(|prefix| path.strip_prefix(prefix.as_str()));
        let path = stripped.map_or_else(|| path.clone(), |rest| format!("/{}", rest.trim_start_matches('/')));
        draft.path = PathRewrite::Constant(path);
        return;
    }
    let patterns: Vec<String> = prefixes.iter().map(|one| go_regex::quote(&one[1..])).collect();
    if !patterns.is_empty() {
        strip(name, &format!("(?:{})", patterns.join("|")), draft);
    }
}

pub(super) fn strip_prefix_regex(name: &str, options: &StripPrefixRegex, draft: &mut Draft<'_>) {
    let mut patterns = Vec::new();
    for text in &options.regex {
        if let Err(error) = regex::check(text) {
            return draft.break_off(format!("middleware {name}: {text:?} is no regex of RE2: {error}"));
        }
        // The path starts with a slash, and so must what is taken off; ours is matched without it.
        let bare = text.trim_start_matches('^');
        let Some(rest) = bare.strip_prefix('/').filter(|_| !has_top_level_choice(bare)) else {
            let message =
                format!("middleware {name}: {text:?} does not start with a /, so it cannot be built");
            return draft.break_off(message);
        };
        patterns.push(wire::pattern(rest));
    }
    if !patterns.is_empty() {
        strip(name, &format!("(?:{})", patterns.join("|")), draft);
    }
}

/// Whether `a|b` stands outside of brackets: then its first letter does not speak for all of it.
fn has_top_level_choice(pattern: &str) -> bool {
    matches!(
        regex_syntax::ast::parse::Parser::new().parse(pattern),
        Ok(regex_syntax::ast::Ast::Alternation(_)) | Err(_)
    )
}

fn strip(name: &str, pattern: &str, draft: &mut Draft<'_>) {
    match draft.path.start() {
        Some((mut strips, prepend)) if prepend.is_empty() => {
            strips.push(pattern.to_owned());
            let groups = regex::groups(&strips.concat());
            if groups.is_ok_and(|groups| groups < 9) {
                draft.path = PathRewrite::Start { strips, prepend };
            } else {
                draft.break_off(format!("middleware {name}: its regex has too many groups"));
            }
        }
        _ => cannot_follow(name, draft),
    }
}

pub(super) fn replace_path(name: &str, options: &ReplacePath, draft: &mut Draft<'_>) {
    if options.path.is_empty() {
        return draft.break_off(format!("middleware {name}: replacePath has no path"));
    }
    draft.path = PathRewrite::Constant(wire::path(&options.path));
}

pub(super) fn replace_path_regex(name: &str, options: &ReplacePathRegex, draft: &mut Draft<'_>) {
    let replaced = go_regex::replacement(&options.regex, options.replacement.trim());
    match (replaced, &draft.path) {
        (Err(why), _) => draft.break_off(format!("middleware {name}: {why}")),
        (Ok(substitution), PathRewrite::Unchanged) => {
            draft.path = PathRewrite::Regex(wire::pattern(&options.regex), wire::path(&substitution));
        }
        _ => cannot_follow(name, draft),
    }
}

fn cannot_follow(name: &str, draft: &mut Draft<'_>) {
    let why = format!("middleware {name}: what it does with the path cannot be joined with those before it");
    draft.close(503, why, Some("let one replacePathRegex do all of it"));
}

/// Whether every request that the rule matches has this at the start of its path.
fn implies_prefix(rule: &Rule, prefix: &str) -> bool {
    match rule {
        Rule::And(rules) => rules.iter().any(|rule| implies_prefix(rule, prefix)),
        Rule::Or(rules) => !rules.is_empty() && rules.iter().all(|rule| implies_prefix(rule, prefix)),
        Rule::Path(path) | Rule::PathPrefix(path) => path.starts_with(prefix),
        _ => false,
    }
}
