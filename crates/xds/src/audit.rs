//! A line in the log for each attempt at what is somebody else's: who, from where, at what, and why not. Target `audit`.
//! Names only, and never anything that a caller has shown in secret. Each is counted as well.

use std::net::SocketAddr;

use tracing::info;

use crate::metrics::Metrics;

/// What was attempted; the label of the counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// A connection more than there may be.
    Connection,
    /// A connection without TLS that is good enough.
    Handshake,
    /// A stream, by somebody who is nobody or who is nobody any more.
    Stream,
    /// A stream more than there may be, of all or of one identity.
    OneMoreStream,
    /// A stream on which nothing is asked for.
    Silence,
    /// A method that is not served.
    Method,
    /// To be another node.
    Node,
    /// To belong to another fleet.
    Fleet,
    /// A secret of another fleet.
    Secret,
}

impl Attempt {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Handshake => "handshake",
            Self::Stream => "stream",
            Self::OneMoreStream => "stream_over_limit",
            Self::Silence => "silent_stream",
            Self::Method => "method",
            Self::Node => "node",
            Self::Fleet => "fleet",
            Self::Secret => "secret",
        }
    }
}

/// Somebody was refused something.
pub(crate) fn refused(metrics: &Metrics, attempt: Attempt, remote: SocketAddr, who: &str, reason: &str) {
    metrics.refused(attempt);
    let (who, reason) = (shown(who), shown(reason));
    info!(target: "audit", who, %remote, what = format!("xds {}", attempt.word()), reason, outcome = "refused");
}

/// A name that a caller made up may hold anything.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}
