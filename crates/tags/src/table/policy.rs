//! Who may claim what: a job's author is not the gateway's operator.

use std::collections::BTreeSet;

use crate::compile::Domain;
use crate::service::ServiceId;
use crate::settings::{PolicyRule, Settings, SharedHosts};

/// What no rule lets the service claim; `None`: it may claim all of it.
pub(crate) fn refused(
    owner: &ServiceId,
    claims: &BTreeSet<Domain>,
    gateways: Option<&BTreeSet<String>>,
    settings: &Settings,
) -> Option<String> {
    if settings.policy.is_empty() {
        return None;
    }
    let rules: Vec<_> = settings.policy.iter().filter(|rule| is_for(rule, owner)).collect();
    if rules.is_empty() {
        return Some("no rule of the policy is for this service".to_owned());
    }
    claims.iter().find_map(|domain| refused_domain(&rules, &domain.name(), gateways))
}

fn refused_domain(rules: &[&PolicyRule], host: &str, gateways: Option<&BTreeSet<String>>) -> Option<String> {
    let rules: Vec<_> = rules.iter().filter(|rule| one_of(&rule.hosts, host)).collect();
    if rules.is_empty() {
        return Some(format!("the policy does not let it claim the host {host:?}"));
    }
    let lets = |gateway: &str| rules.iter().any(|rule| one_of(&rule.gateways, gateway));
    match gateways {
        None if lets("*") => None,
        None => Some(format!("the policy does not let it claim {host:?} on all gateways")),
        Some(gateways) => gateways
            .iter()
            .find(|gateway| !lets(gateway))
            .map(|gateway| format!("the policy does not let it claim {host:?} on the gateway {gateway:?}")),
    }
}

fn is_for(rule: &PolicyRule, owner: &ServiceId) -> bool {
    one_of(&rule.sources, &owner.source_name)
        && one_of(&rule.namespaces, &owner.namespace)
        && one_of(&rule.services, &owner.name)
}

/// Whether two services may have routes on one host.
pub(crate) fn share(a: &ServiceId, b: &ServiceId, settings: &Settings) -> bool {
    let same_namespace = (a.source, &a.source_name, &a.namespace) == (b.source, &b.source_name, &b.namespace);
    match settings.shared_hosts {
        SharedHosts::Anyone => true,
        SharedHosts::Namespace => same_namespace,
        SharedHosts::Service => same_namespace && a.name == b.name,
    }
}

fn one_of(globs: &[String], text: &str) -> bool {
    globs.is_empty() || globs.iter().any(|glob| glob_matches(glob, text))
}

/// Whether a text is covered by a glob. A `*` in the text stands for itself, so that only a `*` covers it.
pub(crate) fn glob_matches(glob: &str, text: &str) -> bool {
    let (glob, text) = (glob.to_ascii_lowercase(), text.to_ascii_lowercase());
    let Some((first, rest)) = glob.split_once('*') else { return glob == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        match text.find(piece) {
            Some(at) => text = &text[at + piece.len()..],
            None => return false,
        }
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_covers_a_wildcard_only_with_one_of_its_own() {
        for (glob, text, covers) in [
            ("*", "*", true),
            ("*", "a.example.com", true),
            ("*.example.com", "*.example.com", true),
            ("*.example.com", "*.b.example.com", true),
            ("*.example.com", "a.Example.com", true),
            ("*.example.com", "example.com", false),
            ("a.example.com", "*.example.com", false),
            ("a*.example.com", "*.example.com", false),
            ("*.b.example.com", "*.example.com", false),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(glob_matches(glob, text), covers, "{glob} {text}");
        }
    }
}
