//! What an operator writes about identity: `identity:` in the settings, or a file of its own.

use std::collections::BTreeMap;

use biplane_core::scalars::{Duration, Timestamp};
use serde::Deserialize;

use crate::issued::Sha256;

/// Who issues tokens, and which fleet is whose.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Identity {
    /// Who signs tokens, by a name for rules and logs.
    pub issuers: BTreeMap<String, IssuerConfig>,
    /// In order: the first that matches counts, and whom none matches is not let in.
    pub rules: Vec<RuleConfig>,
}

/// Somebody who signs tokens.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IssuerConfig {
    /// Where its keys are, a JSON Web Key Set: a URL, or the path of a file.
    pub jwks: String,
    /// The authority of the certificate there, in PEM; default: those that this machine trusts.
    #[serde(default)]
    pub ca_file: Option<String>,
    /// What tokens must be meant for (`aud`): one or more.
    pub audience: OneOrMany,
    /// What tokens must say about who issued them (`iss`); default: anything, their signature says it.
    #[serde(default)]
    pub issuer: Option<String>,
    /// How far clocks may differ; default 30s.
    #[serde(default)]
    pub leeway: Option<Duration>,
    /// How often the keys are read again without a reason; default 5m.
    #[serde(default)]
    pub refresh: Option<Duration>,
    /// Whether a token may be good for ever (have no `exp`); default false.
    #[serde(default)]
    pub unlimited: bool,
}

/// A text or a list of texts.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl OneOrMany {
    /// All of them.
    pub fn all(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts,
        }
    }
}

/// Whom a rule is for, and the fleet that these belong to. Exactly one of `certificate`, `token` and `loopback`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct RuleConfig {
    /// Nodes with a certificate of these names.
    pub certificate: Option<CertificateMatch>,
    /// Nodes with this token.
    pub token: Option<TokenMatch>,
    /// Nodes of this machine that show neither.
    pub loopback: bool,
    /// Their fleet: a text, with parts that were captured, such as `{fleet}`.
    pub fleet: Option<String>,
    /// The `node.id` that they must have; default: any.
    pub node: Option<String>,
    /// What is done with the fleet that they say they belong to (`node.cluster`, Gloo's role); default `check`.
    pub node_metadata: NodeMetadata,
}

/// Names of a certificate; all that are written must match.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct CertificateMatch {
    /// A URI among its alternative names.
    pub uri: Option<String>,
    /// A DNS name among them.
    pub dns: Option<String>,
}

/// A token: one that an issuer signed, or one of Biplane's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct TokenMatch {
    /// The name of the issuer.
    pub issuer: Option<String>,
    /// What its claims must be, each a pattern.
    pub claims: BTreeMap<String, String>,
    /// The hash of a token of Biplane's own.
    pub sha256: Option<Sha256>,
    /// From when on that token is not known any more.
    pub until: Option<Timestamp>,
}

/// What is done with what a node says about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NodeMetadata {
    /// If it says which fleet it belongs to, that must be its own.
    #[default]
    Check,
    /// It may say anything.
    Ignore,
    /// It is believed.
    Trust,
}
