//! The settings of the process, from four layers: defaults < `biplane.yaml` < environment < flags.
//!
//! Every layer is text under the names of [`keys::KEYS`]; figment stacks the layers and remembers for
//! each value which one it came from, and values are parsed here once, so that a wrong one is
//! reported with its place whichever layer it came from. All that is wrong is reported at once, and a
//! setting that nobody knows is wrong: a typo must not silently be a default.

mod environment;
mod file;
mod flags;
mod keys;
mod layer;
mod values;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use figment::Figment;

use crate::exit::Failure;
use crate::logging::LogFormat;
pub(crate) use flags::{Flags, GlobalFlags};
use keys::KEYS;
use layer::Layer;

/// The settings, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    /// Where resources are read from.
    pub(crate) store: String,
    /// Where Envoys connect to.
    pub(crate) xds: SocketAddr,
    /// Where the HTTP API is.
    pub(crate) admin: SocketAddr,
    /// Where the last good configuration is kept.
    pub(crate) state_dir: Option<PathBuf>,
    /// The key that seals secrets in it.
    pub(crate) snapshot_key_file: Option<PathBuf>,
    /// Written once the addresses are bound.
    pub(crate) ready_file: Option<PathBuf>,
    /// How long a deletion waits while others refer to the object.
    pub(crate) hold_deletions: Duration,
    /// How long streams may take to end when the process stops.
    pub(crate) drain: Duration,
    /// How often everything is read again although nothing seems to have changed.
    pub(crate) resync: Duration,
    /// What is logged.
    pub(crate) log: String,
    /// How.
    pub(crate) log_format: LogFormat,
}

/// The settings with where each came from.
pub(crate) struct Loaded {
    /// The values.
    pub(crate) config: Config,
    /// The file that was read.
    pub(crate) file: Option<PathBuf>,
    figment: Figment,
}

/// One setting as `config show` prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its value; `None`: not set, and there is no default.
    pub(crate) value: Option<String>,
    /// Where it came from: `default`, a line of a file, a variable, a flag.
    pub(crate) origin: String,
}

/// One thing that is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Where: a line of a file, a variable, a flag.
    place: String,
    /// What and why.
    message: String,
    /// What to try.
    hint: Option<String>,
}

impl Problem {
    fn new(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { place: place.into(), message: message.into(), hint: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)?;
        self.hint.iter().try_for_each(|hint| write!(f, "\n  hint: {hint}"))
    }
}

/// Reads all layers. `variables` is the environment.
pub(crate) fn load(
    global: &GlobalFlags,
    flags: &Flags,
    variables: &BTreeMap<String, String>,
) -> Result<Loaded, Failure> {
    let mut problems = Vec::new();
    let path = file::find(global.config.clone(), variables)?;
    let mut figment = Figment::from(keys::defaults());
    if let Some(path) = &path {
        figment = figment.merge(file::read(path, &mut problems)?);
    }
    figment = figment.merge(environment::read(variables, &mut problems)).merge(flags::read(global, flags));
    match values::parse(&figment, &mut problems) {
        Some(config) if problems.is_empty() => Ok(Loaded { config, file: path, figment }),
        _ => Err(refusal(&problems)),
    }
}

/// The environment as text; a variable that is not text is none of ours.
pub(crate) fn variables() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

fn refusal(problems: &[Problem]) -> Failure {
    let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
    Failure::usage(lines.join("\n"))
}

impl Loaded {
    /// Every setting, in the order of their list.
    pub(crate) fn shown(&self) -> Vec<Shown> {
        KEYS.iter().map(|key| self.show(key.name)).collect()
    }

    fn show(&self, name: &'static str) -> Shown {
        Shown {
            name,
            value: values::text(&self.figment, name).filter(|value| !value.is_empty()),
            origin: values::origin(&self.figment, name).unwrap_or_else(|| "not set".to_owned()),
        }
    }
}
