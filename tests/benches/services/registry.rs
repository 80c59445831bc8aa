//! A source of services in memory, which tells at once and costs next to nothing: what is measured is what Biplane makes
//! of its words.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU16;

use biplane_source::{
    Endpoint, EndpointRequest, EndpointSource, Health, Instance, Listing, Query, Service, ServiceName,
    ServiceSource, SourceError, SourceState, Watch,
};
use futures::StreamExt as _;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_stream::wrappers::WatchStream;

/// The name of the source.
const NAME: &str = "consul";

/// Instances of each service.
const INSTANCES: u16 = 2;

/// Services with tags, each a host of its own.
#[derive(Debug)]
pub(crate) struct Registry {
    listed: watch::Sender<Vec<Service>>,
    services: BTreeMap<String, watch::Sender<Vec<Instance>>>,
    state: watch::Sender<SourceState>,
}

/// The name of a service.
pub(crate) fn name(number: usize) -> String {
    format!("s{number:05}")
}

/// The host that a service asks for.
pub(crate) fn host(number: usize) -> String {
    format!("{}.example.com", name(number))
}

impl Registry {
    /// So many services.
    pub(crate) fn new(services: usize) -> Self {
        let listed = (0..services).map(|number| Service {
            name: ServiceName::new(name(number)),
            tags: tags(number, 0).into_iter().collect::<BTreeSet<_>>(),
        });
        let instances = (0..services).map(|number| (name(number), watch::Sender::new(instances(number, 0))));
        let mut state = SourceState::waiting(NAME, false, Instant::now());
        state.complete(Instant::now());
        Self {
            listed: watch::Sender::new(listed.collect()),
            services: instances.collect(),
            state: watch::Sender::new(state),
        }
    }

    /// One instance of a service is replaced.
    pub(crate) fn replace_instance(&self, number: usize, turn: u16) {
        self.services[&name(number)].send_modify(|instances| {
            let last = instances.last_mut().expect("a service has instances");
            last.endpoint.port = NonZeroU16::new(30_000 + turn).expect("it is not zero");
        });
    }

    /// The tags of a service change.
    pub(crate) fn retag(&self, number: usize, turn: u16) {
        self.listed.send_modify(|listed| listed[number].tags = tags(number, turn).into_iter().collect());
        self.services[&name(number)].send_modify(|instances| {
            for instance in instances {
                instance.tags = tags(number, turn);
            }
        });
    }
}

fn tags(number: usize, turn: u16) -> Vec<String> {
    vec![
        "biplane.enable=true".to_owned(),
        format!("biplane.hosts={}", host(number)),
        format!("biplane.path=/v{turn}"),
    ]
}

fn instances(number: usize, turn: u16) -> Vec<Instance> {
    let instance = |port: u16| Instance {
        endpoint: Endpoint {
            id: format!("{}-{port}", name(number)),
            health: Health::Healthy,
            ..Endpoint::new([127, 0, 0, 1].into(), NonZeroU16::new(20_000 + port).expect("it is not zero"))
        },
        node: "one".to_owned(),
        tags: tags(number, turn),
        canary: false,
        version: 1,
    };
    (0..INSTANCES).map(instance).collect()
}

impl ServiceSource for Registry {
    fn name(&self) -> String {
        NAME.to_owned()
    }

    fn kind(&self) -> &'static str {
        NAME
    }

    fn services(&self) -> Watch<Vec<Service>> {
        WatchStream::new(self.listed.subscribe()).map(Listing::Complete).boxed()
    }

    fn instances(&self, service: &ServiceName) -> Watch<Vec<Instance>> {
        WatchStream::new(self.services[&service.name].subscribe()).map(Listing::Complete).boxed()
    }
}

impl EndpointSource for Registry {
    fn name(&self) -> String {
        NAME.to_owned()
    }

    fn kind(&self) -> &'static str {
        NAME
    }

    fn required(&self) -> bool {
        false
    }

    fn state(&self) -> watch::Receiver<SourceState> {
        self.state.subscribe()
    }

    fn watch(&self, request: &EndpointRequest) -> Watch<Vec<Endpoint>> {
        let asked = match &request.query {
            Query::Consul(query) => query.service_name.clone().unwrap_or_default(),
            _ => return never(),
        };
        let Some(service) = self.services.get(&asked) else { return never() };
        let endpoints = |instances: Vec<Instance>| {
            Listing::Complete(instances.into_iter().map(|instance| instance.endpoint).collect())
        };
        WatchStream::new(service.subscribe()).map(endpoints).boxed()
    }

    fn refresh(&self) {}
}

/// What nobody here asks.
fn never() -> Watch<Vec<Endpoint>> {
    futures::stream::iter([Listing::Failed(SourceError::invalid("nobody asks this here"))]).boxed()
}
