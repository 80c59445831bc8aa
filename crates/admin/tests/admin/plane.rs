//! A control plane that is in the state that a test gives it.

use std::sync::Arc;

use async_trait::async_trait;
use biplane_admin::Source;
use biplane_admin_api::explain::{ExplainQuery, Explanation};
use biplane_admin_api::resources::{Accepted, Name};
use biplane_admin_api::status::{EndpointsStatus, SecretStatus, ServiceStatus};
use biplane_admin_api::{Problem, ProblemKind, Resources, Status};
use biplane_core::key::Kind;

use crate::shelf::Shelf;

/// The one source that has removals to accept.
pub(crate) const SOURCE: &str = "consul://127.0.0.1:8500/my plane";
/// What the source holds, in short.
pub(crate) const HELD_TAG: &str = "tag";

pub(crate) struct Plane {
    pub(crate) ready: Result<(), String>,
    pub(crate) live: Result<(), String>,
    pub(crate) status: Status,
    pub(crate) shelf: Arc<Shelf>,
}

impl Default for Plane {
    fn default() -> Self {
        Self { ready: Ok(()), live: Ok(()), status: Status::default(), shelf: Arc::default() }
    }
}

#[async_trait]
impl Source for Plane {
    fn status(&self) -> Status {
        self.status.clone()
    }

    fn ready(&self) -> Result<(), String> {
        self.ready.clone()
    }

    fn live(&self) -> Result<(), String> {
        self.live.clone()
    }

    fn metrics(&self) -> String {
        "# TYPE biplane_up gauge\nbiplane_up 1\n# EOF\n".to_owned()
    }

    fn endpoints(&self) -> Vec<EndpointsStatus> {
        Vec::new()
    }

    async fn services(&self) -> Vec<ServiceStatus> {
        vec![ServiceStatus { name: "web".to_owned(), ..ServiceStatus::default() }]
    }

    fn explain(&self, query: &ExplainQuery) -> Result<Explanation, Problem> {
        Ok(Explanation { url: query.url.clone(), notes: query.header.clone(), ..Explanation::default() })
    }

    fn secrets(&self) -> Vec<SecretStatus> {
        vec![SecretStatus { name: "web".to_owned(), ..SecretStatus::default() }]
    }

    fn refresh(&self, source: &str) -> Result<(), Problem> {
        if source == SOURCE {
            Ok(())
        } else {
            Err(Problem::new(ProblemKind::NotFound, "there is no such source"))
        }
    }

    fn resources(&self) -> Arc<dyn Resources> {
        self.shelf.clone()
    }

    async fn accept(&self, source: &str, held_tag: Option<&str>, author: &str) -> Result<Accepted, Problem> {
        if source != SOURCE {
            return Err(Problem::new(ProblemKind::NotFound, "there is no such source"));
        }
        if held_tag.is_some_and(|tag| tag != HELD_TAG) {
            return Err(Problem::new(ProblemKind::Conflict, "it holds something else by now"));
        }
        self.shelf.remember(author);
        let gone = Name { kind: Kind::Upstream, namespace: "default".into(), name: "gone".into() };
        Ok(Accepted { source: source.to_owned(), removals: 1, objects: vec![gone] })
    }
}
