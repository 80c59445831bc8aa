//! The rules, compiled: who is a member of which fleet.
//!
//! Invariant: a rule that can never be carried out is an error when it is read, and nobody is let in by what is left.

mod compile;

use std::collections::BTreeMap;

use biplane_core::scalars::Timestamp;

use crate::certificate::NodeCertificate;
use crate::config::{Identity, NodeMetadata};
use crate::issued::Sha256;
use crate::keys::KeySets;
use crate::pattern::{Captures, Pattern, Template, join};
use crate::refusal::Refusal;
use crate::token::{Claims, Issuer};

/// All rules.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    issuers: BTreeMap<String, Issuer>,
    rules: Vec<Rule>,
}

/// What a node has shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Caller<'a> {
    /// Its certificate, which the handshake has verified.
    pub certificate: Option<&'a NodeCertificate>,
    /// Its token, which nobody has looked at.
    pub token: Option<&'a str>,
    /// Whether it is on this machine.
    pub loopback: bool,
}

/// A node that is let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its fleet.
    pub fleet: Fleet,
    /// The `node.id` that it must have.
    pub node: Option<String>,
    /// How logs call it: what it has proved.
    pub who: String,
    /// What it has proved that by.
    pub by: Proof,
    /// When it has to prove it again.
    pub until: Option<Timestamp>,
}

/// What a node proves itself by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A certificate.
    Certificate,
    /// A token, an issuer's or one of Biplane's own.
    Token,
    /// It is on this machine.
    Loopback,
}

/// Which fleet a node belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fleet {
    /// This one. `checked`: a node that says it belongs to another one is refused.
    Proven {
        /// The fleet's name.
        name: String,
        /// Whether what the node says must agree.
        checked: bool,
    },
    /// The one that it says it belongs to.
    Claimed,
}

#[derive(Clone, Debug)]
struct Rule {
    matcher: Matcher,
    /// Nothing: what the node says is believed.
    fleet: Option<Template>,
    node: Option<Template>,
    metadata: NodeMetadata,
}

#[derive(Clone, Debug)]
enum Matcher {
    Certificate { uri: Option<Pattern>, dns: Option<Pattern> },
    Signed { issuer: String, claims: Vec<(String, Pattern)> },
    Issued { sha256: Sha256, until: Option<Timestamp> },
    Loopback,
}

/// A rule that matched.
struct Match {
    captures: Captures,
    who: String,
    until: Option<Timestamp>,
}

impl Rules {
    /// Compiles what an operator wrote; all that is wrong, each with its place.
    pub fn compile(config: &Identity) -> Result<Self, Vec<String>> {
        compile::rules(config)
    }

    /// Whether there is none: then nobody is let in.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether a certificate can let somebody in.
    pub fn use_certificates(&self) -> bool {
        self.rules.iter().any(|rule| matches!(rule.matcher, Matcher::Certificate { .. }))
    }

    /// Whether somebody without a certificate can be let in.
    pub fn admit_without_certificate(&self) -> bool {
        self.rules.iter().any(|rule| !matches!(rule.matcher, Matcher::Certificate { .. }))
    }

    /// Whether a token can let somebody in.
    pub fn use_tokens(&self) -> bool {
        let by_token = |rule: &Rule| matches!(rule.matcher, Matcher::Signed { .. } | Matcher::Issued { .. });
        self.rules.iter().any(by_token)
    }

    /// Who a node is. `keys` are those of all issuers that could be read.
    pub fn judge(&self, caller: Caller<'_>, keys: &KeySets, now: Timestamp) -> Result<Member, Refusal> {
        let mut tokens = Tokens { token: caller.token, keys, now, verified: BTreeMap::new() };
        for rule in &self.rules {
            let found = self.try_rule(&rule.matcher, caller, &mut tokens);
            if let Some(member) = found.and_then(|found| rule.member(found)) {
                return Ok(member);
            }
        }
        Err(tokens.refusal().unwrap_or_else(|| match (caller.certificate, caller.token) {
            (Some(certificate), _) => Refusal::NoRule { who: certificate.who() },
            (None, Some(_)) => Refusal::Token("it is not known here".to_owned()),
            (None, None) => Refusal::Nothing,
        }))
    }

