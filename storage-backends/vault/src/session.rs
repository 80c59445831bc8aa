//! Being logged in: one task keeps one token that all questions share.
//!
//! ```text
//!  keeper (a task) ── log in, renew, log in again ──▶ standing (a watch channel): the token, or why there is none
//!        ▲                                                    │
//!        └────────── suspicion: "403 with this token" ◀───────┴── questions
//! ```
//!
//! Invariant: the keeper tries for ever; a token that works is given up for a better one only.

mod files;
mod keeper;

use std::fmt;
use std::sync::Arc;

use biplane_core::scalars::SecretString;
use biplane_source::SourceError;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::client::{Client, Failure, Kind};
use crate::options::VaultOptions;
use crate::report::Report;
use keeper::Keeper;

/// Suspicions that wait: more than questions that are under way at a time, so that nobody waits to suspect.
const SUSPICIONS: usize = 64;

/// Where we stand with the server.
#[derive(Clone)]
pub(crate) enum Standing {
    /// The first login is under way.
    Waiting,
    /// Logged in.
    In(Arc<Login>),
    /// There is no token.
    Out(SourceError),
}

/// A token in use.
pub(crate) struct Login {
    pub(crate) token: SecretString,
    /// Counts tokens.
    pub(crate) serial: u64,
    /// When the token before it ends, with what was made by it.
    pub(crate) before_ends: Option<Instant>,
}

/// What came of a suspicion.
#[derive(Clone)]
pub(crate) enum Verdict {
    /// The token is alive: it was the question that is not allowed.
    Alive,
    /// There is another token.
    Replaced(Arc<Login>),
    /// There is none any more, or nobody can tell.
    Unknown(Failure),
}

struct Suspicion {
    serial: u64,
    answer: oneshot::Sender<Verdict>,
}

/// The session of one source; it ends with it.
pub(crate) struct Session {
    standing: watch::Receiver<Standing>,
    suspicions: mpsc::Sender<Suspicion>,
    keeper: AbortHandle,
}

impl Session {
    /// Begins to log in. `pulse` moves when everything is to be tried at once.
    pub(crate) fn start(
        options: &VaultOptions,
        client: Client,
        report: Report,
        pulse: watch::Receiver<u64>,
    ) -> Self {
        let (standing, seen) = watch::channel(Standing::Waiting);
        let (suspicions, received) = mpsc::channel(SUSPICIONS);
        let keeper = Keeper::new(options, client, report, pulse, standing, received);
        let keeper = tokio::spawn(keeper.run()).abort_handle();
        Self { standing: seen, suspicions, keeper }
    }

    /// The token, or why there is none.
    pub(crate) async fn login(&self) -> Result<Arc<Login>, Failure> {
        let mut standing = self.standing.clone();
        let known = standing.wait_for(|standing| !matches!(standing, Standing::Waiting)).await;
        let known = known.map(|standing| standing.clone()).map_err(|_| ended())?;
        match known {
            Standing::In(login) => Ok(login),
            Standing::Out(error) => Err(Failure { kind: Kind::Down, error }),
            Standing::Waiting => unreachable!("that was waited for"),
        }
    }

    /// Counts tokens, for those who hold what ends with one.
    pub(crate) fn serial(&self) -> SerialReader {
        SerialReader { standing: self.standing.clone() }
    }

    /// Finds out whether a token that was refused is to blame.
    pub(crate) async fn suspect(&self, login: &Login) -> Verdict {
        let (answer, received) = oneshot::channel();
        if self.suspicions.send(Suspicion { serial: login.serial, answer }).await.is_err() {
            return Verdict::Unknown(ended());
        }
        received.await.unwrap_or_else(|_| Verdict::Unknown(ended()))
    }
}

/// Which token is in use.
pub(crate) struct SerialReader {
    standing: watch::Receiver<Standing>,
}

impl SerialReader {
    /// The present one; none: there is no token.
    pub(crate) fn get(&self) -> Option<u64> {
        self.login().map(|login| login.serial)
    }

    /// When the one before it ends, if that is known.
    pub(crate) fn before_ends(&self) -> Option<Instant> {
        self.login().and_then(|login| login.before_ends)
    }

    fn login(&self) -> Option<Arc<Login>> {
        match &*self.standing.borrow() {
            Standing::In(login) => Some(Arc::clone(login)),
            Standing::Waiting | Standing::Out(_) => None,
        }
    }

    /// Waits until that may have changed. Never, once the session has ended.
    pub(crate) async fn changed(&mut self) {
        if self.standing.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

/// The keeper ends with its runtime or with the source.
fn ended() -> Failure {
    Failure { kind: Kind::Down, error: SourceError::new("the session with Vault has ended") }
}

/// Never the token.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("serial", &self.serial).finish_non_exhaustive()
    }
}
