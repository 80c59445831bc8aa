//! Reading answers: bounded bodies, JSON, and what is said beside it.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::RETRY_AFTER;
use reqwest::Response;
use serde::de::DeserializeOwned;

/// The largest body that is read: thousands of allocations with the history of their tasks.
pub(super) const BODY_MAX: usize = 64 * 1024 * 1024;

/// As much of a refusal as is read.
const REFUSAL_MAX: usize = 64 * 1024;

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// If it is a read's.
    pub(crate) meta: Option<Meta>,
    /// Where the next page begins, if there is one.
    pub(crate) next: Option<String>,
    pub(super) retry_after: Option<Duration>,
    pub(crate) body: Bytes,
}

/// How far an answer may be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Meta {
    /// When what was asked for last changed. It never goes back, unless the servers have forgotten something.
    pub(crate) index: u64,
    /// Whether the server that answered knows a leader.
    pub(crate) known_leader: bool,
    /// How long ago it heard from that.
    pub(crate) last_contact: Duration,
}

/// Why there is none.
pub(super) enum ReadError {
    Http(reqwest::Error),
    TooLarge,
}

impl Answer {
    /// Reads up to a limit; what the other side says about the length is not believed.
    pub(super) async fn read(mut response: Response) -> Result<Self, ReadError> {
        let status = response.status().as_u16();
        let most = if response.status().is_success() { BODY_MAX } else { REFUSAL_MAX };
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(ReadError::Http)? {
            if body.len() + chunk.len() > most {
                return Err(ReadError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        let headers = response.headers();
        let next = text(headers, "x-nomad-nexttoken").filter(|token| !token.is_empty());
        Ok(Self {
            status,
            meta: Meta::of(headers),
            next: next.map(str::to_owned),
            retry_after: retry_after(headers),
            body: body.freeze(),
        })
    }

    /// The body as JSON. The error's own words may show values.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.body).ok()
    }
}

impl Meta {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let number = |name| text(headers, name).and_then(|text| text.parse::<u64>().ok());
        Some(Self {
            index: number("x-nomad-index")?,
            known_leader: text(headers, "x-nomad-knownleader") != Some("false"),
            last_contact: Duration::from_millis(number("x-nomad-lastcontact").unwrap_or(0)),
        })
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(pairs: &[(&'static str, &'static str)]) -> Option<Meta> {
        let headers = pairs.iter().map(|(name, value)| {
            (http::HeaderName::from_static(name), http::HeaderValue::from_static(value))
        });
        Meta::of(&headers.collect())
    }

    #[test]
    fn an_answer_without_an_index_is_no_read() {
        assert_eq!(meta(&[("x-nomad-knownleader", "true")]), None);
        assert_eq!(meta(&[("x-nomad-index", "x")]), None);
        let whole = meta(&[
            ("x-nomad-index", "7"),
            ("x-nomad-knownleader", "false"),
            ("x-nomad-lastcontact", "1500"),
        ]);
        let expected = Meta { index: 7, known_leader: false, last_contact: Duration::from_millis(1500) };
        assert_eq!(whole, Some(expected));
    }
}
