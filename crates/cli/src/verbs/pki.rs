//! `biplane pki`: certificates for a start: an authority, the server's, and one for each fleet.
//!
//! Whoever has an authority of their own (Vault's PKI, SPIRE, a company's) uses that. Nothing that exists is ever
//! overwritten, but by `issue --replace`, and keys are for their owner's eyes alone.

mod authority;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use crate::exit::{Code, Failure, Outcome};
use crate::output;
use authority::{Authority, Holder, Pair};

/// What can be done with certificates.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Make an authority, a certificate for the server, and one for each fleet; prints the settings that use them
    Init(Init),
    /// Make one more certificate, or a new one in the place of an old one
    Issue(Issue),
}

/// What all certificates have.
#[derive(Debug, Args)]
struct Common {
    /// The directory of the authority
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// The name or IP address at which nodes reach the server; may be repeated [default: this host's name,
    /// localhost, 127.0.0.1, ::1]
    #[arg(long, value_name = "NAME")]
    name: Vec<String>,
    /// What the ids of fleets begin with: spiffe://DOMAIN/fleet/FLEET
    #[arg(long, value_name = "DOMAIN", default_value = "biplane")]
    trust_domain: String,
    /// How long certificates last; the authority lasts ten years
    #[arg(long, value_name = "DAYS", default_value_t = 365, value_parser = clap::value_parser!(u16).range(1..=3650))]
    days: u16,
}

/// The command line of `pki init`.
#[derive(Debug, Args)]
#[command(after_help = "\
  biplane pki init /etc/biplane/pki --fleet edge --name plane.internal >> /etc/biplane/biplane.yaml
  biplane envoy bootstrap --xds plane.internal:9977 --fleet edge --xds-ca ca.pem --xds-cert fleet-edge.pem \\
    --xds-key fleet-edge.key --sds-dir /etc/envoy/sds > envoy.yaml

ca.key makes members of any fleet: keep it apart from the servers, and off the machines of nodes.")]
pub(crate) struct Init {
    #[command(flatten)]
    common: Common,
    /// A fleet that gets a certificate for its nodes; may be repeated
    #[arg(long, value_name = "FLEET", required = true)]
    fleet: Vec<String>,
}

/// The command line of `pki issue`.
#[derive(Debug, Args)]
pub(crate) struct Issue {
    #[command(flatten)]
    common: Common,
    /// For the nodes of this fleet
    #[arg(long, value_name = "FLEET", required_unless_present = "server")]
    fleet: Option<String>,
    /// For the server
    #[arg(long, conflicts_with = "fleet")]
    server: bool,
    /// Put it in the place of the one that is there; servers and Envoys take it without a restart
    #[arg(long)]
    replace: bool,
}

/// Runs a verb.
pub(crate) fn run(verb: &Verb) -> Outcome {
    match verb {
        Verb::Init(init) => init.run(),
        Verb::Issue(issue) => issue.run(),
    }
}

impl Init {
    fn run(&self) -> Outcome {
        let directory = &self.common.directory;
        let holders: Vec<_> = std::iter::once(Ok(self.common.server()))
            .chain(self.fleet.iter().map(|fleet| self.common.nodes(fleet)))
            .collect::<Result<_, _>>()?;
        let authority = Authority::new(&self.common.trust_domain)?;
        let made: Vec<_> = holders
            .iter()
            .map(|holder| Ok((holder.file(), authority.issue(holder, self.common.days)?)))
            .chain([Ok(("ca".to_owned(), authority.pair()))])
            .collect::<Result<_, Failure>>()?;
        // Before anything is written: half of a set would be in the way of the next attempt.
        if let Some((name, _)) = made.iter().find(|(name, _)| self.common.exists(name)) {
            return Err(taken(&self.common.path(name, "pem")));
        }
        let made_directory = fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
        made_directory.map_err(|error| cannot_write(directory, &error))?;
        for (name, pair) in &made {
            self.common.write(name, pair, false)?;
        }
        output::print(&self.settings()?)?;
        output::say(&format!("Made {} certificates in {}.", made.len(), directory.display()));
        output::say(
            "The settings above are for biplane.yaml; fleet-FLEET.pem and .key are for the nodes of a fleet.",
        );
        Ok(Code::Success)
    }

