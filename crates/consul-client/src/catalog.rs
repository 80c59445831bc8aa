//! The catalog: which services there are, where their instances listen, and how these are.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use crate::answer::json;
use crate::client::{Client, Request};
use crate::error::Error;
use crate::escape::component;
use crate::query::{Answer, Query};

/// Where a question is about, if not where the client is.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// Another datacenter than the agent's own.
    pub datacenter: Option<String>,
    /// Consul Enterprise: the namespace.
    pub namespace: Option<String>,
    /// Consul Enterprise: the admin partition.
    pub partition: Option<String>,
}

impl Scope {
    pub(crate) fn apply(&self, mut request: Request) -> Request {
        let parts = [("dc", &self.datacenter), ("ns", &self.namespace), ("partition", &self.partition)];
        for (name, value) in parts {
            if let Some(value) = value {
                request = request.with(name, value.clone());
            }
        }
        request
    }
}

/// An instance of a service, the node that it is on, and the checks of both.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct HealthEntry {
    /// The node.
    pub node: Node,
    /// The instance.
    pub service: ServiceEntry,
    /// The checks of both.
    #[serde(default, deserialize_with = "or_default")]
    pub checks: Vec<Check>,
}

/// A node, as far as its instances' callers want to know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Node {
    /// Its id, if an agent runs there.
    #[serde(rename = "ID")]
    pub id: String,
    /// Its name.
    pub node: String,
    /// Its address.
    pub address: String,
    /// Its datacenter.
    pub datacenter: String,
    /// Its addresses as others see them, by name.
    #[serde(deserialize_with = "or_default")]
    pub tagged_addresses: BTreeMap<String, String>,
    /// Where it is.
    pub locality: Option<InstanceLocality>,
}

/// An instance of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ServiceEntry {
    /// Its id, unique on its node.
    #[serde(rename = "ID")]
    pub id: String,
    /// The service's name.
    pub service: String,
    /// Its tags, in the order in which they were given.
    #[serde(deserialize_with = "or_default")]
    pub tags: Vec<String>,
    /// Its address; empty: that of its node.
    pub address: String,
    /// Its port.
    pub port: u32,
    /// Its addresses as others see them, by name.
    #[serde(deserialize_with = "or_default")]
    pub tagged_addresses: BTreeMap<String, TaggedAddress>,
    /// Its share of the requests.
    pub weights: Option<Weights>,
    /// Where it is, if it says so.
    pub locality: Option<InstanceLocality>,
    /// When its registration last changed; checks do not count.
    pub modify_index: u64,
}

/// An address as others see it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TaggedAddress {
    /// The address.
    pub address: String,
    /// The port.
    pub port: u32,
}

/// Shares of the requests, by health.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Weights {
    /// While all checks pass.
    pub passing: u32,
    /// While one warns.
    pub warning: u32,
}

/// Where something is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct InstanceLocality {
    /// The region.
    pub region: String,
    /// The zone.
    pub zone: String,
}

/// A check of a node or of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Check {
    /// Its node.
    #[serde(default)]
    pub node: String,
    /// Its id, unique on its node.
    #[serde(rename = "CheckID", default)]
    pub check_id: String,
    /// What it says.
    pub status: CheckStatus,
    /// The service whose instance it checks; empty: it checks the node.
    #[serde(default)]
    pub service_name: String,
    /// When it last changed.
    #[serde(default)]
    pub modify_index: u64,
}

/// What a check says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    /// All is well.
    Passing,
    /// Something is not as it should be.
    Warning,
    /// It does not work, or is in maintenance.
    #[serde(alias = "maint")]
    Critical,
    /// A word of a newer Consul.
    #[serde(other)]
    Unknown,
}

impl CheckStatus {
    const fn word(self) -> &'static str {
        match self {
            Self::Passing => "passing",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Unknown => "any",
        }
    }
}

/// What a prepared query comes to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct QueryResult {
    /// The instances, of the datacenter that has any.
    #[serde(default, deserialize_with = "or_default")]
    pub nodes: Vec<HealthEntry>,
}

impl Client {
    /// The instances of a service with their checks, healthy or not. A filter chooses among them, and the index is that of
    /// all.
    pub async fn health_service(
        &self,
        service: &str,
        filter: Option<&str>,
        scope: &Scope,
        query: &Query,
    ) -> Result<Answer<Vec<HealthEntry>>, Error> {
        self.instances("health/service", service, filter, scope, query).await
    }

