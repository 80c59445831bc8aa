//! `biplane envoy bootstrap`: the file that an Envoy starts from to get the rest from Biplane. `biplane envoy token`:
//! what it may prove itself with.

pub(crate) mod bootstrap;
pub(crate) mod drain;
pub(crate) mod proof;
mod token;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::exit::{Code, Failure, Outcome};
use crate::output;
use bootstrap::{Bootstrap, Protocol};
use proof::Proof;

/// What Envoy needs.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Print a bootstrap: start Envoy with `envoy -c FILE`
    Bootstrap(Box<Arguments>),
    /// Make a token for the nodes of a fleet; asks no server
    Token(token::Arguments),
    /// Have an Envoy take leave of its clients before it is stopped
    Drain(drain::Arguments),
}

/// What two Envoys would otherwise share, and the second would not start.
const TWO_ON_ONE_MACHINE: &str = "\
Each further Envoy on one machine needs its own --id and --admin here, and its own shared memory when it starts:
  biplane envoy bootstrap --id edge-2 --admin 127.0.0.1:19001 > edge-2.yaml
  envoy -c edge-2.yaml --base-id 1    # or --use-dynamic-base-id";

/// The command line of `envoy bootstrap`.
#[derive(Debug, Args)]
#[command(after_help = TWO_ON_ONE_MACHINE)]
pub(crate) struct Arguments {
    /// Where Biplane serves Envoys: IP:PORT or NAME:PORT
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9977")]
    xds: String,
    /// The fleet: the name in `proxyNames` of the gateways that this Envoy is to serve
    #[arg(long, value_name = "NAME", default_value = "gateway-proxy")]
    fleet: String,
    /// What this Envoy calls itself, different for each [default: the host's name]
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Where Envoy's own admin interface is; whoever reaches it can stop Envoy
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:19000")]
    admin: SocketAddr,
    #[command(flatten)]
    proof: ProofFlags,
    /// Ask for the state of the world instead of deltas: more bytes for the same
    #[arg(long)]
    sotw: bool,
    /// How to print
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// How Envoy proves who it is, and knows whom it asks.
#[derive(Debug, Args)]
struct ProofFlags {
    /// The authority of Biplane's certificate, in PEM: with it Envoy speaks TLS
    #[arg(long, value_name = "FILE", requires = "sds_dir")]
    xds_ca: Option<PathBuf>,
    /// Envoy's certificate, in PEM
    #[arg(long, value_name = "FILE", requires_all = ["xds_ca", "xds_key"])]
    xds_cert: Option<PathBuf>,
    /// Its key
    #[arg(long, value_name = "FILE", requires = "xds_cert")]
    xds_key: Option<PathBuf>,
    /// A file with Envoy's token: of a Nomad job, or made by `biplane envoy token`
    #[arg(long, value_name = "FILE", requires = "sds_dir")]
    xds_token_file: Option<PathBuf>,
    /// The name that Biplane's certificate must have [default: the host in --xds]
    #[arg(long, value_name = "NAME", requires = "xds_ca")]
    xds_server_name: Option<String>,
    /// A directory for the small files that tell Envoy where those are; with them it follows changes without a
    /// restart
    #[arg(long, value_name = "DIR")]
    sds_dir: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    #[default]
    Yaml,
    Json,
}

/// Runs a verb.
pub(crate) async fn run(verb: &Verb) -> Outcome {
    match verb {
        Verb::Bootstrap(arguments) => print(arguments),
        Verb::Drain(arguments) => drain::run(arguments).await,
        Verb::Token(arguments) => token::run(arguments),
    }
}

fn print(arguments: &Arguments) -> Outcome {
    let bootstrap = arguments.bootstrap()?;
    bootstrap.proof.write()?;
    let bootstrap = bootstrap.build();
    output::print(&match arguments.output {
        Format::Yaml => output::yaml(&bootstrap)?,
        Format::Json => output::json(&bootstrap)?,
    })?;
    Ok(Code::Success)
}

impl Arguments {
    fn bootstrap(&self) -> Result<Bootstrap, Failure> {
        let (host, port) = split_address(&self.xds)?;
        let proof = self.proof.proof(&host)?;
        Ok(Bootstrap {
            proof,
            xds_host: host,
            xds_port: port,
            fleet: not_empty("--fleet", &self.fleet)?,
            id: self.id.as_deref().map_or_else(|| Ok(host_name()), |id| not_empty("--id", id))?,
            admin: self.admin,
            protocol: if self.sotw { Protocol::StateOfTheWorld } else { Protocol::Delta },
        })
    }
}

impl ProofFlags {
    fn proof(&self, host: &str) -> Result<Proof, Failure> {
        let is_local = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if self.xds_token_file.is_some() && self.xds_ca.is_none() && !is_local {
            return Err(Failure::usage(format!("the token would travel in the clear to {host}"))
                .hint("name the authority of Biplane's certificate with --xds-ca"));
        }
        let directory = self.sds_dir.as_deref().map(proof::absolute).transpose()?;
        Ok(Proof {
            ca: self.xds_ca.clone(),
            identity: self.xds_cert.clone().zip(self.xds_key.clone()),
            token: self.xds_token_file.clone(),
            server_name: self.xds_server_name.clone().unwrap_or_else(|| host.to_owned()),
            directory: directory.unwrap_or_default(),
        })
    }
}

fn not_empty(flag: &str, value: &str) -> Result<String, Failure> {
    if value.is_empty() {
        return Err(Failure::usage(format!("{flag} must not be empty: an Envoy without it gets nothing")));
    }
    Ok(value.to_owned())
}

fn split_address(text: &str) -> Result<(String, u16), Failure> {
    let fail = || Failure::usage(format!("--xds {text:?} is neither IP:PORT nor NAME:PORT"));
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok((address.ip().to_string(), address.port()));
    }
    let (host, port) = text.rsplit_once(':').ok_or_else(fail)?;
    let port = port.parse().ok().filter(|port| *port > 0).ok_or_else(fail)?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if host.is_empty() || !host.chars().all(is_name) {
        return Err(fail());
    }
    Ok((host.to_owned(), port))
}

pub(super) fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "envoy".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_xds_address_is_an_ip_or_a_name_with_a_port() {
        let split = |text| split_address(text).ok();
        assert_eq!(split("127.0.0.1:9977"), Some(("127.0.0.1".to_owned(), 9977)));
        assert_eq!(split("[::1]:9977"), Some(("::1".to_owned(), 9977)));
        assert_eq!(split("biplane.internal:9977"), Some(("biplane.internal".to_owned(), 9977)));
        for wrong in ["", "9977", "host:", "host:0", "host:70000", ":9977", "http://host:9977", "::1:x"] {
            assert_eq!(split(wrong), None, "{wrong}");
        }
    }
}
