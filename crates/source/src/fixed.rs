//! Endpoints that somebody sets: the reference source, and the source of static upstreams.

use std::collections::BTreeMap;

use futures::StreamExt as _;
use tokio::sync::watch;
use tokio_stream::wrappers::WatchStream;

use crate::{Endpoint, EndpointSource, Listing, ServiceName, SourceError, Watch};

/// Endpoints by service, as they were last set.
#[derive(Debug, Default)]
pub struct FixedEndpoints {
    state: watch::Sender<State>,
}

#[derive(Clone, Debug, Default)]
struct State {
    services: BTreeMap<ServiceName, Vec<Endpoint>>,
    failure: Option<SourceError>,
}

impl FixedEndpoints {
    /// A source that knows no service.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on the service has these endpoints.
    pub fn set(&self, service: ServiceName, mut endpoints: Vec<Endpoint>) {
        endpoints.sort();
        self.state.send_modify(|state| drop(state.services.insert(service, endpoints)));
    }

    /// From now on the source cannot be read, or can be again.
    pub fn fail(&self, failure: Option<SourceError>) {
        self.state.send_modify(|state| state.failure = failure);
    }
}

impl State {
    fn listing(&self, service: &ServiceName) -> Listing<Vec<Endpoint>> {
        match &self.failure {
            Some(failure) => Listing::Failed(failure.clone()),
            None => Listing::Complete(self.services.get(service).cloned().unwrap_or_default()),
        }
    }
}

impl EndpointSource for FixedEndpoints {
    fn name(&self) -> String {
        "fixed".to_owned()
    }

    fn watch(&self, service: &ServiceName) -> Watch<Vec<Endpoint>> {
        let (service, mut told) = (service.clone(), None);
        // A change of another service is no news for this one.
        let listing = move |state: State| {
            let listing = state.listing(&service);
            let news = told.as_ref() != Some(&listing);
            told = Some(listing.clone());
            futures::future::ready(news.then_some(listing))
        };
        WatchStream::new(self.state.subscribe()).filter_map(listing).boxed()
    }
}
