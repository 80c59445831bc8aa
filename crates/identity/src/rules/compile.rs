//! From what an operator wrote to rules that can be carried out; everything that is wrong is told at once.

use std::collections::BTreeSet;

use super::{Matcher, Rule, Rules};
use crate::config::{CertificateMatch, Identity, IssuerConfig, NodeMetadata, RuleConfig, TokenMatch};
use crate::pattern::{Kind, Pattern, Template};
use crate::token::Issuer;

/// What is wrong, each with its place.
type Faults = Vec<String>;

pub(super) fn rules(config: &Identity) -> Result<Rules, Faults> {
    let mut faults = Faults::new();
    for (name, issuer) in &config.issuers {
        check_issuer(&format!("issuers.{name}"), issuer, &mut faults);
    }
    let rules = config.rules.iter().enumerate();
    let rules: Vec<_> = rules
        .filter_map(|(index, rule)| {
            let compiler = Compiler { config, place: format!("rules[{index}]"), faults: &mut faults };
            compiler.rule(rule)
        })
        .collect();
    if !faults.is_empty() {
        return Err(faults);
    }
    let issuers = config.issuers.iter().map(|(name, issuer)| (name.clone(), Issuer::new(name, issuer)));
    Ok(Rules { issuers: issuers.collect(), rules })
}

fn check_issuer(place: &str, issuer: &IssuerConfig, faults: &mut Faults) {
    if issuer.audience.all().iter().all(String::is_empty) {
        faults.push(format!(
            "{place}.audience: it is empty, and a token that is meant for anybody would be taken from anybody who \
             was ever shown it"
        ));
    }
    if issuer.jwks.is_empty() {
        faults.push(format!("{place}.jwks: it is empty"));
    }
}

struct Compiler<'a> {
    config: &'a Identity,
    place: String,
    faults: &'a mut Faults,
}

impl Compiler<'_> {
    fn rule(mut self, rule: &RuleConfig) -> Option<Rule> {
        let before = self.faults.len();
        let matcher = self.matcher(rule);
        let captured = matcher.as_ref().map(captured).unwrap_or_default();
        let fleet = self.template("fleet", rule.fleet.as_deref(), &captured);
        let node = self.template("node", rule.node.as_deref(), &captured);
        match (&rule.fleet, rule.node_metadata) {
            (None, NodeMetadata::Check | NodeMetadata::Ignore) => {
                self.fault("fleet", "it is missing; without it only nodeMetadata: trust tells the fleet");
            }
            (Some(_), NodeMetadata::Trust) => {
                self.fault("nodeMetadata", "trust takes the fleet from the node: leave out fleet, or trust");
            }
            _ => {}
        }
        let rule = Rule { matcher: matcher?, fleet, node, metadata: rule.node_metadata };
        (self.faults.len() == before).then_some(rule)
    }

    fn matcher(&mut self, rule: &RuleConfig) -> Option<Matcher> {
        match (&rule.certificate, &rule.token, rule.loopback) {
            (Some(certificate), None, false) => Some(self.certificate(certificate)),
            (None, Some(token), false) => self.token(token),
            (None, None, true) => Some(Matcher::Loopback),
            _ => {
                self.fault("", "a rule has exactly one of certificate, token and loopback: true");
                None
            }
        }
    }

    fn certificate(&mut self, certificate: &CertificateMatch) -> Matcher {
        let uri = self.pattern("certificate.uri", certificate.uri.as_deref(), Kind::Text);
        let dns = self.pattern("certificate.dns", certificate.dns.as_deref(), Kind::Host);
        if certificate.uri.is_none() && certificate.dns.is_none() {
            self.fault("certificate", "it names neither uri nor dns, and would take any certificate");
        }
        Matcher::Certificate { uri, dns }
    }

    fn token(&mut self, token: &TokenMatch) -> Option<Matcher> {
        match (&token.issuer, token.sha256) {
            (Some(issuer), None) => self.signed(issuer, token),
            (None, Some(sha256)) if token.claims.is_empty() => {
                Some(Matcher::Issued { sha256, until: token.until })
            }
            (None, Some(_)) => {
                self.fault("token.claims", "a token of Biplane's own has none");
                None
            }
            _ => {
                self.fault("token", "it has exactly one of issuer and sha256");
                None
            }
        }
    }

    fn signed(&mut self, issuer: &str, token: &TokenMatch) -> Option<Matcher> {
        if !self.config.issuers.contains_key(issuer) {
            let known: Vec<_> = self.config.issuers.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            self.fault("token.issuer", &format!("there is no issuer {issuer:?}; the issuers are: {known}"));
        }
        if token.until.is_some() {
            self.fault("token.until", "it is for tokens of Biplane's own; a signed one says its end itself");
        }
        if token.claims.is_empty() {
            self.fault("token.claims", "it is empty, and would take any token of this issuer");
        }
        let mut claims = Vec::new();
        for (name, pattern) in &token.claims {
            let place = format!("token.claims.{name}");
            claims.push((name.clone(), self.pattern(&place, Some(pattern), Kind::Text)?));
        }
        Some(Matcher::Signed { issuer: issuer.to_owned(), claims })
    }

    fn pattern(&mut self, field: &str, text: Option<&str>, kind: Kind) -> Option<Pattern> {
        match Pattern::parse(text?, kind) {
            Ok(pattern) => Some(pattern),
            Err(why) => {
                self.fault(field, &why);
                None
            }
        }
    }

    fn template(&mut self, field: &str, text: Option<&str>, captured: &BTreeSet<String>) -> Option<Template> {
        let template = match Template::parse(text?) {
            Ok(template) => template,
            Err(why) => {
                self.fault(field, &why);
                return None;
            }
        };
        if let Some(part) = template.parts().find(|part| !captured.contains(*part)) {
            self.fault(field, &format!("nothing in this rule captures {{{part}}}"));
        }
        Some(template)
    }

    fn fault(&mut self, field: &str, why: &str) {
        let dot = if field.is_empty() { "" } else { "." };
        self.faults.push(format!("{}{dot}{field}: {why}", self.place));
    }
}

fn captured(matcher: &Matcher) -> BTreeSet<String> {
    let patterns: Vec<&Pattern> = match matcher {
        Matcher::Certificate { uri, dns } => uri.iter().chain(dns).collect(),
        Matcher::Signed { claims, .. } => claims.iter().map(|(_, pattern)| pattern).collect(),
        Matcher::Issued { .. } | Matcher::Loopback => Vec::new(),
    };
    patterns.into_iter().flat_map(Pattern::names).map(str::to_owned).collect()
}
