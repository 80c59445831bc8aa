//! Connections: how they are made, and that they are made anew when a certificate is replaced on disk.
//!
//! Certificates of clients live for hours or days and are replaced under running programs. The files are looked at
//! every few seconds; what cannot be used leaves the connections as they were.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use reqwest::ClientBuilder;
use reqwest::redirect::Policy;
use tracing::{info, warn};

use crate::tls::{Tls, TlsError};

/// How long a connection may be silent before the kernel asks whether the other side is there.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// How often it asks then, and how often in vain before the connection is broken.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(3);
const KEEPALIVE_RETRIES: u32 = 3;

/// How long sent bytes may stay without an acknowledgement: a peer that went silent must not cost 15 minutes.
const USER_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a look at the files is good for.
const GLANCE: Duration = Duration::from_secs(5);

/// How a server is reached.
#[derive(Clone, Debug)]
pub struct Reach {
    /// What the log calls it: `Nomad`.
    pub server: &'static str,
    /// What its bytes go over.
    pub way: Way,
    /// Whom to trust and what to show, where they are encrypted.
    pub tls: Tls,
    /// How long a connection may take to come about.
    pub connect_timeout: Duration,
    /// How long a connection without a request is kept; `None`: as long as the HTTP client thinks fit.
    pub idle_timeout: Option<Duration>,
    /// Whether the kernel finds out that a silent peer is gone: for answers that may take minutes, or have no end.
    pub keepalive: bool,
}

/// What the bytes go over. What is not encrypted goes where each request says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// TCP.
    Plain,
    /// TLS, to this place whatever name the requests are made for.
    Tls {
        /// A name or an IP address, the latter without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// A Unix socket.
    Unix(PathBuf),
}

/// Why no connection can be made, now or ever.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// A file is of no use.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The HTTP client does not take it.
    #[error("{0}")]
    Http(String),
}

/// Makes connections.
#[derive(Debug)]
pub struct Transport {
    reach: Reach,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    http: reqwest::Client,
    seen: Vec<Option<SystemTime>>,
    looked: Instant,
}

impl Transport {
    /// Reads the files. Nothing is connected before it is needed.
    pub fn new(reach: Reach) -> Result<Self, TransportError> {
        // Before the files are read: what is replaced meanwhile is seen at the next look.
        let seen = reach.tls.stamps();
        let state = State { http: http(&reach)?, seen, looked: Instant::now() };
        Ok(Self { reach, state: Mutex::new(state) })
    }

    /// What the next request goes through.
    pub fn http(&self) -> reqwest::Client {
        // Its fields are changed one by one and none depends on another: a poisoned lock is still usable.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(self.reach.way, Way::Tls { .. }) && state.looked.elapsed() >= GLANCE {
            state.look(&self.reach);
        }
        state.http.clone()
    }
}

impl State {
    fn look(&mut self, reach: &Reach) {
        self.looked = Instant::now();
        let seen = reach.tls.stamps();
        if seen == self.seen {
            return;
        }
        // Seen either way: what cannot be used is told once, and tried again when it has changed again.
        self.seen = seen;
        let server = reach.server;
        match http(reach) {
            Ok(http) => {
                self.http = http;
                info!("certificates for {server} changed");
            }
            Err(error) => {
                warn!(%error, "certificates for {server} cannot be used, connections stay as they were");
            }
        }
    }
}

fn http(reach: &Reach) -> Result<reqwest::Client, TransportError> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("biplane/", env!("CARGO_PKG_VERSION")))
        // A token goes where it was meant to go: a redirect or a proxy would carry it elsewhere.
        .redirect(Policy::none())
        .no_proxy()
        .http1_only()
        .connect_timeout(reach.connect_timeout);
    if reach.idle_timeout.is_some() {
        builder = builder.pool_idle_timeout(reach.idle_timeout);
    }
    if reach.keepalive {
        builder = keepalive(builder);
    }
    let builder = match &reach.way {
        Way::Tls { host, port } => reach.tls.configure(builder, host, *port)?,
        // Without TLS nobody has to be trusted, and a machine without authorities is no reason to fail.
        Way::Plain => builder.tls_certs_only([]),
        Way::Unix(path) => builder.tls_certs_only([]).unix_socket(path.clone()),
    };
    builder.build().map_err(|error| TransportError::Http(root_cause(&error)))
}

fn keepalive(builder: ClientBuilder) -> ClientBuilder {
    builder
        .tcp_keepalive(KEEPALIVE)
        .tcp_keepalive_interval(KEEPALIVE_INTERVAL)
        .tcp_keepalive_retries(KEEPALIVE_RETRIES)
        .tcp_user_timeout(USER_TIMEOUT)
}

/// The innermost reason: the layers above only say that there is one.
pub fn root_cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "the connection has not come up in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(ca_file: &std::path::Path) -> Reach {
        Reach {
            server: "Test",
            way: Way::Tls { host: "127.0.0.1".into(), port: 1 },
            tls: Tls { ca_file: Some(ca_file.to_owned()), ..Tls::default() },
            connect_timeout: Duration::from_secs(5),
            idle_timeout: None,
            keepalive: true,
        }
    }

    #[test]
    fn files_that_cannot_be_used_are_an_error_at_first_and_looked_at_once_later() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("ca.pem");
        let error = Transport::new(reach(&path)).map(drop).expect_err("no file");
        assert!(matches!(error, TransportError::Tls(TlsError::Unreadable { .. })), "{error}");
        std::fs::write(&path, biplane_testkit::Authority::new("a").certificate()).expect("write");
        let transport = Transport::new(reach(&path)).expect("good files");
        let mut state = transport.state.into_inner().expect("nobody has panicked");
        std::fs::remove_file(&path).expect("remove");
        state.look(&transport.reach);
        assert_eq!(state.seen, [None], "seen, though it cannot be used");
    }

    #[tokio::test]
    async fn the_reason_of_a_refused_connection_is_the_innermost_one() {
        let transport = Transport::new(Reach { way: Way::Plain, ..reach("/unused".as_ref()) });
        let http = transport.expect("no file is read without TLS").http();
        let error = http.get("http://127.0.0.1:1").send().await.expect_err("nobody listens there");
        assert!(root_cause(&error).starts_with("Connection refused"), "{}", root_cause(&error));
    }
}