    /// The same of what speaks for a service in the mesh: its proxies, or instances that do so themselves.
    pub async fn health_connect(
        &self,
        service: &str,
        filter: Option<&str>,
        scope: &Scope,
        query: &Query,
    ) -> Result<Answer<Vec<HealthEntry>>, Error> {
        self.instances("health/connect", service, filter, scope, query).await
    }

    async fn instances(
        &self,
        path: &str,
        service: &str,
        filter: Option<&str>,
        scope: &Scope,
        query: &Query,
    ) -> Result<Answer<Vec<HealthEntry>>, Error> {
        let request = Request::get(format!("{path}/{}", segment(service)?), query);
        let request = filter.into_iter().fold(request, |request, filter| request.with("filter", filter));
        // An agent serves a query that waits from a stream of events, and then knows neither what was left out nor
        // whether anybody leads; but not one that wants an order by distance.
        let is_waiting = query.wait.is_some() && !query.cached;
        let request = if is_waiting { request.with("near", "_agent") } else { request };
        let raw = self.send(scope.apply(request)).await?;
        raw.success(self.address())?.map(|body| json(&body, self.address()))
    }

    /// The names of all services, each with the tags of its instances together.
    pub async fn catalog_services(
        &self,
        scope: &Scope,
        query: &Query,
    ) -> Result<Answer<BTreeMap<String, Vec<String>>>, Error> {
        let raw = self.send(scope.apply(Request::get("catalog/services", query))).await?;
        raw.success(self.address())?.map(|body| {
            let services: BTreeMap<String, Option<Vec<String>>> = json(&body, self.address())?;
            Ok(services.into_iter().map(|(name, tags)| (name, tags.unwrap_or_default())).collect())
        })
    }

    /// All checks that say this, or all checks; the index is that of all.
    pub async fn checks_in_state(
        &self,
        status: Option<CheckStatus>,
        scope: &Scope,
        query: &Query,
    ) -> Result<Answer<Vec<Check>>, Error> {
        let path = format!("health/state/{}", status.unwrap_or(CheckStatus::Unknown).word());
        let raw = self.send(scope.apply(Request::get(path, query))).await?;
        raw.success(self.address())?.map(|body| json(&body, self.address()))
    }

    /// What a prepared query comes to now; `None`: there is no such query.
    pub async fn query_execute(
        &self,
        id: &str,
        scope: &Scope,
        query: &Query,
    ) -> Result<Answer<Option<QueryResult>>, Error> {
        let request = Request::get(format!("query/{}/execute", segment(id)?), query);
        let raw = self.send(scope.apply(request)).await?;
        if raw.status == 404 && raw.body.starts_with(b"Query not found") {
            return Ok(Answer { value: None, meta: crate::QueryMeta::default() });
        }
        raw.success(self.address())?.map(|body| json(&body, self.address()).map(Some))
    }
}

/// A name as one segment of a path. URL parsers would resolve a dot or two.
fn segment(name: &str) -> Result<String, Error> {
    match name {
        "" | "." | ".." => Err(Error::invalid(format!("{name:?} is no name of a service or query"))),
        name => Ok(component(name)),
    }
}

/// Consul writes what is empty as `null`.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_with_nothing_but_a_name_is_read() {
        let text = r#"{"Node":{"Node":"n","Address":"10.0.0.1","TaggedAddresses":null},
            "Service":{"ID":"a","Service":"a","Tags":null,"Port":0},"Checks":null}"#;
        let entry: HealthEntry = serde_json::from_str(text).expect("an instance");
        assert_eq!((entry.service.id.as_str(), entry.node.address.as_str()), ("a", "10.0.0.1"));
        assert!(entry.checks.is_empty() && entry.service.tags.is_empty());
    }

    #[test]
    fn a_word_that_is_not_known_is_told_as_such() {
        let status = |word: &str| serde_json::from_str::<CheckStatus>(&format!("{word:?}")).expect("a word");
        assert_eq!(status("critical"), CheckStatus::Critical);
        assert_eq!(status("maint"), CheckStatus::Critical);
        assert_eq!(status("splendid"), CheckStatus::Unknown);
    }

    #[test]
    fn a_name_that_a_url_parser_would_resolve_is_refused() {
        assert!(segment("..").is_err() && segment("").is_err());
        assert_eq!(segment("a/b"), Ok("a%2Fb".to_owned()));
    }
}
