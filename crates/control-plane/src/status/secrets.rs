//! Secrets and their sources, as people may see them: never a value.

use std::sync::Arc;

use biplane_admin_api::status::{SecretState, SecretStatus, SourceState, SourceStatus};
use biplane_core::key::{Kind, ResourceRef};
use biplane_core::resources::Secret;
use biplane_source::{Cause, Phase, SecretSource};
use tokio::time::Instant;

use super::{time_of, timestamp};
use crate::engine::Engine;
use crate::secrets::{Entry, State};

/// The sources of secrets.
pub(super) fn sources(engine: &Engine, sources: &[Arc<dyn SecretSource>]) -> Vec<SourceStatus> {
    sources.iter().map(|source| status(engine, &**source)).collect()
}

fn status(engine: &Engine, source: &dyn SecretSource) -> SourceStatus {
    let name = source.name();
    let state = source.state().borrow().clone();
    let wanted = engine.secrets().wanted().values().filter(|wish| *wish.0.place.source == *name);
    let (mut objects, mut restored) = (0, false);
    for wish in wanted {
        objects += 1;
        restored |= wish.0.known.is_some();
    }
    let failing = state.phase == Phase::Failed;
    let error = state.last_error.filter(|_| failing);
    SourceStatus {
        kind: "secrets".to_owned(),
        state: match (state.phase, error.as_ref().map(|error| error.cause)) {
            // What nobody asks for is not waited for.
            (Phase::Waiting, _) if objects == 0 => SourceState::Complete,
            (Phase::Waiting, _) if restored => SourceState::Restored,
            (Phase::Waiting, _) => SourceState::Waiting,
            (Phase::Restored, _) => SourceState::Restored,
            (Phase::Complete, _) => SourceState::Complete,
            (Phase::Failed, Some(Cause::Denied)) => SourceState::Denied,
            (Phase::Failed, _) => SourceState::Failed,
        },
        objects,
        age_seconds: state
            .complete_at
            .map(|at| if failing { Instant::now().saturating_duration_since(at).as_secs() } else { 0 }),
        since: failing.then(|| time_of(state.since)),
        hint: error.as_ref().and_then(|error| error.hint.clone()),
        last_error: error.map(|error| error.message),
        details: state.details,
        name,
        ..SourceStatus::default()
    }
}

/// Every secret.
pub(super) fn secrets(engine: &Engine) -> Vec<SecretStatus> {
    engine.secrets().entries().map(|(name, entry)| secret(engine, name, entry)).collect()
}

fn secret(engine: &Engine, name: &ResourceRef, entry: &Entry) -> SecretStatus {
    let (facts, raw) = (entry.facts(), entry.raw());
    let (last_error, hint) = match &entry.state {
        State::Failed(error) => (Some(error.message.clone()), error.hint.clone()),
        _ => (entry.unfit(), None),
    };
    SecretStatus {
        namespace: name.namespace.clone(),
        name: name.name.clone(),
        form: entry.served().map(form).unwrap_or_default().to_owned(),
        state: state(entry),
        source: entry.place().map(|place| place.source.to_string()),
        place: entry.place().map(ToString::to_string),
        version: raw.and_then(|raw| raw.version),
        subject: facts.map(|facts| facts.subject.clone()),
        names: facts.map(|facts| facts.names.clone()).unwrap_or_default(),
        issuer: facts.map(|facts| facts.issuer.clone()),
        not_before: facts.map(|facts| facts.not_before),
        expires: facts.map(|facts| facts.not_after).or_else(|| raw?.expires.map(timestamp)),
        renews: raw.and_then(|raw| raw.renews).map(timestamp),
        obtained: entry.obtained(),
        rotating: entry.is_rotating(),
        users: engine.graph().referrers(&name.key(Kind::Secret)).iter().map(ToString::to_string).collect(),
        last_error,
        hint,
    }
}

/// What the last answer about a secret was.
pub(crate) fn state(entry: &Entry) -> SecretState {
    match &entry.state {
        _ if entry.unfit().is_some() => SecretState::Unfit,
        State::Known => SecretState::Known,
        State::Absent => SecretState::Absent,
        State::Failed(_) => SecretState::Failed,
        State::Waiting if entry.served().is_some() => SecretState::Restored,
        State::Waiting if !entry.is_named => SecretState::Unused,
        State::Waiting => SecretState::Waiting,
    }
}

/// The name of the form that a secret has.
fn form(secret: &Secret) -> &'static str {
    let forms = [
        (secret.tls.is_some(), "tls"),
        (secret.header.is_some(), "header"),
        (secret.credentials.is_some(), "credentials"),
        (secret.api_key.is_some(), "apiKey"),
        (secret.aws.is_some(), "aws"),
        (secret.azure.is_some(), "azure"),
        (secret.oauth.is_some(), "oauth"),
        (secret.encryption.is_some(), "encryption"),
        (secret.generic.is_some(), "generic"),
    ];
    forms.into_iter().find(|(has, _)| *has).map_or("", |(_, form)| form)
}
