//! What nodes prove, and what rules make of it.
#![forbid(unsafe_code)]

mod certificates;
mod rules;
mod signing;
mod tokens;

use biplane_core::scalars::Timestamp;
use biplane_identity::{Caller, Fleet, Identity, KeySets, Member, NodeCertificate, Refusal, Rules};

/// When everything here happens: 2026-11-30T00:00:00Z.
const NOW: Timestamp = Timestamp(1_795_996_800);

/// Rules in JSON, compiled.
fn rules(json: serde_json::Value) -> Rules {
    Rules::compile(&identity(json)).expect("rules without a fault")
}

fn identity(json: serde_json::Value) -> Identity {
    serde_json::from_value(json).expect("the shape of rules")
}

/// What is wrong with rules.
fn faults(json: serde_json::Value) -> Vec<String> {
    Rules::compile(&identity(json)).expect_err("faults")
}

fn with_certificate(rules: &Rules, certificate: &NodeCertificate) -> Result<Member, Refusal> {
    let caller = Caller { certificate: Some(certificate), ..Caller::default() };
    rules.judge(caller, &KeySets::new(), NOW)
}

fn with_token(rules: &Rules, token: &str, keys: &KeySets, now: Timestamp) -> Result<Member, Refusal> {
    rules.judge(Caller { token: Some(token), ..Caller::default() }, keys, now)
}

/// A fleet that is checked against what a node says.
fn fleet(name: &str) -> Fleet {
    Fleet::Proven { name: name.to_owned(), checked: true }
}
