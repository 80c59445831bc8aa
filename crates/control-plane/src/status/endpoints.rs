//! Endpoints and their sources, as people may see them.

use std::sync::Arc;

use biplane_admin_api::status::{
    EndpointStatus, EndpointsState, EndpointsStatus, HeldRemoval, SourceState, SourceStatus,
};
use biplane_core::key::{Kind, ResourceRef};
use biplane_core::resources::{Endpoint, Upstream};
use biplane_source::{Cause, EndpointSource, Health, Phase};
use tokio::time::Instant;

use super::time_of;
use crate::discovery::{Answer, Asker, State};
use crate::engine::Engine;

/// The sources of endpoints.
pub(super) fn sources(engine: &Engine, sources: &[Arc<dyn EndpointSource>]) -> Vec<SourceStatus> {
    sources.iter().map(|source| status(engine, &**source)).collect()
}

fn status(engine: &Engine, source: &dyn EndpointSource) -> SourceStatus {
    let name = source.name();
    let state = source.state().borrow().clone();
    let objects = engine.discovery().wanted().keys().filter(|question| *question.source == *name).count();
    let held = engine.discovery().doubted(&name);
    let held = held + engine.held_made(&name);
    let failing = state.phase == Phase::Failed;
    let error = state.last_error.filter(|_| failing);
    let hint = error.as_ref().and_then(|error| error.hint.clone());
    SourceStatus {
        kind: "endpoints".to_owned(),
        state: match (state.phase, error.as_ref().map(|error| error.cause)) {
            _ if held > 0 => SourceState::Suspect,
            // What nobody asks for is not waited for.
            (Phase::Waiting, _) if objects == 0 => SourceState::Complete,
            (Phase::Waiting, _) => SourceState::Waiting,
            (Phase::Restored, _) => SourceState::Restored,
            (Phase::Complete, _) => SourceState::Complete,
            (Phase::Failed, Some(Cause::Denied)) => SourceState::Denied,
            (Phase::Failed, Some(Cause::Suspect)) => SourceState::Suspect,
            (Phase::Failed, _) => SourceState::Failed,
        },
        objects: objects as u64,
        age_seconds: state
            .complete_at
            .map(|at| if failing { Instant::now().saturating_duration_since(at).as_secs() } else { 0 }),
        since: failing.then(|| time_of(state.since)),
        reason: (held > 0)
            .then(|| format!("{held} services have vanished; what was known of them stays in use")),
        hint: hint.or_else(|| {
            (held > 0).then(|| format!("if they are meant to be gone: biplane source accept {name}"))
        }),
        last_error: error.map(|error| error.message),
        details: state.details,
        held: removals(engine, &name),
        name,
        ..SourceStatus::default()
    }
}

/// The upstreams whose endpoints are held.
fn removals(engine: &Engine, source: &str) -> Vec<HeldRemoval> {
    let held = engine.discovery().askers().filter(|(_, asker, answer)| {
        let is_of = asker.question.as_ref().is_ok_and(|question| *question.source == *source);
        is_of && answer.is_some_and(Answer::is_doubted)
    });
    let removal = |(name, _, answer): (&ResourceRef, &Asker, Option<&Answer>)| HeldRemoval {
        object: name.key(Kind::Upstream).to_string(),
        since: time_of(answer.and_then(|answer| answer.read).unwrap_or_else(Instant::now)),
        what: match answer.map(|answer| &answer.state) {
            Some(State::Failed(error)) => error.message.clone(),
            _ => "the source shows no endpoint of it any more".to_owned(),
        },
    };
    held.map(removal).collect()
}

/// The endpoints of every upstream, in order of names.
pub(super) fn endpoints(engine: &Engine) -> Vec<EndpointsStatus> {
    let upstreams = engine.graph().upstreams();
    upstreams.into_iter().map(|(name, upstream)| of(engine, name, upstream)).collect()
}

