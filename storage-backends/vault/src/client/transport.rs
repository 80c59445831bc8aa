//! Connections: how they are made, and that they are made anew when a certificate is replaced on disk.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use biplane_source::SourceError;
use reqwest::redirect::Policy;
use tracing::{info, warn};

use super::tls;
use crate::options::{Address, Tls};

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a connection without a request is kept. Load balancers cut them after a minute.
const IDLE: Duration = Duration::from_secs(45);

/// How long a look at the files is good for.
const GLANCE: Duration = Duration::from_secs(5);

/// Makes connections.
pub(super) struct Transport {
    address: Address,
    tls: Tls,
    state: Mutex<State>,
}

struct State {
    http: reqwest::Client,
    seen: Vec<Option<SystemTime>>,
    looked: Instant,
}

impl Transport {
    pub(super) fn new(address: &Address, tls: &Tls) -> Result<Self, SourceError> {
        let state = State { http: http(address, tls)?, seen: stamps(tls), looked: Instant::now() };
        Ok(Self { address: address.clone(), tls: tls.clone(), state: Mutex::new(state) })
    }

    /// What the next request goes through.
    pub(super) fn http(&self) -> reqwest::Client {
        // Its fields are changed one by one and none depends on another: a poisoned lock is still usable.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if self.address.tls && state.looked.elapsed() >= GLANCE {
            state.look(&self.address, &self.tls);
        }
        state.http.clone()
    }
}

impl State {
    fn look(&mut self, address: &Address, tls: &Tls) {
        self.looked = Instant::now();
        let seen = stamps(tls);
        if seen == self.seen {
            return;
        }
        // Seen either way: what cannot be used is told once, and tried again when it has changed again.
        self.seen = seen;
        match http(address, tls) {
            Ok(http) => {
                self.http = http;
                info!("certificates for Vault changed");
            }
            Err(error) => {
                warn!(%error, "certificates for Vault cannot be used, connections stay as they were");
            }
        }
    }
}

/// What requests are made for: the address, or the name that its certificate has.
pub(super) fn base(address: &Address, tls: &Tls) -> String {
    match &tls.server_name {
        Some(name) if address.tls => format!("https://{name}:{}", address.port),
        _ => address.to_string(),
    }
}

/// When the files were last changed.
fn stamps(tls: &Tls) -> Vec<Option<SystemTime>> {
    let modified = |path: &PathBuf| path.metadata().and_then(|metadata| metadata.modified()).ok();
    [&tls.ca_file, &tls.ca_path, &tls.cert_file, &tls.key_file].into_iter().flatten().map(modified).collect()
}

fn http(address: &Address, tls: &Tls) -> Result<reqwest::Client, SourceError> {
    let builder = reqwest::Client::builder()
        .user_agent(concat!("biplane/", env!("CARGO_PKG_VERSION")))
        // A token goes where it was meant to go: redirects are looked at first, and a proxy is none of ours.
        .redirect(Policy::none())
        .no_proxy()
        .http1_only()
        .connect_timeout(CONNECT)
        .pool_idle_timeout(IDLE);
    let builder = if address.tls {
        tls::configure(builder, address, tls)?
    } else {
        // Without TLS nobody has to be trusted, and a machine without authorities is no reason to fail.
        builder.tls_certs_only([])
    };
    builder.build().map_err(|error| {
        SourceError::invalid(format!("no connection to {address} can be made: {}", root_cause(&error)))
    })
}

/// The innermost reason: the layers above only say that there is one.
pub(super) fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
