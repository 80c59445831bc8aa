//! What is read of a catalog as one thing, and what such a reading holds. Requests that need the same share it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use biplane_consul_client::{Answer, Client, Consistency, Error, HealthEntry, Query, Scope};

/// One question that is kept answered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Subject {
    pub(crate) what: What,
    pub(crate) scope: Scope,
    /// Who may answer.
    pub(crate) consistency: Consistency,
    /// Whether the agent's cache may.
    pub(crate) cached: bool,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum What {
    /// The instances of a service.
    Service(String),
    /// What speaks for a service in the mesh.
    Mesh(String),
    /// What a prepared query comes to.
    PreparedQuery(String),
    /// The names and tags of all services.
    Services,
}

/// What an answer holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Instances(Vec<HealthEntry>),
    Services(BTreeMap<String, Vec<String>>),
}

/// A filter that no instance passes: the answer says only that something has changed, by its index.
const NONE: &str = "Service.ID == \"\"";

impl Subject {
    /// The same to everybody who knows Consul.
    pub(crate) fn datacenter(&self) -> Option<&str> {
        self.scope.datacenter.as_deref()
    }

    /// Whether Consul can be made to wait for a change of it.
    pub(crate) const fn can_wait(&self) -> bool {
        !matches!(self.what, What::PreparedQuery(_))
    }

    /// Whether its index only grows. That of what speaks for a service in the mesh is that of those who do at the moment.
    pub(crate) const fn has_growing_index(&self) -> bool {
        matches!(self.what, What::Service(_) | What::Services)
    }

    /// Whether it is a list of services.
    pub(crate) const fn is_list(&self) -> bool {
        matches!(self.what, What::Services)
    }

    /// The way in which it is asked by itself.
    pub(crate) const fn query(&self) -> Query {
        Query { consistency: self.consistency, wait: None, cached: self.cached }
    }

    /// Asks.
    pub(crate) async fn ask(&self, client: &Client, query: &Query) -> Result<Answer<Content>, Error> {
        let scope = &self.scope;
        match &self.what {
            What::Service(name) => instances(client.health_service(name, None, scope, query).await?),
            What::Mesh(name) => instances(client.health_connect(name, None, scope, query).await?),
            What::Services => {
                let Answer { value, meta } = client.catalog_services(scope, query).await?;
                Ok(Answer { value: Content::Services(value), meta })
            }
            What::PreparedQuery(id) => {
                let Answer { value, meta } = client.query_execute(id, scope, query).await?;
                let missing = || Error::Invalid { message: format!("there is no prepared query {id:?}") };
                instances(Answer { value: value.ok_or_else(missing)?.nodes, meta })
            }
        }
    }

    /// Asks only when it last changed. Only services know.
    pub(crate) async fn ask_index(&self, client: &Client) -> Result<u64, Error> {
        let query = Query { consistency: self.consistency, wait: None, cached: false };
        let answer = match &self.what {
            What::Mesh(name) => client.health_connect(name, Some(NONE), &self.scope, &query).await,
            What::Service(name) | What::PreparedQuery(name) => {
                client.health_service(name, Some(NONE), &self.scope, &query).await
            }
            What::Services => return Ok(client.catalog_services(&self.scope, &query).await?.meta.index),
        };
        Ok(answer?.meta.index)
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of all answers")]
fn instances(answer: Answer<Vec<HealthEntry>>) -> Result<Answer<Content>, Error> {
    Ok(Answer { value: Content::Instances(answer.value), meta: answer.meta })
}

impl Content {
    /// Whether something is missing that was there before.
    pub(crate) fn lacks_something_of(&self, before: &Self) -> bool {
        match (self, before) {
            (Self::Instances(now), Self::Instances(before)) => {
                let now: BTreeSet<_> = now.iter().map(instance).collect();
                before.iter().any(|entry| !now.contains(&instance(entry)))
            }
            (Self::Services(now), Self::Services(before)) => {
                before.keys().any(|name| !now.contains_key(name))
            }
            _ => true,
        }
    }

    /// Whether nothing is left of what was there, or, of a list of services, less than half.
    pub(crate) fn is_ruin_of(&self, before: &Self) -> bool {
        match (self, before) {
            (Self::Instances(now), Self::Instances(before)) => now.is_empty() && !before.is_empty(),
            (Self::Services(now), Self::Services(before)) => {
                let left = before.keys().filter(|name| now.contains_key(*name)).count();
                left * 2 < before.len()
            }
            _ => true,
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Instances(instances) => instances.len(),
            Self::Services(services) => services.len(),
        }
    }
}

fn instance(entry: &HealthEntry) -> (&str, &str) {
    (&entry.node.node, &entry.service.id)
}

/// For people.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Service(name) => write!(f, "service {name}")?,
            What::Mesh(name) => write!(f, "service {name} in the mesh")?,
            What::PreparedQuery(name) => write!(f, "prepared query {name}")?,
            What::Services => f.write_str("the list of services")?,
        }
        match self.datacenter() {
            Some(name) => write!(f, " in datacenter {name}"),
            None => Ok(()),
        }
    }
}
