//! `biplane.yaml`: where it is looked for, and its settings with their lines.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use serde_saphyr::Spanned;

use super::keys::{KEYS, nearest};
use super::{Layer, Problem};
use crate::exit::Failure;

/// The name of the layer.
pub(super) const LAYER: &str = "file";

/// Looked for in this order when no file is named.
const PLACES: [&str; 2] = ["biplane.yaml", "/etc/biplane/biplane.yaml"];

/// A settings file of more bytes is another file.
const LARGEST: u64 = 1024 * 1024;

/// The file to read: the one that is named, which must exist, or the first of the usual ones that exists.
pub(super) fn find(
    named: Option<PathBuf>,
    variables: &BTreeMap<String, String>,
) -> Result<Option<PathBuf>, Failure> {
    let variable = || variables.get("BIPLANE_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from);
    match named.or_else(variable) {
        Some(path) if path.is_file() => Ok(Some(path)),
        Some(path) => Err(Failure::usage(format!("there is no settings file {}", path.display()))),
        None => Ok(PLACES.iter().map(PathBuf::from).find(|path| path.is_file())),
    }
}

/// Reads a file; what is wrong in it goes to `problems`.
pub(super) fn read(path: &Path, problems: &mut Vec<Problem>) -> Result<Layer, Failure> {
    let text = text(path)?;
    let mut layer = Layer::new(LAYER);
    match settings(&text) {
        Err(error) => problems.push(unreadable(path, &error)),
        Ok(settings) => {
            for (name, value) in settings {
                set(&mut layer, path, &name, &value, problems);
            }
        }
    }
    Ok(layer)
}

fn text(path: &Path) -> Result<String, Failure> {
    let fail = |why: &dyn std::fmt::Display| Failure::usage(format!("cannot read {}: {why}", path.display()));
    let size = fs::metadata(path).map_err(|error| fail(&error))?.len();
    if size > LARGEST {
        return Err(fail(&format!("{size} bytes are too many for settings")));
    }
    fs::read_to_string(path).map_err(|error| fail(&error))
}

fn settings(text: &str) -> Result<BTreeMap<String, Spanned<Value>>, serde_saphyr::Error> {
    let settings: Option<BTreeMap<String, Spanned<Value>>> = serde_saphyr::from_str(text)?;
    Ok(settings.unwrap_or_default())
}

fn unreadable(path: &Path, error: &serde_saphyr::Error) -> Problem {
    let line = error.location().map_or(1, |location| location.line());
    let message = error.without_snippet().to_string();
    // The parser's own advice and place are for programmers; the place is already told.
    let message = message.split(", set ").next().unwrap_or_default();
    let message = message.split(" at line ").next().unwrap_or_default();
    Problem::new(format!("{}:{line}", path.display()), message)
}

fn set(layer: &mut Layer, path: &Path, name: &str, value: &Spanned<Value>, problems: &mut Vec<Problem>) {
    let place = format!("{}:{}", path.display(), value.referenced.line());
    let Some(key) = KEYS.iter().find(|key| key.name == name) else {
        return problems.push(unknown(place, name));
    };
    match &value.value {
        Value::Null => {}
        Value::String(text) => layer.set(key.name, text, place),
        Value::Number(number) => layer.set(key.name, number.to_string(), place),
        Value::Bool(truth) => layer.set(key.name, truth.to_string(), place),
        Value::Array(values) if key.many => match words(values) {
            Some(words) => layer.set(key.name, words, place),
            None => {
                problems.push(Problem::new(place, format!("{name} is a list of texts without white space")));
            }
        },
        Value::Object(_) if key.tree => layer.set(key.name, value.value.to_string(), place),
        Value::Array(_) | Value::Object(_) => {
            problems.push(Problem::new(place, format!("{name} is one value, not a list or a map")));
        }
    }
}

/// The values of a list as words apart, which is how variables and flags have them.
fn words(values: &[Value]) -> Option<String> {
    let word = |value: &Value| {
        let word = value.as_str()?;
        (!word.is_empty() && !word.contains(char::is_whitespace)).then(|| word.to_owned())
    };
    values.iter().map(word).collect::<Option<Vec<_>>>().map(|words| words.join(" "))
}

fn unknown(place: String, name: &str) -> Problem {
    let problem = Problem::new(place, format!("there is no setting {name:?}"));
    if let Some(near) = nearest(name, KEYS.iter().map(|key| key.name)) {
        return problem.hint(format!("did you mean {near:?}?"));
    }
    let names: Vec<_> = KEYS.iter().map(|key| key.name).collect();
    problem.hint(format!("the settings are {}", names.join(", ")))
}