/// The endpoints of one upstream.
pub(crate) fn of(engine: &Engine, name: &ResourceRef, upstream: &Upstream) -> EndpointsStatus {
    let users = engine.graph().referrers(&name.key(Kind::Upstream));
    let known = EndpointsStatus {
        namespace: name.namespace.clone(),
        name: name.name.clone(),
        users: users.iter().map(ToString::to_string).collect(),
        ..EndpointsStatus::default()
    };
    match engine.discovery().asker(name) {
        Some((asker, answer)) => looked_up(known, asker, answer),
        None => written(known, upstream),
    }
}

fn written(known: EndpointsStatus, upstream: &Upstream) -> EndpointsStatus {
    let hosts = upstream.r#static.iter().flat_map(|hosts| &hosts.hosts).map(|host| EndpointStatus {
        address: if host.addr.contains(':') {
            format!("[{}]:{}", host.addr, host.port)
        } else {
            format!("{}:{}", host.addr, host.port)
        },
        health: "unknown".to_owned(),
        weight: host.load_balancing_weight.unwrap_or(1),
        metadata: host.metadata.clone(),
        ..EndpointStatus::default()
    });
    let pipe = upstream.pipe.iter().map(|pipe| EndpointStatus {
        address: pipe.path.clone(),
        health: "unknown".to_owned(),
        weight: 1,
        ..EndpointStatus::default()
    });
    EndpointsStatus {
        kind: if upstream.pipe.is_some() { "pipe" } else { "static" }.to_owned(),
        state: EndpointsState::Static,
        endpoints: hosts.chain(pipe).collect(),
        ..known
    }
}

fn looked_up(known: EndpointsStatus, asker: &Asker, answer: Option<&Answer>) -> EndpointsStatus {
    let failure = match answer.map(|answer| &answer.state) {
        Some(State::Failed(error)) => Some(error),
        _ => None,
    };
    let refused = asker.question.as_ref().err();
    let question = asker.question.as_ref().ok();
    EndpointsStatus {
        kind: asker.field().to_owned(),
        state: state(asker, answer),
        source: question.map(|question| question.source.to_string()),
        query: question.map(|question| question.request.query.to_string()),
        age_seconds: answer.and_then(|answer| answer.age(Instant::now())).map(|age| age.as_secs()),
        endpoints: asker.served.iter().flat_map(|served| served.iter()).map(endpoint).collect(),
        last_error: failure
            .map(|error| error.message.clone())
            .or_else(|| Some(refused?.message().to_owned())),
        hint: failure.and_then(|error| error.hint.clone()).or_else(|| Some(refused?.hint().to_owned())),
        ..known
    }
}

fn endpoint(endpoint: &Endpoint) -> EndpointStatus {
    let filled = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    EndpointStatus {
        address: endpoint.place().to_string(),
        id: filled(&endpoint.id),
        health: match endpoint.health {
            Health::Unknown => "unknown",
            Health::Healthy => "healthy",
            Health::Unhealthy => "unhealthy",
            Health::Draining => "draining",
        }
        .to_owned(),
        weight: endpoint.weight.get(),
        region: filled(&endpoint.locality.region),
        zone: filled(&endpoint.locality.zone),
        metadata: endpoint.metadata.clone(),
    }
}

/// Where the knowledge of an upstream's endpoints stands.
pub(crate) fn state(asker: &Asker, answer: Option<&Answer>) -> EndpointsState {
    match answer.map(|answer| &answer.state) {
        _ if asker.question.is_err() => EndpointsState::Unanswerable,
        None => EndpointsState::Unused,
        Some(State::Waiting) if asker.served.is_some() => EndpointsState::Restored,
        Some(State::Waiting) => EndpointsState::Waiting,
        Some(State::Restored) => EndpointsState::Restored,
        Some(State::Failed(_)) => EndpointsState::Failed,
        Some(State::Complete) if answer.is_some_and(|answer| answer.is_held) => EndpointsState::Held,
        Some(State::Complete) => EndpointsState::Complete,
    }
}
