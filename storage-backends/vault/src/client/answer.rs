//! Reading answers: bounded bodies in memory that is wiped, JSON that may have more or less in it than we know.

use std::time::Duration;

use biplane_core::scalars::SecretString;
use http::header::RETRY_AFTER;
use reqwest::Response;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

/// The largest body that is read. Vault itself takes no request above 32 MiB, and values of about 1 MiB.
const BODY_MAX: usize = 8 * 1024 * 1024;

/// The room that a body gets at first.
const ROOM: usize = 8 * 1024;

/// A whole answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Zeroizing<Vec<u8>>,
}

/// Why there is none.
pub(super) enum ReadError {
    Http(reqwest::Error),
    TooLarge,
}

/// What every answer is wrapped in.
#[derive(Deserialize)]
pub(crate) struct Envelope<T> {
    pub(crate) data: Option<T>,
    pub(crate) auth: Option<Grant>,
    /// What the life of credentials is renewed by.
    #[serde(default)]
    pub(crate) lease_id: Option<SecretString>,
    /// In seconds.
    #[serde(default)]
    pub(crate) lease_duration: u64,
    #[serde(default)]
    pub(crate) renewable: bool,
    #[serde(default)]
    pub(crate) warnings: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) errors: Option<Vec<String>>,
}

/// A token as a login or a renewal gives it.
#[derive(Deserialize)]
pub(crate) struct Grant {
    pub(crate) client_token: SecretString,
    /// In seconds; 0: it does not end.
    #[serde(default)]
    pub(crate) lease_duration: u64,
    #[serde(default)]
    pub(crate) renewable: bool,
}

/// Any JSON, where only the envelope counts.
pub(crate) type Json = serde::de::IgnoredAny;

impl Answer {
    /// Reads up to a limit; what the other side says about the length is not believed.
    pub(super) async fn read(mut response: Response) -> Result<Self, ReadError> {
        let status = response.status().as_u16();
        let retry_after = retry_after(&response);
        let mut body = Zeroizing::new(Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(ReadError::Http)? {
            if body.len() + chunk.len() > BODY_MAX {
                return Err(ReadError::TooLarge);
            }
            append(&mut body, &chunk);
        }
        Ok(Self { status, retry_after, body })
    }

    /// The envelope; `None` if the body is something else than Vault's.
    pub(crate) fn envelope<T: DeserializeOwned>(&self) -> Option<Envelope<T>> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// Like `extend`, but what grows out of its place is wiped there.
fn append(body: &mut Zeroizing<Vec<u8>>, chunk: &[u8]) {
    let needed = body.len() + chunk.len();
    if needed > body.capacity() {
        let mut larger = Vec::with_capacity(needed.max(body.capacity() * 2).max(ROOM));
        larger.extend_from_slice(body);
        *body = Zeroizing::new(larger);
    }
    body.extend_from_slice(chunk);
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_grows_without_losing_anything() {
        let mut body = Zeroizing::new(Vec::new());
        let whole: Vec<u8> = (0..100_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        for chunk in whole.chunks(7_001) {
            append(&mut body, chunk);
        }
        assert_eq!(*body, whole);
    }

    #[test]
    fn an_envelope_may_lack_everything() {
        let answer = |body: &str| Answer {
            status: 200,
            retry_after: None,
            body: Zeroizing::new(body.as_bytes().to_vec()),
        };
        let envelope = answer("{}").envelope::<Json>().expect("an envelope");
        assert!(envelope.data.is_none() && envelope.auth.is_none());
        assert!(answer("<html>").envelope::<Json>().is_none());
    }
}
