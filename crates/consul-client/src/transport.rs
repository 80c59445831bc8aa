//! Connections: how they are made, and that they are made anew with new certificates.
//!
//! Certificates of agents' clients live for hours or days and are replaced under running programs. The files are
//! looked at every few seconds; what cannot be used leaves the connections as they were.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use reqwest::redirect::Policy;
use tracing::{info, warn};

use crate::address::Address;
use crate::error::Error;
use crate::settings::{Settings, TlsSettings};
use crate::tls;

/// How long a connection may be silent before the kernel asks whether the other side is there.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// How often it asks then, and how often in vain before the connection is broken.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(3);
const KEEPALIVE_RETRIES: u32 = 3;

/// How long sent bytes may stay without an acknowledgement: a peer that went silent must not cost 15 minutes.
const USER_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a look at the files is good for.
const GLANCE: Duration = Duration::from_secs(5);

/// Makes connections.
#[derive(Debug)]
pub(crate) struct Transport {
    settings: Settings,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    http: reqwest::Client,
    seen: Vec<Option<SystemTime>>,
    looked: Instant,
}

impl Transport {
    pub(crate) fn new(settings: &Settings) -> Result<Self, Error> {
        let seen = stamps(&settings.tls);
        let state = State { http: http(settings)?, seen, looked: Instant::now() };
        // The token is somebody else's to keep.
        let settings = Settings { token: None, basic_auth: None, ..settings.clone() };
        Ok(Self { settings, state: Mutex::new(state) })
    }

    /// What the next request goes through.
    pub(crate) fn http(&self) -> reqwest::Client {
        // Its fields are changed one by one and none depends on another: a poisoned lock is still usable.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if self.settings.address.is_tls() && state.looked.elapsed() >= GLANCE {
            state.look(&self.settings);
        }
        state.http.clone()
    }
}

impl State {
    fn look(&mut self, settings: &Settings) {
        self.looked = Instant::now();
        let seen = stamps(&settings.tls);
        if seen == self.seen {
            return;
        }
        // Seen either way: what cannot be used is told once, and tried again when it has changed again.
        self.seen = seen;
        match http(settings) {
            Ok(http) => {
                self.http = http;
                info!("certificates for Consul changed");
            }
            Err(error) => {
                warn!(%error, "certificates for Consul cannot be used, connections stay as they were");
            }
        }
    }
}

/// When the files were last changed.
fn stamps(tls: &TlsSettings) -> Vec<Option<SystemTime>> {
    let modified = |path: &PathBuf| path.metadata().and_then(|metadata| metadata.modified()).ok();
    let files = [&tls.authority, &tls.authorities, &tls.certificate, &tls.key];
    files.into_iter().flatten().map(modified).collect()
}

/// The innermost reason: the layers above only say that there is one.
pub(crate) fn root_cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "the connection has not come up in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

fn http(settings: &Settings) -> Result<reqwest::Client, Error> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("biplane/", env!("CARGO_PKG_VERSION")))
        // An agent answers itself: a redirect or a proxy would carry the token elsewhere.
        .redirect(Policy::none())
        .no_proxy()
        .http1_only()
        .connect_timeout(settings.connect_timeout)
        .tcp_keepalive(KEEPALIVE)
        .tcp_keepalive_interval(KEEPALIVE_INTERVAL)
        .tcp_keepalive_retries(KEEPALIVE_RETRIES)
        .tcp_user_timeout(USER_TIMEOUT);
    builder = match &settings.address {
        Address::Tcp { tls: true, host, port } => {
            if settings.tls.server_name.is_some() {
                builder = builder.dns_resolver(tls::Elsewhere::new(host, *port));
            }
            tls::configure(builder, &settings.tls)?
        }
        // Without TLS nobody has to be trusted, and a machine without authorities is no reason to fail.
        Address::Tcp { tls: false, .. } => builder.tls_certs_only([]),
        Address::Unix(path) => builder.tls_certs_only([]).unix_socket(path.clone()),
    };
    builder
        .build()
        .map_err(|error| Error::invalid(format!("no HTTP client can be made: {}", root_cause(&error))))
}
