//! The settings of the process, from four layers: defaults < `biplane.yaml` < environment < flags.
//!
//! Every layer is text under the names of [`keys::KEYS`]; figment stacks the layers and remembers for
//! each value which one it came from, and values are parsed here once, so that a wrong one is
//! reported with its place whichever layer it came from. All that is wrong is reported at once, and a
//! setting that nobody knows is wrong: a typo must not silently be a default.

mod credential;
mod described;
mod environment;
mod file;
mod flags;
mod keys;
mod layer;
mod nodes;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use biplane_admin_api::client::{Address, Identity};
use biplane_control_plane::NodeAccess;
use biplane_tags::settings::Settings as Tags;
use figment::Figment;

use crate::credentials;
use crate::exit::Failure;
use crate::logging::LogFormat;
pub(crate) use described::{Described, described};
pub(crate) use flags::{ClientFlags, Flags, Given, GlobalFlags};
use keys::KEYS;
use layer::Layer;

/// The settings, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    /// Where resources are read from.
    pub(crate) store: String,
    /// Where secrets are kept.
    pub(crate) secrets: Vec<String>,
    /// Where endpoints are looked up.
    pub(crate) discovery: Vec<String>,
    /// Whose tags on services become routes, and how.
    pub(crate) tags: Tags,
    /// The sources whose services become upstreams.
    pub(crate) discover_upstreams: BTreeSet<String>,
    /// Where Envoys connect to.
    pub(crate) xds: SocketAddr,
    /// Who may connect there.
    pub(crate) nodes: NodeAccess,
    /// Where and to whom the HTTP API is served.
    pub(crate) serving: Serving,
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
    /// Whether removals are held back when the store suddenly shows much less.
    pub(crate) guard: bool,
    /// The share of a kind that may go within a minute.
    pub(crate) guard_percent: u8,
    /// Fewer objects of a kind may always go.
    pub(crate) guard_min: usize,
    /// Whether this replica may write records into the store.
    pub(crate) leader: bool,
    /// Where a control plane is asked; `None`: where this one would be.
    pub(crate) api: Option<Address>,
    /// Who asks.
    pub(crate) api_token_file: Option<PathBuf>,
    /// Whom it trusts.
    pub(crate) api_ca_file: Option<PathBuf>,
    /// The certificate that it shows.
    pub(crate) api_identity: Option<Identity>,
    /// What is logged.
    pub(crate) log: String,
    /// How.
    pub(crate) log_format: LogFormat,
}

/// Where and to whom the HTTP API is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Serving {
    /// The TCP address.
    pub(crate) address: SocketAddr,
    /// The socket file.
    pub(crate) socket: Option<PathBuf>,
    /// Who may do what.
    pub(crate) tokens_file: Option<PathBuf>,
    /// Certificate and key.
    pub(crate) tls: Option<(PathBuf, PathBuf)>,
    /// The authority of callers' certificates.
    pub(crate) client_ca: Option<PathBuf>,
    /// Whether whoever reaches loopback may write.
    pub(crate) anonymous_write: bool,
    /// The folder of a store of files that may be written.
    pub(crate) writable_directory: Option<PathBuf>,
}

impl Config {
    /// Where a control plane is asked: the setting `api`, or where a control plane with these settings
    /// serves, by its socket file first since that may write.
    pub(crate) fn api_address(&self) -> Address {
        let Serving { address, socket, tls, .. } = &self.serving;
        match (&self.api, socket) {
            (Some(api), _) => api.clone(),
            (None, Some(socket)) => Address::Unix(socket.clone()),
            (None, None) => Address::Tcp {
                host: reachable(address.ip()).to_string(),
                port: address.port(),
                tls: tls.is_some(),
            },
        }
    }
}

/// Who serves on all addresses of a machine is asked on its loopback.
fn reachable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
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

/// Where the service manager says that it keeps the credentials of the process.
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

/// Reads all layers. `given` are a verb's flags that are settings, `variables` is the environment.
pub(crate) fn load(
    global: &GlobalFlags,
    given: &[Given<'_>],
    variables: &BTreeMap<String, String>,
) -> Result<Loaded, Failure> {
    let mut problems = Vec::new();
    let credentials = variables.get(CREDENTIALS_DIRECTORY).map(String::as_str);
    let path = file::find(global.config.clone(), variables)?;
    let mut figment = Figment::from(keys::defaults());
    if let Some(path) = &path {
        figment = figment.merge(file::read(path, &mut problems)?.placed(credentials));
    }
    figment = figment.merge(environment::read(variables, &mut problems).placed(credentials));
    figment = figment.merge(flags::read(global, given).placed(credentials));
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
            value: values::text(&self.figment, name)
                .filter(|value| !value.is_empty())
                .map(|value| credentials::hidden(&value).into_owned()),
            origin: values::origin(&self.figment, name).unwrap_or_else(|| "not set".to_owned()),
        }
    }
}
