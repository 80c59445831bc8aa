//! A client of the API: one HTTP/1 request a call, over TCP, TLS or a socket file, with a deadline and a
//! bound on the answer.
//!
//! It opens a connection for each call and keeps no state, which is what a command line needs and
//! leaves nothing behind in the server. It is [`Resources`](crate::Resources) over HTTP: what fails comes back
//! as the same [`Problem`] that the server met.

mod address;
mod exchange;
mod options;
mod resources;
mod transport;
mod watch;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use hyper::{Method, StatusCode};

use crate::explain::{ExplainQuery, Explanation};
use crate::resources::{Problem, ProblemKind};
use crate::{Status, path, status, wire};
use exchange::{Call, first_line};
use transport::Transport;

pub use address::{Address, InvalidAddress};
pub use options::{ClientOptions, Identity, Token};

/// A client of one control plane.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    address: Address,
    token: Option<Token>,
    transport: Transport,
}

/// Why a call gave no answer that can be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nobody answers there.
    #[error("cannot reach Biplane at {address}: {reason}")]
    Unreachable {
        /// Where.
        address: Address,
        /// Why.
        reason: String,
    },
    /// Somebody answers, but not with what was asked for.
    #[error("{address} answered {path} with {status}: {body}")]
    Refused {
        /// Where.
        address: Address,
        /// What was asked for.
        path: String,
        /// The status code.
        status: u16,
        /// The first line of the answer.
        body: String,
    },
    /// The server says what is wrong.
    #[error("{0}")]
    Problem(Box<Problem>),
    /// The answer is not what this path answers: another program, or another version of Biplane.
    #[error("{address} does not answer {path} like Biplane: {reason}")]
    Unexpected {
        /// Where.
        address: Address,
        /// What was asked for.
        path: String,
        /// What is wrong with the answer.
        reason: String,
    },
}

/// An answer, whatever its code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: Bytes,
}

impl Client {
    /// A client of the control plane whose API is at `address`, without TLS and without a token.
    pub fn new(address: SocketAddr) -> Self {
        let address = Address::from(address);
        let transport = Transport::plain(address.clone());
        Self { inner: Arc::new(Inner { address, token: None, transport }) }
    }

    /// A client as `options` say. A token is never sent in the clear to another machine.
    pub fn open(options: ClientOptions) -> Result<Self, Problem> {
        let in_the_clear = matches!(options.address, Address::Tcp { tls: false, .. });
        if options.token.is_some() && in_the_clear && !options.address.is_local() {
            let message = format!("the token would travel in the clear to {}", options.address);
            let problem = Problem::new(ProblemKind::BadRequest, message);
            return Err(problem.hint("use https:// there, or reach it through ssh"));
        }
        let transport = Transport::open(&options).map_err(|error| {
            let message = format!("TLS to {} cannot be set up: {error}", options.address);
            Problem::new(ProblemKind::BadRequest, message)
        })?;
        let ClientOptions { address, token, .. } = options;
        Ok(Self { inner: Arc::new(Inner { address, token, transport }) })
    }

    /// Where the API is.
    pub fn address(&self) -> &Address {
        &self.inner.address
    }

    /// The state of the control plane.
    pub async fn status(&self) -> Result<Status, ClientError> {
        self.json(Call::get(path::STATUS)).await
    }

    /// Whether it is ready; if not, why.
    pub async fn ready(&self) -> Result<Result<(), String>, ClientError> {
        let answer = self.get(path::READY).await?;
        match answer.status {
            200 => Ok(Ok(())),
            503 => Ok(Err(first_line(&answer.body))),
            status => Err(self.refused(path::READY, status, &answer.body)),
        }
    }

    /// Asks for any path.
    pub async fn get(&self, path: &str) -> Result<Answer, ClientError> {
        let answer = self.exchange(Call::get(path)).await?;
        Ok(Answer { status: answer.status.as_u16(), body: answer.body })
    }

    /// Tells the guard of a source that the removals which it holds back are meant: those that it held when its
    /// status had this tag, or whichever it holds. `author` is a remark.
    pub async fn accept(
        &self,
        source: &str,
        held_tag: Option<&str>,
        author: &str,
    ) -> Result<crate::resources::Accepted, Problem> {
        let path = path::ACCEPT.replace("{name}", &exchange::encoded(source));
        let body = wire::AcceptRequest { author: author.to_owned(), held_tag: held_tag.map(str::to_owned) };
        Ok(self.json(Call::new(Method::POST, path).json(&body)).await?)
    }

    /// The secrets: where they come from, how long they last, who uses them.
    pub async fn secrets(&self) -> Result<Vec<status::SecretStatus>, ClientError> {
        self.json(Call::get(path::SECRETS)).await
    }

    /// The endpoints of all upstreams: where they come from, how old that is, who uses them.
    pub async fn endpoints(&self) -> Result<Vec<status::EndpointsStatus>, ClientError> {
        self.json(Call::get(path::ENDPOINTS)).await
    }

    /// The services that sources of services know.
    pub async fn services(&self) -> Result<Vec<status::ServiceStatus>, ClientError> {
        self.json(Call::get(path::SERVICES)).await
    }

    /// Which route answers a request, and why.
    pub async fn explain(&self, query: &ExplainQuery) -> Result<Explanation, ClientError> {
        let pairs = query.pairs();
        let call = Call::get(path::EXPLAIN);
        let call = pairs.iter().fold(call, |call, (name, value)| call.query(name, Some(value)));
        self.json(call).await
    }

    /// Has a source of secrets or endpoints read everything again at once.
    pub async fn refresh(&self, source: &str) -> Result<(), Problem> {
        let path = path::REFRESH.replace("{name}", &exchange::encoded(source));
        let _: wire::Refreshed = self.json(Call::new(Method::POST, path)).await?;
        Ok(())
    }

    fn unreachable(&self, reason: String) -> ClientError {
        ClientError::Unreachable { address: self.inner.address.clone(), reason }
    }

    fn unexpected(&self, path: &str, reason: &dyn fmt::Display) -> ClientError {
        let reason = reason.to_string();
        ClientError::Unexpected { address: self.inner.address.clone(), path: path.to_owned(), reason }
    }

    fn refused(&self, path: &str, status: u16, body: &[u8]) -> ClientError {
        let address = self.inner.address.clone();
        ClientError::Refused { address, path: path.to_owned(), status, body: first_line(body) }
    }
}

/// Where, and nothing that is secret.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", self.inner.address)
    }
}

/// The server's own words where it had some.
impl From<ClientError> for Problem {
    fn from(error: ClientError) -> Self {
        let message = error.to_string();
        match error {
            ClientError::Problem(problem) => *problem,
            ClientError::Unreachable { .. } => Self::new(ProblemKind::Unavailable, message)
                .hint("start it with `biplane serve`, or say where its API is"),
            ClientError::Refused { status, .. } if status == StatusCode::SERVICE_UNAVAILABLE.as_u16() => {
                Self::new(ProblemKind::Unavailable, message)
            }
            ClientError::Refused { .. } | ClientError::Unexpected { .. } => {
                Self::new(ProblemKind::Internal, message).hint(
                    "another program listens there, or a version of Biplane that does not know this yet",
                )
            }
        }
    }
}
