//! What Envoy and a control plane say to each other, as a bystander hears it: which response was sent when, and
//! when Envoy accepted it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::message::{Head, Side};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// A pause of this length ends a conversation.
const QUIET: Duration = Duration::from_millis(10);

/// One message.
#[derive(Debug)]
pub(crate) struct Heard {
    /// When its last byte passed.
    pub(crate) at: Instant,
    /// Who sent it.
    pub(crate) side: Side,
    /// What it says.
    pub(crate) head: Head,
}

/// A response and its acceptance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    /// When Envoy's ACK passed.
    pub(crate) acknowledged: Instant,
}

/// Listens to both sides.
#[derive(Debug)]
pub(crate) struct Exchange {
    heard: mpsc::UnboundedReceiver<Heard>,
    /// Type and nonce of the responses that Envoy owes an answer.
    outstanding: BTreeSet<(String, String)>,
}

impl Exchange {
    /// A listener and what to tell it through.
    pub(crate) fn new() -> (mpsc::UnboundedSender<Heard>, Self) {
        let (sender, heard) = mpsc::unbounded_channel();
        (sender, Self { heard, outstanding: BTreeSet::new() })
    }

    /// Waits for a response of a type and for its ACK.
    pub(crate) async fn round(&mut self, type_url: &str) -> Result<Round> {
        let nonce = loop {
            let heard = self.next().await?;
            if heard.side == Side::Server && heard.head.type_url == type_url {
                break heard.head.nonce;
            }
        };
        loop {
            let heard = self.next().await?;
            let answers = heard.head.type_url == type_url && heard.head.nonce == nonce;
            if heard.side == Side::Envoy && answers {
                return Ok(Round { acknowledged: heard.at });
            }
        }
    }

    /// Waits until every response is accepted and nobody says anything more.
    pub(crate) async fn settle(&mut self) -> Result<()> {
        while let Some(next) = self.next_before_quiet().await {
            next?;
        }
        Ok(())
    }

    async fn next_before_quiet(&mut self) -> Option<Result<Heard>> {
        if !self.outstanding.is_empty() {
            return Some(self.next().await);
        }
        timeout(QUIET, self.next()).await.ok()
    }

    /// The next message. A refusal is an error: a benchmark of refused updates is worth nothing.
    async fn next(&mut self) -> Result<Heard> {
        let heard = timeout(PATIENCE, self.heard.recv()).await;
        let heard = heard.context("nobody says anything")?.context("both sides have gone")?;
        let Head { type_url, nonce, .. } = &heard.head;
        ensure!(!heard.head.refused, "Envoy refuses a response of {type_url}");
        let response = (type_url.clone(), nonce.clone());
        match heard.side {
            Side::Server => drop(self.outstanding.insert(response)),
            Side::Envoy => drop(self.outstanding.remove(&response)),
        }
        Ok(heard)
    }
}
