//! The xDS server's certificate of a source of secrets on disk, sealed: a restart shows it until the source answers.
//!
//! Invariant: it counts for the question that it was the answer to.

use std::sync::{Arc, OnceLock};

use biplane_core::key::ResourceRef;
use biplane_source::Secret;
use tokio::task::spawn_blocking;
use tracing::warn;

use crate::secrets::{Answer, KeptSecret};
use crate::snapshot::SnapshotDirectory;

const FILE: &str = "xds-certificate";

/// What the last run showed, and what is kept of this one. Without a directory nothing is.
#[derive(Debug, Default)]
pub(super) struct KeptCertificate(OnceLock<Arc<SnapshotDirectory>>);

impl KeptCertificate {
    /// Keeps it there from now on.
    pub(super) fn keep_in(&self, directory: Arc<SnapshotDirectory>) {
        // The process has one for all its life.
        let _ = self.0.set(directory);
    }

    /// What the last run was answered to the same question.
    pub(super) async fn find(&self, question: &str) -> Option<Arc<Secret>> {
        let directory = self.0.get()?.clone();
        let kept = spawn_blocking(move || directory.kept(FILE)).await.expect("reading does not panic");
        let text = kept.unwrap_or_else(|error| {
            warn!(%error, "the xDS server's certificate of the last run cannot be read");
            None
        });
        let answer = KeptSecret::from_text(ResourceRef::default(), &text?)?.answer?;
        (answer.question == question).then_some(answer.secret)
    }

    /// Keeps what is shown now.
    pub(super) async fn keep(&self, question: &str, secret: Arc<Secret>) {
        let Some(directory) = self.0.get().cloned() else { return };
        let answer = Some(Answer { question: question.to_owned(), secret });
        let text = KeptSecret { name: ResourceRef::default(), answer, held: None }.to_text();
        let kept = spawn_blocking(move || directory.keep(FILE, &text)).await.expect("writing does not panic");
        if let Err(error) = kept {
            warn!(%error, "the xDS server's certificate is not kept for a restart");
        }
    }
}