    fn try_rule(&self, matcher: &Matcher, caller: Caller<'_>, tokens: &mut Tokens<'_>) -> Option<Match> {
        match matcher {
            Matcher::Certificate { uri, dns } => {
                by_certificate(caller.certificate?, uri.as_ref(), dns.as_ref())
            }
            Matcher::Signed { issuer, claims } => {
                let said = tokens.verify(self.issuers.get(issuer)?, issuer)?;
                by_claims(said, claims)
            }
            Matcher::Issued { sha256, until } => {
                let known = sha256.is(&Sha256::of(caller.token?));
                let good = until.is_none_or(|until| tokens.now < until);
                let found = || Match {
                    captures: Captures::new(),
                    who: format!("sha256:{}", sha256.short()),
                    until: *until,
                };
                (known && good).then(found)
            }
            Matcher::Loopback => {
                let shows_nothing = caller.certificate.is_none() && caller.token.is_none();
                let found = || Match { captures: Captures::new(), who: "loopback".to_owned(), until: None };
                (caller.loopback && shows_nothing).then(found)
            }
        }
    }
}

impl Rule {
    fn member(&self, found: Match) -> Option<Member> {
        let fleet = match &self.fleet {
            None => Fleet::Claimed,
            Some(fleet) => Fleet::Proven {
                name: fleet.fill(&found.captures)?,
                checked: self.metadata == NodeMetadata::Check,
            },
        };
        let node = match &self.node {
            None => None,
            Some(node) => Some(node.fill(&found.captures)?),
        };
        let by = match self.matcher {
            Matcher::Certificate { .. } => Proof::Certificate,
            Matcher::Signed { .. } | Matcher::Issued { .. } => Proof::Token,
            Matcher::Loopback => Proof::Loopback,
        };
        Some(Member { fleet, node, who: found.who, by, until: found.until })
    }
}

/// A caller's token, verified at most once for each issuer.
struct Tokens<'a> {
    token: Option<&'a str>,
    keys: &'a KeySets,
    now: Timestamp,
    verified: BTreeMap<String, Result<Claims, Refusal>>,
}

impl Tokens<'_> {
    fn verify(&mut self, issuer: &Issuer, name: &str) -> Option<&Claims> {
        let token = self.token?;
        let verify = || issuer.verify(token, self.keys, self.now);
        self.verified.entry(name.to_owned()).or_insert_with(verify).as_ref().ok()
    }

    /// Why no issuer's word was good enough: what time may mend goes first, and then the issuer that knows the token.
    fn refusal(&self) -> Option<Refusal> {
        let genuine = self.verified.values().find_map(|said| said.as_ref().ok());
        if let Some(claims) = genuine {
            return Some(Refusal::NoRule { who: claims.who.clone() });
        }
        let all = || self.verified.values().filter_map(|said| said.as_ref().err());
        let mends =
            |refusal: &&Refusal| matches!(refusal, Refusal::UnknownKey { .. } | Refusal::KeysUnread { .. });
        all().find(mends).or_else(|| all().next()).cloned()
    }
}

/// All names that match must agree about the parts: a certificate of two fleets is one of none.
fn by_certificate(
    certificate: &NodeCertificate,
    uri: Option<&Pattern>,
    dns: Option<&Pattern>,
) -> Option<Match> {
    let (mut captures, mut who) = (Captures::new(), None);
    for (pattern, names) in [(uri, &certificate.uris), (dns, &certificate.dns)] {
        let Some(pattern) = pattern else { continue };
        let mut matching = names.iter().filter_map(|name| Some((name, pattern.captures(name)?))).peekable();
        matching.peek()?;
        for (name, parts) in matching {
            if !join(&mut captures, parts) {
                return None;
            }
            who.get_or_insert_with(|| crate::refusal::shown(name));
        }
    }
    Some(Match { captures, who: who?, until: Some(certificate.not_after) })
}

fn by_claims(said: &Claims, patterns: &[(String, Pattern)]) -> Option<Match> {
    let mut captures = Captures::new();
    for (name, pattern) in patterns {
        let parts = said.texts(name).iter().find_map(|text| pattern.captures(text))?;
        if !join(&mut captures, parts) {
            return None;
        }
    }
    Some(Match { captures, who: said.who.clone(), until: said.until })
}
