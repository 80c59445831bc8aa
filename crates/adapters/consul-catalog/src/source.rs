//! The source: what is asked becomes questions to one datacenter each.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use biplane_consul_client::{Consistency, Scope};
use biplane_core::resources::upstream::discovery::{ConsistencyMode, ConsulUpstream};
use biplane_source::{
    Endpoint, EndpointRequest, EndpointSource, Instance, Query, Service, ServiceName, ServiceSource,
    SourceError, SourceState, Watch, foreign,
};
use tokio::sync::watch::Receiver;
use tokio::task::AbortHandle;

use crate::catalog::Catalog;
use crate::options::CatalogOptions;
use crate::subject::{Subject, What};
use crate::watch;

/// What the source is.
const KIND: &str = "consul";

/// A Consul catalog as a source of endpoints and of services. Clones share what they read.
#[derive(Clone)]
pub struct ConsulCatalog {
    catalog: Arc<Catalog>,
    _knock: Arc<Knock>,
}

/// Who asks while nobody wants to know anything. It ends with the source.
struct Knock(AbortHandle);

impl Drop for Knock {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl ConsulCatalog {
    /// A source that connects by itself from now on and for as long as it lives. Only files are looked at here. Needs a
    /// Tokio runtime.
    pub fn connect(options: CatalogOptions) -> Result<Self, SourceError> {
        let catalog = Arc::new(Catalog::new(options)?);
        let knock = tokio::spawn(Arc::clone(&catalog).knock()).abort_handle();
        Ok(Self { catalog, _knock: Arc::new(Knock(knock)) })
    }

    pub(crate) fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    fn subjects(&self, upstream: &ConsulUpstream) -> Result<Vec<Subject>, SourceError> {
        let what = what(upstream)?;
        let options = &self.catalog.options;
        let datacenters = self.catalog.datacenters(&upstream.data_centers).into_iter();
        let scope = |datacenter| Scope {
            datacenter,
            namespace: upstream.namespace.clone().or_else(|| options.namespace.clone()),
            partition: upstream.partition.clone().or_else(|| options.partition.clone()),
        };
        let cached = upstream.query_options.as_ref().and_then(|query| query.use_cache);
        Ok(datacenters
            .map(|datacenter| Subject {
                what: what.clone(),
                scope: scope(datacenter),
                consistency: upstream.consistency_mode.map_or(options.consistency, consistency),
                cached: cached.unwrap_or(options.cached),
            })
            .collect())
    }
}

fn what(upstream: &ConsulUpstream) -> Result<What, SourceError> {
    let connect = upstream.connect_enabled == Some(true);
    match (&upstream.service_name, &upstream.prepared_query) {
        (Some(name), None) if connect => Ok(What::Mesh(name.clone())),
        (Some(name), None) => Ok(What::Service(name.clone())),
        (None, Some(id)) if !connect => Ok(What::PreparedQuery(id.clone())),
        _ => Err(SourceError::invalid(
            "an upstream of Consul names a service, or a prepared query outside the mesh",
        )
        .hint("write exactly one of serviceName and preparedQuery")),
    }
}

const fn consistency(mode: ConsistencyMode) -> Consistency {
    match mode {
        ConsistencyMode::Default => Consistency::Default,
        ConsistencyMode::Stale => Consistency::Stale,
        ConsistencyMode::Consistent => Consistency::Consistent,
    }
}

impl EndpointSource for ConsulCatalog {
    fn name(&self) -> String {
        self.catalog.options.name.clone()
    }

    fn kind(&self) -> &'static str {
        KIND
    }

    fn required(&self) -> bool {
        self.catalog.options.required
    }

    fn state(&self) -> Receiver<SourceState> {
        self.catalog.report.subscribe()
    }

    fn watch(&self, request: &EndpointRequest) -> Watch<Vec<Endpoint>> {
        let Query::Consul(upstream) = &request.query else {
            return watch::refused(foreign(request.query.kind(), KIND));
        };
        match self.subjects(upstream) {
            Ok(subjects) => watch::endpoints(&self.catalog, subjects, upstream.clone()),
            Err(error) => watch::refused(error),
        }
    }

    fn refresh(&self) {
        self.catalog.refresh();
    }

    fn counters(&self) -> BTreeMap<&'static str, u64> {
        self.catalog.counters.read()
    }
}

impl ServiceSource for ConsulCatalog {
    fn name(&self) -> String {
        EndpointSource::name(self)
    }

    fn kind(&self) -> &'static str {
        KIND
    }

    fn services(&self) -> Watch<Vec<Service>> {
        let datacenters = self.catalog.datacenters(&[]).into_iter();
        let subjects =
            datacenters.map(|datacenter| self.catalog.subject(What::Services, datacenter)).collect();
        watch::services(&self.catalog, subjects)
    }

    fn instances(&self, service: &ServiceName) -> Watch<Vec<Instance>> {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let mut subject =
            self.catalog.subject(What::Service(service.name.clone()), given(&service.datacenter));
        subject.scope.namespace = given(&service.namespace).or(subject.scope.namespace);
        watch::instances(&self.catalog, vec![subject])
    }
}

/// What it is, and nothing that it knows.
impl fmt::Debug for ConsulCatalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsulCatalog")
            .field("name", &self.catalog.options.name)
            .field("address", &self.catalog.client.address())
            .finish_non_exhaustive()
    }
}
