//! Which route answers a request, and why: the facts of the graph, judged by the translator, told to people.
//!
//! ```text
//! query ─ question ─▶ Asked ─ graph (locked) ─▶ Facts ─ gateway, routes ─▶ Explanation ─ clusters (locked) ─▶ with endpoints
//! ```
//!
//! The engine is locked twice, each time to copy what is needed; routes, of which there may be many, are judged in
//! between. What changes meanwhile may show in one part and not in another, as it would to two requests.
#![expect(clippy::result_large_err, reason = "a problem is met once a question")]

mod clusters;
mod gateway;
mod place;
mod question;
mod routes;
#[cfg(test)]
mod tests;

use biplane_admin_api::Problem;
use biplane_admin_api::explain::{ExplainQuery, Explanation, GatewayExplanation, Verdict};

use crate::graph::Facts;
use crate::shared::SharedEngine;
use gateway::Told;
use place::Places;
use question::Question;

/// How many gateways are named that could not take a request.
const FEW: usize = 10;

/// Explains what happens to a request.
pub(crate) fn explain(engine: &SharedEngine, query: &ExplainQuery) -> Result<Explanation, Problem> {
    let question = Question::of(query)?;
    let (facts, good, is_open) = {
        let engine = engine.lock();
        (engine.graph().facts(&question.asked), engine.ingest().good().clone(), engine.fleets().is_open())
    };
    let places = Places::new(&good);
    let told: Vec<_> = facts.gateways.iter().map(|facts| gateway::tell(facts, &question, &places)).collect();
    let gateways = told.into_iter().map(|told| with_clusters(engine, told)).collect::<Vec<_>>();
    let verdict = gateways.iter().map(|gateway| gateway.verdict).min().unwrap_or(Verdict::Refused);
    Ok(Explanation {
        url: query.url.clone(),
        method: question.request.method.clone(),
        verdict,
        gateways,
        notes: notes(&facts, is_open),
    })
}

fn with_clusters(engine: &SharedEngine, told: Told) -> GatewayExplanation {
    let Told { mut gateway, shares, named } = told;
    if let Some(effect) = &mut gateway.effect
        && !shares.is_empty()
    {
        let engine = engine.lock();
        effect.clusters = shares.iter().map(|share| clusters::of(&engine, share, &named)).collect();
        drop(engine);
        clusters::judge(&mut gateway);
    }
    gateway
}

fn notes(facts: &Facts, is_open: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if !is_open {
        notes
            .push("no Envoy gets anything from here yet: the control plane waits for its sources".to_owned());
    }
    if facts.gateways.is_empty() {
        notes.push(match facts.left_out.as_slice() {
            [] => "there is no gateway".to_owned(),
            _ => "no gateway takes this request".to_owned(),
        });
        notes.extend(facts.left_out.iter().take(FEW).cloned());
        if facts.left_out.len() > FEW {
            notes.push(format!("and {} more", facts.left_out.len() - FEW));
        }
    }
    notes
}
