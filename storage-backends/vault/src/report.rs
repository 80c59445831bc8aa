//! What status sees: where the source stands, what went wrong last, how it is logged in. Nothing secret.

use std::sync::Arc;
use std::time::SystemTime;

use biplane_source::{Phase, SourceError, SourceState};
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::client::{Client, Plain};
use crate::options::VaultOptions;
use crate::time::rfc3339;

/// Keeps the state up to date. Clones share it.
#[derive(Clone)]
pub(crate) struct Report {
    state: Arc<watch::Sender<SourceState>>,
}

/// What a server tells anybody about itself.
#[derive(Deserialize)]
struct SealStatus {
    version: Option<String>,
}

impl Report {
    pub(crate) fn new(options: &VaultOptions) -> Self {
        let mut state = SourceState::waiting(&*options.name, options.required, Instant::now());
        let mut detail = |name: &str, value: String| state.details.insert(name.to_owned(), value);
        detail("address", options.address.to_string());
        detail("auth", options.auth.describe());
        if let Some(namespace) = &options.namespace {
            detail("namespace", namespace.clone());
        }
        Self { state: Arc::new(watch::Sender::new(state)) }
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<SourceState> {
        self.state.subscribe()
    }

    /// There is a token, until then.
    pub(crate) fn logged_in(&self, auth: &str, ends: Option<SystemTime>) {
        let ends = ends.map_or_else(|| "it has no end".to_owned(), rfc3339);
        self.state.send_modify(|state| {
            state.details.insert("auth".to_owned(), auth.to_owned());
            state.details.insert("token until".to_owned(), ends);
        });
        self.answered();
    }

    /// A question was answered.
    pub(crate) fn answered(&self) {
        self.state.send_if_modified(|state| {
            let is_news = state.phase != Phase::Complete;
            if is_news {
                state.complete(Instant::now());
            }
            is_news
        });
    }

    /// The server as a whole could not answer.
    pub(crate) fn down(&self, error: &SourceError) {
        self.state.send_if_modified(|state| {
            let is_news = state.phase != Phase::Failed || state.last_error.as_ref() != Some(error);
            if is_news {
                state.failed(error.clone(), Instant::now());
            }
            is_news
        });
    }

    /// One question was not answered as hoped, which says nothing of others.
    pub(crate) fn refused(&self, error: &SourceError) {
        self.state.send_if_modified(|state| {
            let is_news = state.last_error.as_ref() != Some(error);
            if is_news {
                state.last_error = Some(error.clone());
            }
            is_news
        });
    }

    /// Asks for the server's version, if it tells. Nothing depends on it.
    pub(crate) async fn version(&self, client: &Client) {
        // The health endpoint answers standbys with an error, and this one never.
        let Ok(call) = client.root_call("ask for the version", Plain::get("sys/seal-status")) else { return };
        let Ok(answer) = client.send(&call, None).await else { return };
        let status = serde_json::from_slice::<SealStatus>(&answer.body).ok();
        if let Some(version) = status.and_then(|status| status.version) {
            self.state.send_modify(|state| {
                state.details.insert("version".to_owned(), version);
            });
        }
    }
}
