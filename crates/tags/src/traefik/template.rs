//! The templates of default rules: `Host(`{{ normalize .Name }}.example.com`)`.
//!
//! The part of Go's templates that rules are written with: values, functions, pipes, `if`, and dashes that take blanks
//! away. What it does not know is refused when settings are read, never when a service comes.

mod expression;
mod functions;
mod value;

use std::collections::BTreeMap;

use expression::Pipeline;
use value::Value;

/// Blocks that may lie within each other.
const MAX_DEPTH: usize = 16;

/// A template.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    Action(Pipeline),
    If { condition: Pipeline, then: Vec<Part>, otherwise: Vec<Part> },
}

/// What a template is filled with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Model<'a> {
    /// `.Name`
    pub(crate) name: &'a str,
    /// `.Labels`
    pub(crate) labels: &'a BTreeMap<String, String>,
}

impl Template {
    /// Reads a template.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = pieces(text)?.into_iter();
        match parts(&mut pieces, 0)? {
            (parts, End::Template) => Ok(Self(parts)),
            _ => Err("{{ else }} or {{ end }} without {{ if }}".to_owned()),
        }
    }

    /// Fills it.
    pub(crate) fn fill(&self, model: Model<'_>) -> Result<String, String> {
        let mut text = String::new();
        fill(&self.0, model, &mut text)?;
        Ok(text)
    }
}

fn fill(parts: &[Part], model: Model<'_>, into: &mut String) -> Result<(), String> {
    for part in parts {
        match part {
            Part::Text(text) => into.push_str(text),
            Part::Action(pipeline) => into.push_str(&pipeline.value(model)?.printed()),
            Part::If { condition, then, otherwise } => {
                let holds = condition.value(model)?.is_true();
                fill(if holds { then } else { otherwise }, model, into)?;
            }
        }
    }
    Ok(())
}

/// What stands between braces, and what does not.
enum Piece {
    Text(String),
    Action(String),
}

fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let (mut rest, mut trims) = (text, false);
    while let Some((before, behind)) = rest.split_once("{{") {
        let dash = behind.starts_with("- ");
        pieces.push(Piece::Text(trimmed(before, trims, dash)));
        let end = end_of_action(behind).ok_or("{{ is not closed")?;
        let action = &behind[usize::from(dash)..end];
        trims = action.ends_with(" -");
        let action = if trims { &action[..action.len() - 1] } else { action };
        pieces.push(Piece::Action(action.trim().to_owned()));
        rest = &behind[end + 2..];
    }
    pieces.push(Piece::Text(trimmed(rest, trims, false)));
    Ok(pieces)
}

fn trimmed(text: &str, start: bool, end: bool) -> String {
    let text = if start { text.trim_start() } else { text };
    if end { text.trim_end().to_owned() } else { text.to_owned() }
}

/// Where the `}}` is that is not in quotes.
fn end_of_action(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match quote {
            Some('"') if escaped => escaped = false,
            Some('"') if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            None if text[at..].starts_with("}}") => return Some(at),
            None if c == '"' || c == '`' => quote = Some(c),
            _ => {}
        }
    }
    None
}

/// What ended a list of parts.
enum End {
    Template,
    Block,
    Else(Option<String>),
}

fn parts(pieces: &mut std::vec::IntoIter<Piece>, depth: usize) -> Result<(Vec<Part>, End), String> {
    if depth > MAX_DEPTH {
        return Err(format!("more than {MAX_DEPTH} blocks lie within each other"));
    }
    let mut parts = Vec::new();
    while let Some(piece) = pieces.next() {
        let action = match piece {
            Piece::Text(text) => {
                parts.push(Part::Text(text));
                continue;
            }
            Piece::Action(action) => action,
        };
        let (word, rest) = action.split_once(char::is_whitespace).unwrap_or((&action, ""));
        match word {
            "end" => return Ok((parts, End::Block)),
            "else" => return Ok((parts, End::Else(else_if(rest)?))),
            "if" => parts.push(condition(rest, pieces, depth)?),
            "with" | "range" | "define" | "template" | "block" | "break" | "continue" => {
                return Err(format!("{{{{ {word} }}}} is not known here; {{{{ if }}}} is"));
            }
            _ if action.starts_with("/*") => {}
            _ => parts.push(Part::Action(Pipeline::parse(&action)?)),
        }
    }
    Ok((parts, End::Template))
}

