//! What the translation has to say, kept by what said it, so that a new computation replaces the
//! findings of the one before and of no other.

use std::collections::{BTreeMap, BTreeSet};

use biplane_core::age::Age;
use biplane_core::key::{Kind, ObjectKey, ResourceRef};
use biplane_core::path::FieldPath;
use biplane_core::report::Report;

use super::claims::{Claimants, Crowded};
use super::dependencies::Node;
use super::fleet::Address;
use crate::news::News;
use crate::report_count::Count;

/// What findings come from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Topic {
    /// A translation.
    Node(Node),
    /// A virtual host of a gateway.
    Host(ResourceRef, Claimants),
    /// The services that a gateway names.
    MissingServices(ResourceRef),
    /// Domains of a gateway that services' tags claim in vain.
    Crowded(ResourceRef),
}

/// Findings by topic; topics without findings are not kept.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    by_topic: BTreeMap<Topic, Vec<Report>>,
    news: News,
}

impl Reports {
    /// Replaces the findings of a topic.
    pub(crate) fn set(&mut self, topic: Topic, reports: Vec<Report>) {
        let before = self.by_topic.remove(&topic).unwrap_or_default();
        self.news.compare(&before, &reports);
        if !reports.is_empty() {
            self.by_topic.insert(topic, reports);
        }
    }

    /// The findings of a topic.
    pub(crate) fn of(&self, topic: &Topic) -> &[Report] {
        self.by_topic.get(topic).map_or(&[], Vec::as_slice)
    }

    /// The findings that are new since the last call.
    pub(crate) fn take_news(&mut self) -> Vec<Report> {
        self.news.take()
    }

    /// Drops all findings of a gateway's own.
    pub(crate) fn forget_gateway(&mut self, name: &ResourceRef) {
        self.by_topic.retain(|topic, _| match topic {
            Topic::Node(node) => *node != Node::Listener(name.clone()),
            Topic::Host(gateway, _) | Topic::MissingServices(gateway) | Topic::Crowded(gateway) => {
                gateway != name
            }
        });
    }

    /// How many findings there are.
    pub(crate) fn count(&self) -> Count {
        self.by_topic.values().flatten().fold(Count::default(), Count::with)
    }

    /// All findings, sorted, each once.
    pub(crate) fn all(&self) -> Vec<Report> {
        let all: BTreeSet<_> = self.by_topic.values().flatten().cloned().collect();
        all.into_iter().collect()
    }
}

/// A gateway names services that do not exist.
pub(crate) fn missing_services(gateway: &ResourceRef, missing: &BTreeSet<ResourceRef>) -> Vec<Report> {
    let path = FieldPath::root().field("httpGateway").field("virtualServices");
    let report = |service: &ResourceRef| {
        let message = format!("VirtualService {service} does not exist");
        Report::warning(&gateway.key(Kind::Gateway), path.clone(), message)
            .hint("create it, or take the reference out")
    };
    missing.iter().map(report).collect()
}

/// Services' tags claim domains that somebody else holds: both are told.
pub(crate) fn crowded(gateway: &ResourceRef, crowded: &BTreeMap<String, Crowded>) -> Vec<Report> {
    let path = FieldPath::root().field("virtualHost").field("domains");
    let mut reports = Vec::new();
    // With a port or a last dot it is the same host.
    let hosts = crowded.iter().filter(|(domain, _)| !domain.ends_with(":*") && !domain.ends_with('.'));
    for (domain, Crowded { holder, out }) in hosts {
        for made in out {
            let message = format!(
                "VirtualService {holder} holds {domain:?} on gateway {gateway}, so services' tags do not get it"
            );
            let hint = "take the host out of the tags, or route to the service in that virtual service";
            reports.push(Report::error(&made.key(Kind::VirtualService), path.clone(), message).hint(hint));
        }
    }
    reports
}

/// A gateway with `ssl` has no certificate to show: Envoy takes no such listener.
pub(crate) fn no_certificate(gateway: &ResourceRef) -> Report {
    let path = FieldPath::root().field("ssl");
    let message = "no virtual service of this gateway has an sslConfig, so it does not listen";
    Report::warning(&gateway.key(Kind::Gateway), path, message)
        .hint("give a virtual service an sslConfig, or leave ssl out to serve plain HTTP")
}

/// Gateways of one fleet want one address: the oldest has it, and all of them are told.
pub(crate) fn address_conflicts<'a>(
    fleet: &str,
    rivals: impl Iterator<Item = (&'a Address, &'a BTreeSet<Age>)>,
) -> Vec<Report> {
    let mut reports = Vec::new();
    for ((address, port), ages) in rivals {
        let keys: Vec<&ObjectKey> = ages.iter().map(Age::key).collect();
        let [owner, losers @ ..] = keys.as_slice() else { continue };
        let path = FieldPath::root().field("bindPort");
        for loser in losers {
            let message = format!(
                "{owner}, which is older, already listens on {address}:{port} in fleet {fleet}; this gateway is not served there"
            );
            reports.push(
                Report::error(loser, path.clone(), message)
                    .hint("choose another port, or merge the gateways"),
            );
            let message = format!(
                "{loser} wants {address}:{port} in fleet {fleet} as well; this gateway, the older one, keeps it"
            );
            reports.push(Report::warning(owner, path.clone(), message));
        }
    }
    reports
}
