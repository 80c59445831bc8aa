//! The functions of templates: Traefik's own `normalize`, some of Go's and of Sprig's, with their arguments in the
//! same order.

use std::ops::RangeInclusive;

use super::Value;
use crate::traefik::names;

/// A function.
#[derive(Clone, Copy, Debug)]
pub(super) struct Function {
    name: &'static str,
    counts: (usize, usize),
    call: fn(&[Value]) -> Result<Value, String>,
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

const ANY: usize = 16;

const FUNCTIONS: [Function; 24] = [
    function("and", 1..=ANY, |values| Ok(first(values, |value| !value.is_true()))),
    function("contains", 2..=2, |values| truth(text(values, 1)?.contains(&text(values, 0)?))),
    function("default", 2..=2, |values| Ok(values[usize::from(values[1].is_true())].clone())),
    function("eq", 2..=ANY, |values| truth(values[1..].contains(&values[0]))),
    function("first", 1..=1, |values| made(list(values, 0)?.first().cloned().unwrap_or_default())),
    function("hasPrefix", 2..=2, |values| truth(text(values, 1)?.starts_with(&text(values, 0)?))),
    function("hasSuffix", 2..=2, |values| truth(text(values, 1)?.ends_with(&text(values, 0)?))),
    function("index", 2..=2, index),
    function("join", 2..=2, |values| made(list(values, 1)?.join(&text(values, 0)?))),
    function("last", 1..=1, |values| made(list(values, 0)?.last().cloned().unwrap_or_default())),
    function("lower", 1..=1, |values| made(text(values, 0)?.to_lowercase())),
    function("ne", 2..=2, |values| truth(values[0] != values[1])),
    function("normalize", 1..=1, |values| made(names::normalize(&text(values, 0)?))),
    function("not", 1..=1, |values| truth(!values[0].is_true())),
    function("or", 1..=ANY, |values| Ok(first(values, Value::is_true))),
    function("print", 0..=ANY, |values| made(values.iter().map(Value::printed).collect())),
    function("printf", 1..=ANY, printf),
    function("replace", 3..=3, |values| made(text(values, 2)?.replace(&text(values, 0)?, &text(values, 1)?))),
    function("splitList", 2..=2, |values| {
        let (separator, text) = (text(values, 0)?, text(values, 1)?);
        Ok(Value::List(text.split(&separator).map(str::to_owned).collect()))
    }),
    function("trim", 1..=1, |values| made(text(values, 0)?.trim().to_owned())),
    function("trimAll", 2..=2, |values| {
        let letters = text(values, 0)?;
        made(text(values, 1)?.trim_matches(|c| letters.contains(c)).to_owned())
    }),
    function("trimPrefix", 2..=2, |values| {
        let (text, prefix) = (text(values, 1)?, text(values, 0)?);
        made(text.strip_prefix(&prefix).unwrap_or(&text).to_owned())
    }),
    function("trimSuffix", 2..=2, |values| {
        let (text, suffix) = (text(values, 1)?, text(values, 0)?);
        made(text.strip_suffix(&suffix).unwrap_or(&text).to_owned())
    }),
    function("upper", 1..=1, |values| made(text(values, 0)?.to_uppercase())),
];

const fn function(
    name: &'static str,
    counts: RangeInclusive<usize>,
    call: fn(&[Value]) -> Result<Value, String>,
) -> Function {
    Function { name, counts: (*counts.start(), *counts.end()), call }
}

/// The function of this name.
pub(super) fn find(name: &str) -> Option<Function> {
    FUNCTIONS.iter().find(|function| function.name == name).copied()
}

/// All names, for errors.
pub(super) fn names() -> String {
    FUNCTIONS.map(|function| function.name).join(", ")
}

impl Function {
    /// Whether it takes so many arguments.
    pub(super) fn check(&self, count: usize) -> Result<(), String> {
        let (least, most) = self.counts;
        if (least..=most).contains(&count) {
            return Ok(());
        }
        let wanted = match (least, most) {
            (least, ANY) => format!("{least} or more"),
            _ => least.to_string(),
        };
        Err(format!("{} takes {wanted} values and has {count}", self.name))
    }

    pub(super) fn call(&self, values: &[Value]) -> Result<Value, String> {
        (self.call)(values).map_err(|message| format!("{}: {message}", self.name))
    }
}

fn text(values: &[Value], at: usize) -> Result<String, String> {
    match &values[at] {
        Value::Text(text) => Ok(text.clone()),
        other => Err(format!("{} is no text", other.printed())),
    }
}

fn list(values: &[Value], at: usize) -> Result<Vec<String>, String> {
    match &values[at] {
        Value::List(list) => Ok(list.clone()),
        other => Err(format!("{} is no list", other.printed())),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "what functions of templates return")]
const fn truth(flag: bool) -> Result<Value, String> {
    Ok(Value::Flag(flag))
}

#[expect(clippy::unnecessary_wraps, reason = "what functions of templates return")]
const fn made(text: String) -> Result<Value, String> {
    Ok(Value::Text(text))
}

/// The first value that decides, or the last one.
fn first(values: &[Value], decides: impl Fn(&Value) -> bool) -> Value {
    let last = values.last().expect("counted before");
    values.iter().find(|value| decides(value)).unwrap_or(last).clone()
}

fn index(values: &[Value]) -> Result<Value, String> {
    match (&values[0], &values[1]) {
        (Value::Map(map), Value::Text(key)) => Ok(Value::Text(map.get(key).cloned().unwrap_or_default())),
        (Value::List(list), Value::Number(at)) => {
            let found = usize::try_from(*at).ok().and_then(|at| list.get(at));
            found.cloned().map(Value::Text).ok_or_else(|| format!("there is no place {at}"))
        }
        (other, _) => Err(format!("{} is neither a map nor a list", other.printed())),
    }
}

/// `%s`, `%v`, `%d`, `%q` and `%%`.
fn printf(values: &[Value]) -> Result<Value, String> {
    let format = text(values, 0)?;
    let mut rest = values[1..].iter();
    let mut printed = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            printed.push(c);
            continue;
        }
        match chars.next() {
            Some('%') => printed.push('%'),
            Some(verb @ ('s' | 'v' | 'd' | 'q')) => {
                let value = rest.next().ok_or_else(|| format!("%{verb} has no value"))?.printed();
                printed.push_str(&if verb == 'q' { format!("{value:?}") } else { value });
            }
            _ => return Err("knows %s, %v, %d, %q and %%".to_owned()),
        }
    }
    Ok(Value::Text(printed))
}
