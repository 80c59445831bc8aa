//! The way to resources: through the HTTP API of a running control plane, or straight to a store.
//!
//! A verb takes the second way only when its own `--store` says so. The setting `store` and the variable
//! `BIPLANE_STORE` say what `serve` reads: on a machine where they are set, `biplane get` still asks the process
//! that serves, with that process's rights and audit log, and never a store behind its back.

use std::sync::Arc;

use biplane_admin_api::client::{ClientOptions, Token};
use biplane_admin_api::{Client, Problem, ProblemKind, Resources};
use biplane_editor::Editor;
use biplane_store::Store;
use clap::Args;

use crate::backends;
use crate::config::{self, ClientFlags, GlobalFlags};
use crate::exit::Failure;

/// Where a verb finds resources.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Target {
    /// Go straight to a store, without a control plane: etcd://HOST/ROOT, consul://HOST/ROOT,
    /// file://DIR?writable=FOLDER. Only this flag does so: the setting `store` and BIPLANE_STORE are for `serve`
    #[arg(long, value_name = "URL", help_heading = "Where", conflicts_with_all = CLIENT_FLAGS)]
    store: Option<String>,
    #[command(flatten)]
    client: ClientFlags,
}

/// What makes no sense of a store.
const CLIENT_FLAGS: [&str; 5] = ["api", "api_token_file", "api_ca_file", "api_cert_file", "api_key_file"];

/// Resources, and what else is to be had where they are.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Reads and changes them.
    pub(crate) resources: Arc<dyn Resources>,
    /// What is at the other end.
    pub(crate) end: End,
}

/// What is at the other end.
#[derive(Clone, Debug)]
pub(crate) enum End {
    /// A running control plane.
    ControlPlane(Client),
    /// A store.
    Store(Arc<dyn Store>),
}

impl Target {
    /// Gets ready to ask; asks nothing yet.
    pub(crate) fn connect(&self, global: &GlobalFlags) -> Result<Connection, Failure> {
        if let Some(url) = &self.store {
            let store = backends::open(url)?;
            let resources = Arc::new(Editor::new(store.clone()));
            return Ok(Connection { resources, end: End::Store(store) });
        }
        let client = client(global, &self.client)?;
        Ok(Connection { resources: Arc::new(client.clone()), end: End::ControlPlane(client) })
    }
}

/// A client of the control plane that flags and settings name.
pub(crate) fn client(global: &GlobalFlags, flags: &ClientFlags) -> Result<Client, Failure> {
    let config = config::load(global, &flags.given(), &config::variables())?.config;
    let options = ClientOptions {
        token: config.api_token_file.clone().map(Token::File),
        ca_file: config.api_ca_file.clone(),
        identity: config.api_identity.clone(),
        ..ClientOptions::new(config.api_address())
    };
    Client::open(options).map_err(Failure::from)
}

impl Connection {
    /// Who asks, as the history shows it. A control plane knows the caller, and takes this for a remark.
    pub(crate) fn author(&self) -> String {
        match &self.end {
            End::ControlPlane(_) => user().unwrap_or_default(),
            End::Store(_) => author(),
        }
    }

    /// What could not be done, with advice that fits the way that was taken.
    pub(crate) fn failure(&self, problem: Problem) -> Failure {
        let at_the_api = matches!(self.end, End::ControlPlane(_));
        let kind = problem.kind;
        let failure = Failure::from(problem);
        match kind {
            ProblemKind::Unavailable if at_the_api && failure.message.starts_with("cannot reach") => failure
                .hint("start it with `biplane serve`, name its address with --api, or a store with --store"),
            ProblemKind::Unauthenticated if at_the_api && failure.hint.is_none() => {
                failure.hint("name a file with a token with --api-token-file")
            }
            _ => failure,
        }
    }
}

/// Who writes straight to a store, as its history shows it.
pub(crate) fn author() -> String {
    user().unwrap_or_else(|| format!("uid:{}", rustix::process::getuid().as_raw()))
}

/// Who asks, as they call themselves.
pub(crate) fn user() -> Option<String> {
    let named = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    named.filter(|name| !name.is_empty())
}
