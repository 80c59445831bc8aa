//! The store: how its last reading ended, how old is what is served, and what of it is not believed.

use std::collections::BTreeMap;

use biplane_admin_api::status::{Gate as GateStatus, GateState, HeldRemoval, SourceState, SourceStatus};
use biplane_core::key::ObjectKey;
use biplane_store::{StoreError, clock};
use tokio::time::Instant;

use super::time_of;
use crate::engine::{Engine, Failure, Gate};
use crate::guard::{Held, Reason, Suspicion, Withheld};

/// Whether first answers go out.
pub(super) fn gate(engine: &Engine, store: &str) -> GateStatus {
    let awaited = engine.awaited_sources();
    let (state, waiting_for) = match engine.gate() {
        Gate::Restored | Gate::Open if !awaited.is_empty() => (GateState::Waiting, awaited),
        Gate::Waiting => (GateState::Waiting, vec![store.to_owned()]),
        Gate::Restored => (GateState::Restored, vec![store.to_owned()]),
        Gate::Open => (GateState::Open, Vec::new()),
    };
    GateStatus { state, waiting_for }
}

/// The store as a source.
pub(super) fn source(engine: &Engine, name: &str) -> SourceStatus {
    let (store, guard) = (engine.store(), engine.guard());
    let (error, suspicion) = (store.failure.as_ref(), guard.suspicion());
    SourceStatus {
        name: name.to_owned(),
        kind: "store".to_owned(),
        state: state(engine),
        identity: store.identity.as_ref().map(ToString::to_string),
        revision: store.revision.map(|revision| revision.to_string()),
        objects: engine.graph().counts().values().map(|count| *count as u64).sum(),
        age_seconds: age(engine),
        since: error
            .map(|failure| failure.since)
            .or_else(|| suspicion.map(|suspicion| suspicion.since))
            .or_else(|| engine.doubt().map(|doubt| doubt.since))
            .map(time_of),
        last_error: error.map(|failure| failure.error.to_string()),
        reason: suspicion
            .map(|suspicion| suspicion.reason.to_string())
            .or_else(|| engine.doubt().map(|doubt| doubt.reason.clone())),
        hint: error.map_or_else(|| is_suspect(engine).then(|| guard.hint()), hint),
        held: guard.held().iter().map(|(key, held)| removal(key, held, suspicion)).collect(),
        held_tag: engine.held_tag(),
        details: BTreeMap::new(),
    }
}

fn state(engine: &Engine) -> SourceState {
    let store = engine.store();
    match (engine.gate(), &store.failure) {
        (Gate::Restored, Some(_)) => SourceState::Restored,
        (_, Some(Failure { error: StoreError::Denied { .. }, .. })) => SourceState::Denied,
        (_, Some(Failure { error: StoreError::Unmarked { .. }, .. })) => SourceState::Unmarked,
        (_, Some(_)) => SourceState::Failed,
        _ if is_suspect(engine) => SourceState::Suspect,
        (Gate::Waiting, None) => SourceState::Waiting,
        (_, None) => SourceState::Complete,
    }
}

fn is_suspect(engine: &Engine) -> bool {
    engine.guard().suspicion().is_some() || engine.doubt().is_some()
}

/// How old is what is served: nothing to say before there is something.
fn age(engine: &Engine) -> Option<u64> {
    if engine.gate() == Gate::Waiting {
        return None;
    }
    let now = clock::now();
    let read_at = engine.store().read_at(Instant::now(), now)?;
    u64::try_from(now.0.saturating_sub(read_at.0)).ok()
}

fn hint(failure: &Failure) -> Option<String> {
    failure.error.hint().map(str::to_owned)
}

fn removal(key: &ObjectKey, held: &Held, suspicion: Option<&Suspicion>) -> HeldRemoval {
    let elsewhere = suspicion.is_some_and(|suspicion| matches!(suspicion.reason, Reason::Identity { .. }));
    let what = match held.what {
        Withheld::Removal => "the store does not show it any more",
        Withheld::Older(_) if elsewhere => "the other store shows another version of it",
        Withheld::Older(_) => "the store shows an older version of it",
    };
    HeldRemoval { object: key.to_string(), since: time_of(held.since), what: what.to_owned() }
}
