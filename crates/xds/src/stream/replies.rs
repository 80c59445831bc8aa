//! ACKs and NACKs. A nonce pairs a reply with its response; a reply to none of ours is no reply.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Stream;
use super::table::{Item, Outstanding, Refusal, same};
use crate::resource::{ResourceName, ResourceType};
use crate::wire::ErrorDetail;

/// What a request said about an earlier response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Nothing, or nothing about a response that is unanswered.
    None,
    /// The response was taken.
    Accepted {
        /// From the publication of what it brought to the reply.
        after: Duration,
    },
    /// The response was refused.
    Refused {
        /// What the client said.
        error: String,
        /// How many resources the response had: one is to blame for itself, of more it is not known yet.
        resources: usize,
        /// The name of the first of them.
        first: Option<ResourceName>,
    },
}

impl Stream {
    pub(super) fn take_reply(
        &mut self,
        kind: ResourceType,
        nonce: &str,
        error: Option<ErrorDetail>,
        now: Instant,
    ) -> Reply {
        let Ok(nonce) = nonce.parse::<u64>() else { return Reply::None };
        let table = self.table_mut(kind);
        let Some(place) = table.outstanding.iter().position(|response| response.nonce == nonce) else {
            return Reply::None;
        };
        // Responses are taken in order: one that was passed over has been taken too.
        let mut answered: Vec<Outstanding> = table.outstanding.drain(..=place).collect();
        let last = answered.pop().expect("the response at `place` was drained");
        for response in answered {
            self.accept(kind, response, now);
        }
        let after = now.saturating_duration_since(last.published);
        match error {
            None => {
                self.accept(kind, last, now);
                Reply::Accepted { after }
            }
            Some(error) => self.refuse(kind, last, &error.message, now),
        }
    }

    fn accept(&mut self, kind: ResourceType, mut response: Outstanding, now: Instant) {
        let table = self.table_mut(kind);
        for item in &response.items {
            table.accept_body(item);
        }
        table.retain_current(&mut response);
        table.last_ack = Some(now);
        table.refused_all = None;
        for item in response.items {
            self.accept_item(kind, &item);
            if kind == ResourceType::Endpoint {
                self.endpoints_confirmed(&item.name, response.nonce);
            }
            if kind == ResourceType::Cluster && self.confirmed(kind, &item) {
                self.cluster_ready(&item.name);
            }
            self.release(&ResourceName { kind, name: item.name });
        }
    }

    fn accept_item(&mut self, kind: ResourceType, item: &Item) {
        let table = self.table_mut(kind);
        let Some(held) = table.held.get_mut(&item.name) else { return };
        match &item.stamp {
            Some(stamp) => held.accepted = Some(stamp.clone()),
            // Of an EDS name that is gone nothing was taken, and what was sent again since is still there.
            None if held.taken => {
                table.held.remove(&item.name);
            }
            None => {}
        }
        self.note_held(kind, &item.name);
    }

    fn endpoints_confirmed(&mut self, name: &Arc<str>, nonce: u64) {
        let Some(waiting) = self.warming.get_mut(name) else { return };
        let (warm, cold): (Vec<_>, Vec<_>) =
            std::mem::take(waiting).into_iter().partition(|warming| warming.after < nonce);
        *waiting = cold;
        if waiting.is_empty() {
            self.warming.remove(name);
        }
        for warming in &warm {
            self.cluster_ready(&warming.cluster);
        }
    }

    /// A refused response may have been taken in part, or not at all. One resource alone is to blame
    /// for itself; of several, each half is sent again until the guilty one is alone.
    fn refuse(&mut self, kind: ResourceType, mut response: Outstanding, error: &str, now: Instant) -> Reply {
        let repeats_all = self.repeats_all(kind);
        let all = response.items.len();
        self.table_mut(kind).retain_current(&mut response);
        let outdated = all - response.items.len();
        let mut items = response.items;
        // What was only repeated, and confirmed meanwhile, is not to blame, and is settled.
        for item in items.extract_if(.., |item| repeats_all && self.confirmed(kind, item)).collect::<Vec<_>>()
        {
            self.release(&ResourceName { kind, name: item.name });
        }
        let resources = items.len();
        let first = items.first().map(|item| ResourceName { kind, name: item.name.clone() });
        let reply = Reply::Refused { error: error.to_owned(), resources, first };
        if repeats_all && !self.table(kind).outstanding.is_empty() {
            // A later response repeats all of it: what the client says to that one counts.
            return reply;
        }
        if repeats_all && self.table(kind).last_ack.is_none() {
            // Whatever the client holds from an earlier stream is still to be replaced by a set that it takes.
            self.table_mut(kind).answer_by = Some(now);
        }
        for item in &items {
            self.take_back(kind, item);
            self.release(&ResourceName { kind, name: item.name.clone() });
        }
        match &*items {
            [] if outdated > 0 => {}
            [] => self.table_mut(kind).refused_all = Some(refusal(error, now)),
            [item] if outdated == 0 => self.blame(kind, item, error, now),
            // Something that is no more may have been to blame.
            [item] => self.table_mut(kind).suspects.push_back(vec![item.name.clone()]),
            items => {
                let names: Vec<_> = items.iter().map(|item| item.name.clone()).collect();
                let (one, other) = names.split_at(names.len() / 2);
                self.table_mut(kind).suspects.extend([one.to_vec(), other.to_vec()]);
            }
        }
        reply
    }

    /// Whether an entry is what the client has confirmed last.
    fn confirmed(&self, kind: ResourceType, item: &Item) -> bool {
        let held = self.table(kind).held.get(&item.name);
        item.stamp.is_some() && held.is_some_and(|held| same(held.accepted.as_ref(), item.stamp.as_ref()))
    }

    /// The client may or may not hold what it refused.
    fn take_back(&mut self, kind: ResourceType, item: &Item) {
        let table = self.table_mut(kind);
        if let Some(bodies) = table.bodies.get_mut(&item.name)
            && bodies.sent_is(item)
        {
            bodies.sent.clone_from(&bodies.accepted);
        }
        let Some(held) = table.held.get_mut(&item.name) else { return };
        let newest = match &item.stamp {
            None => held.taken,
            stamp => !held.taken && same(held.sent.as_ref(), stamp.as_ref()),
        };
        if newest {
            held.sent = None;
            held.taken = false;
            // Time or endpoints may have made it look ready; there is no cluster if the first was refused.
            held.ready = held.accepted.is_some();
        }
    }

    fn blame(&mut self, kind: ResourceType, item: &Item, error: &str, now: Instant) {
        let current = self.snapshot.get(kind, &item.name).cloned();
        let version = item.stamp.as_ref().and_then(|stamp| stamp.version);
        let table = self.table_mut(kind);
        if item.stamp.is_none() {
            table.held.remove(&item.name);
            table.bodies.remove(&item.name);
        }
        // If it has changed since, the change is still to be sent, and the refusal is history.
        if current.as_ref().map(|current| current.version) == version && table.subscription.covers(&item.name)
        {
            let origins = current.map_or_else(|| Arc::from([]), |current| current.origins.clone());
            table.refused.insert(item.name.clone(), Refusal { version, origins, ..refusal(error, now) });
        }
        table.owe(&item.name);
    }
}

fn refusal(error: &str, now: Instant) -> Refusal {
    Refusal { version: None, error: error.to_owned(), origins: Arc::from([]), at: now }
}
