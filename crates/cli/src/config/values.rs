//! From the joined layers to parsed values.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use biplane_admin_api::client::{Address, Identity};
use biplane_control_plane::{NodeAccess, Rules};
use biplane_tags::settings::Settings as Tags;
use figment::Figment;

use super::{Config, Problem, Serving, file};
use crate::credentials;
use crate::logging::{LogFormat, parse_filter};

/// Parses every setting; each that is wrong goes to `problems` with its place.
pub(super) fn parse(figment: &Figment, problems: &mut Vec<Problem>) -> Option<Config> {
    let mut reader = Reader { figment, problems };
    let store = reader.required("store", |text| Ok(text.to_owned()));
    let nodes = super::nodes::nodes(&mut reader);
    let guarded = nodes.as_ref().is_ok_and(is_guarded);
    // What is wrong with who may connect is told already.
    let guarded = guarded || nodes.is_err();
    let xds = reader.required("xds", |text| xds(text, guarded));
    let serving = reader.serving();
    let hold_deletions = reader.required("holdDeletions", duration);
    let drain = reader.required("drain", duration);
    let resync = reader.required("resync", duration);
    let guard = reader.required("guard", truth);
    let guard_percent = reader.required("guardPercent", percent);
    let guard_min = reader.required("guardMin", count);
    let leader = reader.required("leader", truth);
    let api = reader.optional("api", api);
    let api_identity = reader.pair("apiCertFile", "apiKeyFile");
    let tags = reader.optional("tags", tags);
    let log = reader.required("log", |text| parse_filter(text).map(|_| text.to_owned()));
    let log_format = reader.required("logFormat", log_format);
    let identity = |(cert_file, key_file)| Identity { cert_file, key_file };
    Some(Config {
        store: store.ok()?,
        secrets: words(figment, "secrets"),
        discovery: words(figment, "discovery"),
        tags: tags.ok()?.unwrap_or_default(),
        discover_upstreams: words(figment, "discoverUpstreams").into_iter().collect(),
        xds: xds.ok()?,
        nodes: nodes.ok()?,
        serving: serving.ok()?,
        state_dir: reader.path("stateDir"),
        snapshot_key_file: reader.path("snapshotKeyFile"),
        ready_file: reader.path("readyFile"),
        hold_deletions: hold_deletions.ok()?,
        drain: drain.ok()?,
        resync: resync.ok()?,
        guard: guard.ok()?,
        guard_percent: guard_percent.ok()?,
        guard_min: guard_min.ok()?,
        leader: leader.ok()?,
        api: api.ok()?,
        api_token_file: reader.path("apiTokenFile"),
        api_ca_file: reader.path("apiCaFile"),
        api_identity: api_identity.ok()?.map(identity),
        log: log.ok()?,
        log_format: log_format.ok()?,
    })
}

/// A setting's text.
pub(super) fn text(figment: &Figment, name: &str) -> Option<String> {
    figment.find_value(name).ok()?.into_string()
}

/// A setting's words.
fn words(figment: &Figment, name: &str) -> Vec<String> {
    let text = text(figment, name).unwrap_or_default();
    text.split_whitespace().map(str::to_owned).collect()
}

/// Where a setting was written.
pub(super) fn origin(figment: &Figment, name: &str) -> Option<String> {
    let metadata = figment.find_metadata(name)?;
    Some(metadata.interpolate(figment.profile(), &[name]))
}

/// A setting is wrong, and the list of problems says so already.
pub(super) struct Told;

/// Reads settings one by one.
pub(super) struct Reader<'a> {
    figment: &'a Figment,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    pub(super) fn required<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, Told> {
        let text = text(self.figment, name).unwrap_or_default();
        match parse(&text) {
            Ok(value) => Ok(value),
            Err(why) => Err(self.refuse(name, why)),
        }
    }

    /// `None`: it is not set.
    pub(super) fn optional<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Told> {
        if self.path(name).is_none() {
            return Ok(None);
        }
        self.required(name, parse).map(Some)
    }

    /// Two files of which neither is of use without the other.
    pub(super) fn pair(&mut self, one: &str, other: &str) -> Result<Option<(PathBuf, PathBuf)>, Told> {
        match (self.path(one), self.path(other)) {
            (Some(first), Some(second)) => Ok(Some((first, second))),
            (None, None) => Ok(None),
            (Some(_), None) => Err(self.refuse(one, format!("it is of no use without {other}"))),
            (None, Some(_)) => Err(self.refuse(other, format!("it is of no use without {one}"))),
        }
    }

    /// Everything about the HTTP API, which must fit together.
    fn serving(&mut self) -> Result<Serving, Told> {
        let tokens_file = self.path("adminTokensFile");
        let anonymous_write = self.required("adminAnonymousWrite", truth);
        let tls = self.pair("adminTlsCert", "adminTlsKey")?;
        let client_ca = self.path("adminTlsClientCa");
        if client_ca.is_some() && tls.is_none() {
            return Err(self.refuse("adminTlsClientCa", "it is of no use without adminTlsCert".to_owned()));
        }
        let guarded = tls.is_some() && tokens_file.is_some();
        let address = self.required("admin", |text| admin(text, guarded));
        Ok(Serving {
            address: address?,
            socket: self.path("adminSocket"),
            tokens_file,
            tls,
            client_ca,
            anonymous_write: anonymous_write?,
            writable_directory: self.path("adminWritableDirectory"),
        })
    }

    pub(super) fn refuse(&mut self, name: &str, why: String) -> Told {
        let problem = self.problem(name, why);
        self.problems.push(problem);
        Told
    }

    /// A flag and a variable say which setting they are; a line of a file does not.
    fn problem(&self, name: &str, why: String) -> Problem {
        let place = origin(self.figment, name).unwrap_or_default();
        let in_file = self.figment.find_metadata(name).is_some_and(|layer| layer.name == file::LAYER);
        Problem::new(place, if in_file { format!("{name}: {why}") } else { why })
    }

    pub(super) fn path(&self, name: &str) -> Option<PathBuf> {
        text(self.figment, name).filter(|text| !text.is_empty()).map(PathBuf::from)
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("{text:?} is no IP address with a port, such as 127.0.0.1:9977"))
}

