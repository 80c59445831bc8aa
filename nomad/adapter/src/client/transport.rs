//! Connections: how they are made, and that they are made anew when a certificate is replaced on disk.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use biplane_source::SourceError;
use reqwest::Url;
use reqwest::redirect::Policy;
use tracing::{info, warn};

use super::tls;
use crate::options::{Address, Tls};

/// How long a connection may take to come about, at most.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a connection without a request is kept. Load balancers cut them after a minute.
const IDLE: Duration = Duration::from_secs(45);

/// How long a connection may be silent before the kernel asks whether the other side is there, how often it asks then,
/// and how often in vain before the connection is broken.
const KEEPALIVE: Duration = Duration::from_secs(10);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(3);
const KEEPALIVE_RETRIES: u32 = 3;

/// How long sent bytes may stay without an acknowledgement: a peer that went silent must not cost 15 minutes.
const USER_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a look at the files is good for.
const GLANCE: Duration = Duration::from_secs(5);

/// Makes connections.
pub(super) struct Transport {
    address: Address,
    tls: Tls,
    timeout: Duration,
    state: Mutex<State>,
}

struct State {
    http: reqwest::Client,
    seen: Vec<Option<SystemTime>>,
    looked: Instant,
}

impl Transport {
    pub(super) fn new(address: &Address, tls: &Tls, timeout: Duration) -> Result<Self, SourceError> {
        let http = http(address, tls, timeout)?;
        let state = State { http, seen: stamps(tls), looked: Instant::now() };
        Ok(Self { address: address.clone(), tls: tls.clone(), timeout, state: Mutex::new(state) })
    }

    /// What the next request goes through.
    pub(super) fn http(&self) -> reqwest::Client {
        // Its fields are changed one by one and none depends on another: a poisoned lock is still usable.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if self.address.is_tls() && state.looked.elapsed() >= GLANCE {
            self.look(&mut state);
        }
        state.http.clone()
    }

    fn look(&self, state: &mut State) {
        state.looked = Instant::now();
        let seen = stamps(&self.tls);
        if seen == state.seen {
            return;
        }
        // Seen either way: what cannot be used is told once, and tried again when it has changed again.
        state.seen = seen;
        match http(&self.address, &self.tls, self.timeout) {
            Ok(http) => {
                state.http = http;
                info!("certificates for Nomad changed");
            }
            Err(error) => {
                warn!(%error, "certificates for Nomad cannot be used, connections stay as they were");
            }
        }
    }
}

/// What requests are made for: the address, or the name that its certificate has.
pub(super) fn base(address: &Address, tls: &Tls) -> Result<Url, SourceError> {
    let text = match (address, &tls.server_name) {
        (Address::Tcp { port, tls: true, .. }, Some(name)) => format!("https://{name}:{port}"),
        // Nobody looks at it: the socket is the address.
        (Address::Unix(_), _) => "http://localhost".to_owned(),
        _ => address.to_string(),
    };
    text.parse().map_err(|_| SourceError::invalid(format!("{text} is no address of an agent")))
}

/// When the files were last changed.
fn stamps(tls: &Tls) -> Vec<Option<SystemTime>> {
    let modified = |path: &PathBuf| path.metadata().and_then(|metadata| metadata.modified()).ok();
    [&tls.ca_file, &tls.ca_path, &tls.cert_file, &tls.key_file].into_iter().flatten().map(modified).collect()
}

fn http(address: &Address, tls: &Tls, timeout: Duration) -> Result<reqwest::Client, SourceError> {
    let builder = reqwest::Client::builder()
        .user_agent(concat!("biplane/", env!("CARGO_PKG_VERSION")))
        // An agent answers itself: a redirect or a proxy would carry the token elsewhere.
        .redirect(Policy::none())
        .no_proxy()
        .http1_only()
        .connect_timeout(CONNECT.min(timeout))
        .pool_idle_timeout(IDLE)
        .tcp_keepalive(KEEPALIVE)
        .tcp_keepalive_interval(KEEPALIVE_INTERVAL)
        .tcp_keepalive_retries(KEEPALIVE_RETRIES)
        .tcp_user_timeout(USER_TIMEOUT);
    let builder = match address {
        Address::Tcp { tls: true, host, port } => tls::configure(builder, host, *port, tls)?,
        // Without TLS nobody has to be trusted, and a machine without authorities is no reason to fail.
        Address::Tcp { tls: false, .. } => builder.tls_certs_only([]),
        Address::Unix(path) => builder.tls_certs_only([]).unix_socket(path.clone()),
    };
    builder.build().map_err(|error| {
        SourceError::invalid(format!("no connection to {address} can be made: {}", root_cause(&error)))
    })
}

/// The innermost reason: the layers above only say that there is one.
pub(super) fn root_cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "the connection has not come up in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
