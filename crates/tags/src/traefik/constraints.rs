//! Which instances take part at all: an expression over their tags, `Tag(...)` and `TagRegex(...)`.

use biplane_core::regex;

use super::expression::{self, Call, Expression, Invalid};
use super::search::Pattern;

/// A constraint.
#[derive(Clone, Debug)]
pub(crate) enum Constraint {
    /// Both must hold.
    And(Box<Self>, Box<Self>),
    /// One must hold.
    Or(Box<Self>, Box<Self>),
    /// It must not hold.
    Not(Box<Self>),
    /// The instance has this tag, letter by letter.
    Tag(String),
    /// The instance has a tag in which the regex is somewhere.
    TagRegex(Pattern),
}

/// Reads a constraint.
pub(crate) fn parse(text: &str) -> Result<Constraint, Invalid> {
    convert(expression::parse(text)?)
}

impl Constraint {
    /// Whether an instance with `tags` takes part.
    pub(crate) fn holds(&self, tags: &[String]) -> bool {
        match self {
            Self::And(left, right) => left.holds(tags) && right.holds(tags),
            Self::Or(left, right) => left.holds(tags) || right.holds(tags),
            Self::Not(inner) => !inner.holds(tags),
            Self::Tag(wanted) => tags.contains(wanted),
            Self::TagRegex(pattern) => tags.iter().any(|tag| pattern.is_in(tag)),
        }
    }
}

fn convert(expression: Expression) -> Result<Constraint, Invalid> {
    Ok(match expression {
        Expression::And(a, b) => Constraint::And(Box::new(convert(*a)?), Box::new(convert(*b)?)),
        Expression::Or(a, b) => Constraint::Or(Box::new(convert(*a)?), Box::new(convert(*b)?)),
        Expression::Not(inner) => Constraint::Not(Box::new(convert(*inner)?)),
        Expression::Call(call) => condition(&call)?,
    })
}

fn condition(call: &Call) -> Result<Constraint, Invalid> {
    let fail = |message: String| Invalid::new(call.position, format!("{}: {message}", call.name));
    let [text] = call.arguments.as_slice() else {
        return Err(fail(format!("takes 1 text and has {}", call.arguments.len())));
    };
    match call.name.as_str() {
        "Tag" => Ok(Constraint::Tag(text.clone())),
        "TagRegex" => {
            regex::check(text).map_err(|error| fail(format!("{text:?} is no regex of RE2: {error}")))?;
            Pattern::new(text).map(Constraint::TagRegex).map_err(fail)
        }
        name => Err(Invalid::new(call.position, format!("there is no condition {name}"))
            .hint("the conditions are Tag and TagRegex")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(constraint: &str, tags: &[&str]) -> bool {
        let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
        parse(constraint).unwrap_or_else(|error| panic!("{constraint}: {error}")).holds(&tags)
    }

    #[test]
    fn tags_are_compared_whole_and_regexes_looked_for() {
        assert!(holds("Tag(`a=1`) && !Tag(`b`)", &["a=1", "bb"]));
        assert!(!holds("Tag(`a`)", &["a=1"]));
        assert!(holds(r"TagRegex(`^v\d+`) || Tag(`x`)", &["v12-rc"]));
        assert!(!holds("TagRegex(`^v`)", &["av"]));
    }

    #[test]
    fn unknown_conditions_and_bad_patterns_are_refused() {
        for (text, part) in [
            ("Label(`a`, `b`)", "takes 1 text"),
            ("Host(`a`)", "no condition Host"),
            ("TagRegex(`(`)", "no regex"),
            ("Tag(`a`", "`,` or `)`"),
        ] {
            assert!(parse(text).unwrap_err().to_string().contains(part), "{text}");
        }
    }
}