    /// What the server needs to know of them.
    fn settings(&self) -> Result<String, Failure> {
        let path = |name: &str, kind: &str| absolute(&self.common.path(name, kind));
        let uri = format!("spiffe://{}/fleet/{{fleet}}", self.common.trust_domain);
        output::yaml(&json!({
            "xdsTlsCert": path("server", "pem")?,
            "xdsTlsKey": path("server", "key")?,
            "xdsTlsClientCa": path("ca", "pem")?,
            "identity": { "rules": [{ "certificate": { "uri": uri }, "fleet": "{fleet}" }] },
        }))
    }
}

impl Issue {
    fn run(&self) -> Outcome {
        let holder = match &self.fleet {
            Some(fleet) => self.common.nodes(fleet)?,
            None => self.common.server(),
        };
        let key = self.common.path("ca", "key");
        let text = fs::read_to_string(&key).map_err(|error| {
            Failure::failed(format!("cannot read the authority's key {}: {error}", key.display()))
                .hint("make an authority with `biplane pki init`")
        })?;
        let authority = Authority::open(&self.common.trust_domain, &text)
            .map_err(|_| Failure::failed(format!("{} holds no key of an authority", key.display())))?;
        let name = holder.file();
        if !self.replace && self.common.exists(&name) {
            return Err(taken(&self.common.path(&name, "pem")));
        }
        self.common.write(&name, &authority.issue(&holder, self.common.days)?, self.replace)?;
        output::say(&format!("Made {}.", self.common.path(&name, "pem").display()));
        Ok(Code::Success)
    }
}

impl Common {
    fn server(&self) -> Holder {
        let usual = || ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into_iter();
        let names = if self.name.is_empty() {
            usual().chain([super::envoy::host_name()]).collect()
        } else {
            self.name.clone()
        };
        Holder::Server(names)
    }

    fn nodes(&self, fleet: &str) -> Result<Holder, Failure> {
        let is_name = |text: &str| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        if !is_name(fleet) || !is_name(&self.trust_domain) {
            let message = format!("a fleet {fleet:?} of the domain {:?} has no SPIFFE id", self.trust_domain);
            return Err(Failure::usage(message).hint("use letters, digits, `-`, `_` and `.`"));
        }
        Ok(Holder::Fleet(fleet.to_owned()))
    }

    fn path(&self, name: &str, kind: &str) -> PathBuf {
        self.directory.join(format!("{name}.{kind}"))
    }

    fn exists(&self, name: &str) -> bool {
        ["pem", "key"].iter().any(|kind| self.path(name, kind).exists())
    }

    fn write(&self, name: &str, pair: &Pair, replace: bool) -> Result<(), Failure> {
        write(&self.path(name, "key"), &pair.key, 0o600, replace)?;
        write(&self.path(name, "pem"), &pair.certificate, 0o644, replace)
    }
}

/// A new file, whole or not at all, which nobody else could read meanwhile.
fn write(path: &Path, text: &str, mode: u32, replace: bool) -> Result<(), Failure> {
    let new = path.with_extension("new");
    let _ = fs::remove_file(&new);
    let written =
        fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&new).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
    written.map_err(|error| cannot_write(&new, &error))?;
    let placed = if replace { fs::rename(&new, path) } else { fs::hard_link(&new, path) };
    let _ = fs::remove_file(&new);
    placed.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => taken(path),
        _ => cannot_write(path, &error),
    })
}

fn absolute(path: &Path) -> Result<String, Failure> {
    let path = std::path::absolute(path).map_err(|error| cannot_write(path, &error))?;
    Ok(path.display().to_string())
}

fn taken(path: &Path) -> Failure {
    Failure::failed(format!("{} is there already, and nothing was changed", path.display())).hint(
        "name another directory; `biplane pki issue --replace` makes a new certificate of the same authority",
    )
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::failed(format!("cannot write {}: {error}", path.display()))
}
