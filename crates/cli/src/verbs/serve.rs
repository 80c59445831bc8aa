//! `biplane serve`: the process that Envoys and people talk to.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use biplane_admin::{AccessOptions, TlsOptions};
use biplane_control_plane::{CatalogSettings, OpenKeys, Server, Settings};
use biplane_editor::Editor;
use clap::Args;
use tracing::info;

use crate::config::{self, Config, Flags, GlobalFlags, Serving};
use crate::exit::{Code, Failure, Outcome};
use crate::reload::Reloader;
use crate::service_manager::{self, Systemd};
use crate::{backends, credentials, discovery, logging, open_files, signals};

/// The command line.
#[derive(Debug, Args)]
#[command(after_help = "\
Every flag is also a setting in biplane.yaml and a BIPLANE_* variable; `biplane config show --origin` prints all of \
them.

Whoever reaches the HTTP API on loopback may read. Writing takes a token (--admin-tokens-file) or the right to open \
the socket file (--admin-socket).")]
pub(crate) struct Arguments {
    #[command(flatten)]
    flags: Flags,
}

/// Serves until SIGTERM or SIGINT.
pub(crate) async fn run(global: &GlobalFlags, arguments: &Arguments) -> Outcome {
    let loaded = config::load(global, &arguments.flags.given(), &config::variables())?;
    let began_with = loaded.shown();
    let mut config = loaded.config;
    let log =
        logging::to_stderr(logging::parse_filter(&config.log).map_err(Failure::usage)?, config.log_format);
    let file = loaded.file.map_or_else(|| "none".to_owned(), |file| file.display().to_string());
    let shown = credentials::hidden(&config.store).into_owned();
    info!(version = env!("CARGO_PKG_VERSION"), store = shown, settings = file, "starting");
    let limits = &mut config.nodes.limits;
    limits.connections = open_files::connections(limits.connections);
    let store = backends::open_writable(&config.store, config.serving.writable_directory.as_deref())?;
    let (stop, hang_up) = (signals::stop_token()?, signals::hang_up()?);
    let editor = Arc::new(Editor::new(store.clone()));
    let sources = discovery::open(&config.discovery)?;
    let mut secrets = backends::secrets(&config.secrets)?;
    secrets.extend(sources.secrets.iter().cloned());
    let catalog = CatalogSettings { tags: config.tags.clone(), upstreams: config.discover_upstreams.clone() };
    unknown_upstreams(&config.discover_upstreams, &sources)?;
    same_upstreams(&catalog)?;
    let server = Server::bind(settings(config), store, editor).await.map_err(|error| cannot_start(&error))?;
    let manager = Arc::new(Systemd::default());
    let server = server
        .with_secrets(secrets)
        .with_endpoints(sources.endpoints)
        .with_services(sources.services, catalog)
        .with_keys(OpenKeys(Arc::new(|issuer| {
            biplane_jwks::open(&issuer.jwks, issuer.ca_file.as_deref().map(Path::new))
        })))
        .with_manager(manager.clone());
    let reloader = Reloader::new((global, &arguments.flags), began_with, log, server.reload(), manager);
    tokio::spawn(reloader.run(hang_up));
    let announced = stop.clone();
    tokio::spawn(async move {
        announced.cancelled().await;
        service_manager::stopping();
    });
    server.run(stop).await.map_err(|error| Failure::of(&error))?;
    info!("stopped");
    Ok(Code::Success)
}

/// A name that no source of services has is a slip.
fn unknown_upstreams(names: &BTreeSet<String>, sources: &discovery::Sources) -> Result<(), Failure> {
    let known: BTreeSet<_> = sources.services.iter().map(|source| source.name()).collect();
    match names.difference(&known).next() {
        None => Ok(()),
        Some(name) => {
            let known = known.iter().cloned().collect::<Vec<_>>().join(", ");
            Err(Failure::usage(format!("discoverUpstreams: no source of services is named {name:?}"))
                .hint(format!("the sources of services are: {known}")))
        }
    }
}

/// Upstreams of two sources that would have the same names would take each other's places.
fn same_upstreams(catalog: &CatalogSettings) -> Result<(), Failure> {
    match catalog.shared_namespace() {
        None => Ok(()),
        Some(([one, other], namespace)) => Err(Failure::usage(format!(
            "discoverUpstreams: the upstreams of {one:?} and of {other:?} would both be in the namespace {namespace}"
        ))
        .hint("rename one of the sources in `discovery`: ?name=...")),
    }
}

/// The one reason that has nothing to do with what was asked for is that somebody was there first.
fn cannot_start(error: &anyhow::Error) -> Failure {
    let failure = Failure::of(error);
    let is_taken = |cause: &io::Error| cause.kind() == ErrorKind::AddrInUse;
    if error.chain().filter_map(|cause| cause.downcast_ref()).any(is_taken) {
        return failure.hint("another process listens there; choose another address with --xds or --admin");
    }
    failure
}

fn settings(config: Config) -> Settings {
    let Serving { address, socket, tokens_file, tls, client_ca, anonymous_write, .. } = config.serving;
    Settings {
        xds: config.xds,
        nodes: config.nodes,
        admin: address,
        admin_socket: socket,
        access: AccessOptions {
            tokens_file,
            anonymous_write,
            tls: tls.map(|(cert, key)| TlsOptions { cert, key, client_ca }),
        },
        state_dir: config.state_dir,
        snapshot_key_file: config.snapshot_key_file,
        ready_file: config.ready_file,
        hold_deletions: config.hold_deletions,
        drain: config.drain,
        resync: config.resync,
        guard: config.guard,
        guard_percent: config.guard_percent,
        guard_min: config.guard_min,
        leader: config.leader,
    }
}