/// Beyond loopback nobody on the way may read keys, and no node may have what is another fleet's.
fn is_guarded(nodes: &NodeAccess) -> bool {
    let is_known = nodes.rules != Rules::None || nodes.trust_node_metadata;
    (nodes.tls.is_some() || nodes.plaintext) && is_known
}

fn xds(text: &str, guarded: bool) -> Result<SocketAddr, String> {
    let address = address(text)?;
    if !address.ip().to_canonical().is_loopback() && !guarded {
        return Err(format!(
            "{text} is not on loopback, and that takes xdsTlsCert and xdsTlsKey (or xdsPlaintext: on) and identity \
             (or xdsTrustNodeMetadata: on); `biplane pki init` makes a start"
        ));
    }
    Ok(address)
}

/// What the parser says of JSON that was made of a settings file: its own places mean nothing to people.
pub(super) fn without_place(error: &serde_json::Error) -> String {
    let message = error.to_string();
    message.split(" at line ").next().unwrap_or_default().to_owned()
}

/// Beyond loopback callers must be known, and what they say must not be read on the way.
fn admin(text: &str, guarded: bool) -> Result<SocketAddr, String> {
    let address = address(text)?;
    if !address.ip().is_loopback() && !guarded {
        return Err(format!(
            "{text} is not on loopback, and that takes adminTlsCert, adminTlsKey and adminTokensFile"
        ));
    }
    Ok(address)
}

/// Where a control plane is asked. What may be a password is not repeated.
fn api(text: &str) -> Result<Address, String> {
    text.parse().map_err(|_| {
        let shown = credentials::hidden(text);
        format!(
            "{shown:?} is none of http://127.0.0.1:9978, https://HOST:9978 and unix:///run/biplane/admin.sock"
        )
    })
}

/// A map, or the words of those whose tags are read.
fn tags(text: &str) -> Result<Tags, String> {
    if text.starts_with('{') {
        let tags: Tags = serde_json::from_str(text).map_err(|error| without_place(&error))?;
        let traefik = biplane_tags::traefik::check(&tags.traefik);
        let fabio = biplane_tags::fabio::check(&tags.fabio);
        let traefik = traefik.into_iter().map(|wrong| format!("traefik.{wrong}"));
        let wrong: Vec<_> = traefik.chain(fabio.into_iter().map(|wrong| format!("fabio.{wrong}"))).collect();
        return if wrong.is_empty() { Ok(tags) } else { Err(wrong.join("; ")) };
    }
    let mut tags = Tags::default();
    for word in text.split_whitespace() {
        match word {
            "biplane" => tags.biplane.enabled = true,
            "traefik" => tags.traefik.enabled = true,
            "fabio" => tags.fabio.enabled = true,
            _ => return Err(format!("{word:?} is none of biplane, traefik and fabio")),
        }
    }
    Ok(tags)
}

fn duration(text: &str) -> Result<Duration, String> {
    text.parse().map(|biplane_core::scalars::Duration(duration)| duration).map_err(|error| error.to_string())
}

pub(super) fn truth(text: &str) -> Result<bool, String> {
    match text {
        "on" | "true" => Ok(true),
        "off" | "false" => Ok(false),
        _ => Err(format!("{text:?} is neither on nor off")),
    }
}

fn percent(text: &str) -> Result<u8, String> {
    let percent = text.parse().ok().filter(|percent| *percent <= 100);
    percent.ok_or_else(|| format!("{text:?} is no percentage from 0 to 100"))
}

fn count(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("{text:?} is no number of objects"))
}

fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "human" => Ok(LogFormat::Human),
        "json" => Ok(LogFormat::Json),
        _ => Err(format!("{text:?} is neither \"human\" nor \"json\"")),
    }
}