/// The condition of `else if x`.
fn else_if(rest: &str) -> Result<Option<String>, String> {
    match rest.trim().split_once(char::is_whitespace) {
        Some(("if", condition)) => Ok(Some(condition.to_owned())),
        None if rest.trim().is_empty() => Ok(None),
        _ => Err(format!("{rest} behind else is not known; if is")),
    }
}

fn condition(text: &str, pieces: &mut std::vec::IntoIter<Piece>, depth: usize) -> Result<Part, String> {
    let condition = Pipeline::parse(text)?;
    let (then, end) = parts(pieces, depth + 1)?;
    let otherwise = match end {
        End::Template => return Err("{{ if }} has no {{ end }}".to_owned()),
        End::Block => Vec::new(),
        End::Else(Some(next)) => vec![self::condition(&next, pieces, depth + 1)?],
        End::Else(None) => match parts(pieces, depth + 1)? {
            (parts, End::Block) => parts,
            _ => return Err("{{ else }} has no {{ end }}".to_owned()),
        },
    };
    Ok(Part::If { condition, then, otherwise })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(template: &str) -> Result<String, String> {
        let labels = [("traefik.team", "blue"), ("traefik.tags", "a,b")];
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        Template::parse(template)?.fill(Model { name: "dev/Web_1", labels: &labels })
    }

    #[test]
    fn names_labels_and_functions_fill_a_rule() {
        for (template, filled) in [
            ("Host(`foo.bar`)", "Host(`foo.bar`)"),
            ("Host(`{{ normalize .Name }}.example`)", "Host(`dev-Web-1.example`)"),
            ("Host(`{{ .Name }}`)", "Host(`dev/Web_1`)"),
            ("{{ index .Labels \"traefik.team\" }}", "blue"),
            ("{{ index .Labels `traefik.none` }}!", "!"),
            ("{{ .Name | normalize | lower }}", "dev-web-1"),
            ("{{ trimPrefix \"dev/\" .Name | replace \"_\" \"-\" | upper }}", "WEB-1"),
            ("{{ (normalize .Name) | printf \"%s.%s\" \"x\" }}", "x.dev-Web-1"),
            ("{{ default \"none\" (index .Labels \"traefik.none\") }}", "none"),
            ("a {{- \" b \" -}} c", "a b c"),
            ("{{/* why */}}x", "x"),
            ("{{ \"a}}b\" }}", "a}}b"),
            ("", ""),
        ] {
            assert_eq!(fill(template).as_deref(), Ok(filled), "{template}");
        }
    }

    #[test]
    fn conditions_choose() {
        let template = |team: &str| {
            format!(
                "{{{{ if eq (index .Labels \"traefik.team\") \"{team}\" }}}}one\
                 {{{{ else if hasPrefix \"dev\" .Name }}}}two{{{{ else }}}}three{{{{ end }}}}"
            )
        };
        assert_eq!(fill(&template("blue")).as_deref(), Ok("one"));
        assert_eq!(fill(&template("red")).as_deref(), Ok("two"));
        let both = "{{ if and (contains \"/\" .Name) (not (index .Labels \"x\")) }}yes{{ end }}";
        assert_eq!(fill(both).as_deref(), Ok("yes"));
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for (template, part) in [
            ("{{ .Nosuch }}", "no field Nosuch"),
            ("{{ nosuch .Name }}", "no function nosuch"),
            ("{{ .Name", "not closed"),
            ("{{ if .Name }}x", "no {{ end }}"),
            ("{{ end }}", "without {{ if }}"),
            ("{{ range .Labels }}{{ end }}", "not known here"),
            ("{{ lower }}", "lower takes 1"),
            ("{{ \"a }}", "not closed"),
            ("{{ }}", "nothing"),
            ("{{ .Name .Name }}", "no function"),
        ] {
            let error = Template::parse(template).expect_err(template);
            assert!(error.contains(part), "{template}: {error}");
        }
    }
}
