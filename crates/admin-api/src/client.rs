//! A client of the API: one HTTP/1 request a call, over TCP, with a deadline and a bound on the answer.
//!
//! It opens a connection for each call and keeps no state, which is what a command line needs and
//! leaves nothing behind in the server.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::{Status, path};

/// How long one call may take, all in.
const DEADLINE: Duration = Duration::from_secs(10);

/// The largest answer: status of the largest configuration that is accepted stays far below it.
const LARGEST_ANSWER: usize = 64 * 1024 * 1024;

/// A client of one control plane.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    address: SocketAddr,
}

/// Why a call gave no answer that can be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nobody answers there.
    #[error("cannot reach Biplane at {address}: {reason}")]
    Unreachable {
        /// Where.
        address: SocketAddr,
        /// Why.
        reason: String,
    },
    /// Somebody answers, but not with what was asked for.
    #[error("{address} answered {path} with {status}: {body}")]
    Refused {
        /// Where.
        address: SocketAddr,
        /// What was asked for.
        path: String,
        /// The status code.
        status: u16,
        /// The first line of the answer.
        body: String,
    },
    /// The answer is not what this path answers: another program, or another version of Biplane.
    #[error("{address} does not answer {path} like Biplane: {reason}")]
    Unexpected {
        /// Where.
        address: SocketAddr,
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
    /// A client of the control plane whose API is at `address`.
    pub const fn new(address: SocketAddr) -> Self {
        Self { address }
    }

    /// The state of the control plane.
    pub async fn status(&self) -> Result<Status, ClientError> {
        let body = self.expect_ok(path::STATUS).await?;
        serde_json::from_slice(&body).map_err(|error| self.unexpected(path::STATUS, error.to_string()))
    }

    /// Whether it is ready; if not, why.
    pub async fn ready(&self) -> Result<Result<(), String>, ClientError> {
        let answer = self.get(path::READY).await?;
        match answer.status {
            200 => Ok(Ok(())),
            503 => Ok(Err(first_line(&answer.body))),
            _ => Err(self.refused(path::READY, &answer)),
        }
    }

    /// Asks for any path.
    pub async fn get(&self, path: &str) -> Result<Answer, ClientError> {
        tokio::time::timeout(DEADLINE, self.exchange(path))
            .await
            .unwrap_or_else(|_| Err(self.unreachable(format!("no answer within {} s", DEADLINE.as_secs()))))
    }

    async fn expect_ok(&self, path: &str) -> Result<Bytes, ClientError> {
        let answer = self.get(path).await?;
        if answer.status == StatusCode::OK.as_u16() {
            return Ok(answer.body);
        }
        Err(self.refused(path, &answer))
    }

    async fn exchange(&self, path: &str) -> Result<Answer, ClientError> {
        let stream =
            TcpStream::connect(self.address).await.map_err(|error| self.unreachable(error.to_string()))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| self.unexpected(path, error.to_string()))?;
        let answer = async {
            let response = sender.send_request(self.request(path)?).await;
            let response = response.map_err(|error| self.unexpected(path, error.to_string()))?;
            let status = response.status().as_u16();
            let body = Limited::new(response.into_body(), LARGEST_ANSWER).collect().await;
            let body = body.map_err(|error| self.unexpected(path, error.to_string()))?.to_bytes();
            Ok(Answer { status, body })
        };
        // The connection has to be driven while the answer is read, and ends with it.
        let mut connection = std::pin::pin!(connection);
        let mut answer = std::pin::pin!(answer);
        tokio::select! {
            answer = &mut answer => answer,
            _ = &mut connection => answer.await,
        }
    }

    fn request(&self, path: &str) -> Result<Request<Empty<Bytes>>, ClientError> {
        Request::get(path)
            .header(header::HOST, self.address.to_string())
            .header(header::CONNECTION, "close")
            .body(Empty::new())
            .map_err(|error| self.unexpected(path, error.to_string()))
    }

    fn unreachable(&self, reason: String) -> ClientError {
        ClientError::Unreachable { address: self.address, reason }
    }

    fn unexpected(&self, path: &str, reason: String) -> ClientError {
        ClientError::Unexpected { address: self.address, path: path.to_owned(), reason }
    }

    fn refused(&self, path: &str, answer: &Answer) -> ClientError {
        ClientError::Refused {
            address: self.address,
            path: path.to_owned(),
            status: answer.status,
            body: first_line(&answer.body),
        }
    }
}

/// The first line of a text, cut where it gets long: for messages.
fn first_line(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    text.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).take(500).collect()
}
