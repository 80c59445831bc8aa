//! Keys behind a URL.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use biplane_source::{KeySource, SourceError};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Url};

use crate::LARGEST;

/// How long the whole of an answer may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// A URL with a key set.
#[derive(Debug)]
pub(crate) struct HttpKeys {
    url: Url,
    client: Client,
}

impl HttpKeys {
    pub(crate) fn open(place: &str, ca_file: Option<&Path>) -> Result<Self, SourceError> {
        let url: Url = place.parse().map_err(|_| SourceError::invalid("the place of the keys is no URL"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(SourceError::invalid("keys are public: their URL takes no credentials"));
        }
        if url.scheme() == "http" && !is_local(&url) {
            let error = SourceError::invalid(format!(
                "keys from {url} could be anybody's: the way there is in the clear"
            ));
            return Err(
                error.hint("use https://, or ask an agent on this machine: http://127.0.0.1:4646/...")
            );
        }
        let builder = Client::builder()
            .user_agent(concat!("biplane/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(DEADLINE)
            .timeout(DEADLINE);
        let builder = match (url.scheme(), ca_file) {
            ("https", Some(path)) => builder.tls_certs_only(authorities(path)?),
            ("https", None) => builder,
            // A machine without authorities is no reason to fail where nobody has to be trusted.
            _ => builder.tls_certs_only([]),
        };
        let client = builder.build().map_err(|error| {
            SourceError::invalid(format!("no connection to {url} can be made: {}", root_cause(&error)))
        })?;
        Ok(Self { url, client })
    }

    async fn ask(&self) -> Result<Vec<u8>, SourceError> {
        let unreadable =
            |error: reqwest::Error| SourceError::new(format!("{}: {}", self.url, root_cause(&error)));
        let mut answer = self.client.get(self.url.clone()).send().await.map_err(unreadable)?;
        if answer.status() != reqwest::StatusCode::OK {
            return Err(SourceError::new(format!("{} answers with {}", self.url, answer.status().as_u16())));
        }
        let mut text = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(unreadable)? {
            if text.len() + chunk.len() > LARGEST {
                return Err(SourceError::invalid(format!("{} answers with more than 1 MiB", self.url)));
            }
            text.extend_from_slice(&chunk);
        }
        Ok(text)
    }
}

#[async_trait]
impl KeySource for HttpKeys {
    fn place(&self) -> String {
        self.url.to_string()
    }

    async fn fetch(&self) -> Result<Vec<u8>, SourceError> {
        self.ask().await
    }
}

fn is_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

fn authorities(path: &Path) -> Result<Vec<Certificate>, SourceError> {
    let unusable = |why: String| {
        SourceError::invalid(format!("{} cannot be used as an authority: {why}", path.display()))
    };
    let text = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
    let certificates = Certificate::from_pem_bundle(&text).map_err(|error| unusable(root_cause(&error)))?;
    if certificates.is_empty() {
        return Err(unusable("it holds no certificate in PEM".to_owned()));
    }
    Ok(certificates)
}

/// The innermost reason: the layers above only say that there is one.
fn root_cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use biplane_testkit::Upstream;

    use crate::open;

    #[test]
    fn keys_are_not_asked_for_in_the_clear_beyond_this_machine() {
        let error = open("http://nomad.example:4646/.well-known/jwks.json", None).expect_err("refused");
        assert!(error.message.contains("in the clear") && error.hint.is_some(), "{error}");
        for local in ["http://127.0.0.1:4646/x", "http://[::1]:4646/x", "http://localhost/x", "https://h/x"] {
            open(local, None).expect(local);
        }
        assert!(open("https://user:canary@h/x", None).is_err_and(|error| !error.message.contains("canary")));
        assert!(open("vault://h/x", None).is_err());
    }

    #[tokio::test]
    async fn an_answer_that_is_none_is_a_failure_and_says_where() {
        let server = Upstream::start("keys");
        let keys = open(&format!("http://{}/keys", server.address()), None).expect("a source");
        keys.fetch().await.expect("an answer");
        server.behave(|behaviour| behaviour.status = 503);
        let error = keys.fetch().await.expect_err("refused");
        assert!(error.message.contains("503") && error.message.contains("/keys"), "{error}");
        drop(server);
        keys.fetch().await.expect_err("nobody there");
    }

    #[tokio::test]
    async fn a_file_is_read_anew_each_time_and_a_missing_one_is_a_failure() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("jwks.json");
        let keys = open(path.to_str().expect("text"), None).expect("a source");
        keys.fetch().await.expect_err("not there yet");
        std::fs::write(&path, "one").expect("written");
        assert_eq!(keys.fetch().await.as_deref(), Ok(&b"one"[..]));
    }
}
