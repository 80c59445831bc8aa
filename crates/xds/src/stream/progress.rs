//! How far a client is, for status pages.

use std::sync::Arc;
use std::time::Instant;

use super::Stream;
use super::table::{Refusal, Table};
use crate::resource::{ResourceName, ResourceType, Version};

/// How far a client is with one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The type.
    pub kind: ResourceType,
    /// How many resources it asks for, as far as they exist.
    pub subscribed: usize,
    /// How many it was sent.
    pub sent: usize,
    /// How many of those it has confirmed.
    pub acked: usize,
    /// Whether something was sent that it has not answered yet.
    pub pending: bool,
    /// When it confirmed last.
    pub last_ack: Option<Instant>,
}

/// What a client has refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The resource; nothing if none can be blamed.
    pub resource: Option<ResourceName>,
    /// The version; nothing for a removal.
    pub version: Option<Version>,
    /// What the client said.
    pub error: String,
    /// The objects to blame.
    pub origins: Arc<[Arc<str>]>,
    /// When.
    pub at: Instant,
}

impl Stream {
    /// How far the client is, for each type that it has asked for.
    pub fn progress(&self) -> impl Iterator<Item = Progress> + '_ {
        let asked = ResourceType::ALL.into_iter().filter(|kind| self.table(*kind).requested);
        asked.map(|kind| self.progress_of(kind))
    }

    /// What the client has refused and has not been given a better version of.
    pub fn refused(&self) -> Vec<Refused> {
        ResourceType::ALL.into_iter().flat_map(|kind| refused(kind, self.table(kind))).collect()
    }

    fn progress_of(&self, kind: ResourceType) -> Progress {
        let table = self.table(kind);
        let subscription = &table.subscription;
        let (sent, unanswered) = (table.held.len(), table.unanswered() + table.refused.len());
        Progress {
            kind,
            subscribed: if subscription.wildcard {
                self.snapshot.count(kind)
            } else {
                subscription.names.len()
            },
            sent,
            acked: sent.saturating_sub(unanswered),
            pending: !table.outstanding.is_empty(),
            last_ack: table.last_ack,
        }
    }
}

fn refused(kind: ResourceType, table: &Table) -> impl Iterator<Item = Refused> + '_ {
    let resources = table.refused.iter().map(move |(name, refusal)| {
        let resource = ResourceName { kind, name: name.clone() };
        report(Some(resource), refusal)
    });
    resources.chain(table.refused_all.iter().map(|refusal| report(None, refusal)))
}

fn report(resource: Option<ResourceName>, refusal: &Refusal) -> Refused {
    let Refusal { version, error, origins, at } = refusal.clone();
    Refused { resource, version, error, origins, at }
}
