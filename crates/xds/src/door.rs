//! Who is let in: what a caller has shown, and the one who judges it.
//!
//! The server knows neither certificates nor tokens nor rules. It asks a [`Doorkeeper`] once a stream, again when the
//! answer may have changed, and again when what a caller has shown comes to its end.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use tokio::sync::watch;

/// What a caller has shown.
#[derive(Clone)]
pub struct Caller {
    /// Where it calls from.
    pub remote: SocketAddr,
    /// Its certificate and those behind it, as the handshake has verified them; none: it has shown none.
    pub certificates: Arc<[CertificateDer<'static>]>,
    /// What it has sent as `authorization: Bearer`.
    pub token: Option<String>,
}

/// A caller that is let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pass {
    /// Who it is, for logs.
    pub who: String,
    /// What it has proved that by.
    pub by: ProvedBy,
    /// Which fleet it gets.
    pub membership: Membership,
    /// The `node.id` that it must have.
    pub node: Option<String>,
    /// When it has to be judged again.
    pub until: Option<SystemTime>,
}

/// What a caller has proved itself by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProvedBy {
    /// A certificate.
    Certificate,
    /// A token.
    Token,
    /// It calls from this machine.
    Loopback,
    /// Nothing: it is believed what it says.
    Nothing,
}

/// Which fleet a caller gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Membership {
    /// The one that it says it belongs to.
    Claimed,
    /// This one.
    Proven {
        /// The fleet.
        fleet: String,
        /// Whether it is refused if it says that it belongs to another one.
        checked: bool,
    },
}

/// A caller that is not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refusal {
    /// Why, without anything that it has shown in secret.
    pub reason: String,
    /// Whether it cannot be told yet, so that it does well to come again.
    pub may_come_again: bool,
}

/// Judges callers.
pub trait Doorkeeper: fmt::Debug + Send + Sync + 'static {
    /// Whether a caller is let in. Never more than a few seconds away.
    fn admit(&self, caller: Arc<Caller>) -> BoxFuture<'static, Result<Pass, Refusal>>;

    /// Changes whenever an earlier answer may be another one now.
    fn changes(&self) -> watch::Receiver<u64>;
}

/// Lets everybody in and believes what they say: for loopback, where whoever reaches us could read our files as well.
#[derive(Debug)]
pub struct Trusting {
    changes: watch::Sender<u64>,
}

impl Default for Trusting {
    fn default() -> Self {
        Self { changes: watch::Sender::new(0) }
    }
}

impl Doorkeeper for Trusting {
    fn admit(&self, caller: Arc<Caller>) -> BoxFuture<'static, Result<Pass, Refusal>> {
        let who = caller.remote.ip().to_string();
        let by = ProvedBy::here_or_not(caller.remote);
        let pass = Pass { who, by, membership: Membership::Claimed, node: None, until: None };
        ready(Ok(pass)).boxed()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

impl ProvedBy {
    /// Of somebody who shows nothing.
    pub fn here_or_not(remote: SocketAddr) -> Self {
        if remote.ip().to_canonical().is_loopback() { Self::Loopback } else { Self::Nothing }
    }
}

/// Gives the TLS configuration of the next handshake; none while there is no certificate yet. Streams that are open
/// keep what they have.
#[derive(Clone)]
pub struct Handshakes(pub Arc<dyn Fn() -> Option<Arc<ServerConfig>> + Send + Sync>);

/// Not the token.
impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("remote", &self.remote)
            .field("certificates", &self.certificates.len())
            .field("token", &self.token.is_some())
            .finish()
    }
}

impl fmt::Debug for Handshakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handshakes")
    }
}
