//! Who a node is, and which fleet is its own.
//!
//! ```text
//! certificate ─▶ NodeCertificate ─┐
//! token ── keys of its issuer ────┼─▶ Rules::judge ─▶ Member (fleet, how long) or Refusal (why)
//! loopback ───────────────────────┘
//! ```
//!
//! A node proves something: names in a certificate that was verified by whoever made the connection, or a token that
//! is verified here. Rules that an operator wrote, in order, make a fleet of it; what no rule matches is nobody.
//! The crate does no I/O and owns no clock: keys and the time are given to it.
//!
//! Invariant: nothing that a node merely says about itself makes it a member, unless a rule says so in as many words.
#![forbid(unsafe_code)]

mod certificate;
mod config;
mod issued;
mod keys;
mod pattern;
mod refusal;
mod rules;
mod token;

pub use certificate::{InvalidCertificate, NodeCertificate};
pub use config::{CertificateMatch, Identity, IssuerConfig, NodeMetadata, OneOrMany, RuleConfig, TokenMatch};
pub use issued::{IssuedToken, NoRandomness, Sha256};
pub use keys::{InvalidKeys, KeySet, KeySets};
pub use refusal::Refusal;
pub use rules::{Caller, Fleet, Member, Proof, Rules};
