//! Reading answers: bounded bodies, statuses, JSON.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::RETRY_AFTER;
use reqwest::Response;
use serde::de::DeserializeOwned;

use crate::error::{Error, words};
use crate::query::{Answer, QueryMeta};

/// As much of a refusal as is read.
const REFUSAL_MAX: usize = 64 * 1024;

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Raw {
    /// Reads up to `body_max` bytes; what the other side says about the length is not believed.
    pub(crate) async fn read(mut response: Response, body_max: usize) -> Result<Self, ReadError> {
        let status = response.status().as_u16();
        let limit = if response.status().is_success() { body_max } else { REFUSAL_MAX };
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > limit {
                return Err(ReadError::TooLarge(limit));
            }
            body.extend_from_slice(&chunk);
        }
        let headers = std::mem::take(response.headers_mut());
        Ok(Self { status, headers, body: body.freeze() })
    }

    /// The body of a success.
    pub(crate) fn success(self, address: &str) -> Result<Answer<Bytes>, Error> {
        match self.status {
            200..300 => Ok(Answer { meta: QueryMeta::of(&self.headers), value: self.body }),
            _ => Err(self.refusal(address)),
        }
    }

    /// The body of a success, or `None` for "not found", which has an index too.
    pub(crate) fn found(self, address: &str) -> Result<Answer<Option<Bytes>>, Error> {
        // A proxy's 404, and that of a path that Consul has not, bear no index and are no answer.
        if self.status == 404 && self.headers.contains_key("x-consul-index") {
            return Ok(Answer { meta: QueryMeta::of(&self.headers), value: None });
        }
        self.success(address)?.map(|body| Ok(Some(body)))
    }

    pub(crate) fn refusal(&self, address: &str) -> Error {
        Error::refused(address, self.status, &self.body, retry_after(&self.headers))
    }
}

/// Why a body could not be read.
#[derive(Debug)]
pub(crate) enum ReadError {
    Http(reqwest::Error),
    TooLarge(usize),
}

impl From<reqwest::Error> for ReadError {
    fn from(error: reqwest::Error) -> Self {
        Self::Http(error)
    }
}

/// The body as JSON.
pub(crate) fn json<T: DeserializeOwned>(body: &[u8], address: &str) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| malformed(body, address, &error))
}

pub(crate) fn malformed(body: &[u8], address: &str, error: &serde_json::Error) -> Error {
    // Values may be secrets: say where it went wrong, and show nothing but an answer that is no JSON at all.
    let message = match body.first() {
        Some(b'{' | b'[' | b'"') => format!("{:?} error at line {}", error.classify(), error.line()),
        _ => words(&body[..body.len().min(40)]),
    };
    Error::Malformed { address: address.to_owned(), message }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
