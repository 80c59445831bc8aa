//! An upstream that tells what reached it: HTTP/1, HTTP/2 with or without TLS, gRPC, on TCP or a Unix socket.
//!
//! It answers with JSON: its own name and the method, path, host, headers and body that it saw. What it answers
//! can be changed while it runs. gRPC requests are echoed with trailers. It runs on a thread of its own.

mod serve;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use crate::background::Background;
use crate::certificates::Identity;
use crate::{ports, tls};

/// The response header with the upstream's name.
pub const NAME_HEADER: &str = "x-upstream";

/// How many requests it remembers.
const REMEMBERED: usize = 1_000;

/// A running upstream.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
    _thread: Background,
}

/// How to start one.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Where to listen; a free port on loopback unless set.
    pub address: Option<SocketAddr>,
    /// Listens on this Unix socket instead.
    pub socket: Option<PathBuf>,
    /// Encrypts.
    pub tls: Option<ServerTls>,
}

/// How an upstream speaks TLS.
#[derive(Debug, Clone)]
pub struct ServerTls {
    /// What it shows.
    pub identity: Identity,
    /// Asks clients for a certificate of this authority, as PEM.
    pub client_authority: Option<String>,
}

/// What it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behaviour {
    /// The status of an answer.
    pub status: u16,
    /// Statuses for exact paths, before `status`.
    pub paths: BTreeMap<String, u16>,
    /// How long it thinks.
    pub delay: Duration,
    /// So many requests more are answered with 503.
    pub fail_first: u64,
    /// Headers of an answer.
    pub headers: Vec<(String, String)>,
    /// Closes the connection instead of answering.
    pub reset: bool,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            status: 200,
            paths: BTreeMap::new(),
            delay: Duration::ZERO,
            fail_first: 0,
            headers: Vec::new(),
            reset: false,
        }
    }
}

/// What the thread and the test both see.
#[derive(Debug)]
struct Shared {
    name: String,
    requests: AtomicU64,
    behaviour: Mutex<Behaviour>,
    seen: Mutex<VecDeque<Value>>,
}

impl Upstream {
    /// Plain HTTP on a free port.
    pub fn start(name: &str) -> Self {
        Self::start_with(name, Options::default())
    }

    /// HTTP over TLS on a free port.
    pub fn start_tls(name: &str, identity: &Identity) -> Self {
        let tls = ServerTls { identity: identity.clone(), client_authority: None };
        Self::start_with(name, Options { tls: Some(tls), ..Options::default() })
    }

    /// With options. It accepts connections when this returns.
    pub fn start_with(name: &str, options: Options) -> Self {
        let shared = Arc::new(Shared {
            name: name.to_owned(),
            requests: AtomicU64::new(0),
            behaviour: Mutex::new(Behaviour::default()),
            seen: Mutex::new(VecDeque::new()),
        });
        let tls = options.tls.map(|tls| {
            let config = tls::server(&tls.identity, tls.client_authority.as_deref(), &["h2", "http/1.1"]);
            config.expect("the certificate is valid")
        });
        let address = options.address.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, ports::free_port()).into());
        let listener = match options.socket {
            None => serve::Listener::Tcp(TcpListener::bind(address).expect("the address is free")),
            Some(path) => serve::Listener::Unix(UnixListener::bind(path).expect("the socket's path is free")),
        };
        let theirs = Arc::clone(&shared);
        let thread = Background::spawn(name, move || serve::run(listener, tls, theirs));
        Self { address, shared, _thread: thread }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port on which it listens.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many requests have reached it, health checks included.
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// The last requests as it saw them, oldest first, health checks included.
    pub fn seen(&self) -> Vec<Value> {
        self.shared.seen.lock().expect(NO_PANIC).iter().cloned().collect()
    }

    /// Changes what it answers from now on.
    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.shared.behaviour.lock().expect(NO_PANIC));
    }
}

const NO_PANIC: &str = "nobody panics while holding this lock";

impl Shared {
    fn remember(&self, request: Value) {
        self.requests.fetch_add(1, Ordering::SeqCst);
        let mut seen = self.seen.lock().expect(NO_PANIC);
        if seen.len() == REMEMBERED {
            seen.pop_front();
        }
        seen.push_back(request);
    }

    /// What to do with one request; uses up a failure if one is due.
    fn decide(&self) -> Behaviour {
        let mut behaviour = self.behaviour.lock().expect(NO_PANIC);
        let mut decision = behaviour.clone();
        if behaviour.fail_first > 0 {
            behaviour.fail_first -= 1;
            decision.status = 503;
            decision.paths.clear();
        }
        decision
    }
}
