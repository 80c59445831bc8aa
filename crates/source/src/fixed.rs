//! Endpoints that somebody sets: the reference source, for tests of everything that reads sources.

use std::collections::BTreeMap;

use futures::StreamExt as _;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_stream::wrappers::WatchStream;

use crate::endpoint::foreign;
use crate::{Endpoint, EndpointRequest, EndpointSource, Listing, SourceError, SourceState, Watch};

/// Endpoints by request, as they were last set.
#[derive(Debug)]
pub struct FixedEndpoints {
    kind: &'static str,
    told: watch::Sender<Told>,
    state: watch::Sender<SourceState>,
}

#[derive(Clone, Debug, Default)]
struct Told {
    answers: BTreeMap<EndpointRequest, Vec<Endpoint>>,
    failure: Option<SourceError>,
}

impl FixedEndpoints {
    /// A source of this kind that knows nothing.
    pub fn new(kind: &'static str) -> Self {
        let mut state = SourceState::waiting("fixed", false, Instant::now());
        state.complete(Instant::now());
        Self { kind, told: watch::Sender::default(), state: watch::Sender::new(state) }
    }

    /// From now on the request has these endpoints.
    pub fn set(&self, request: EndpointRequest, mut endpoints: Vec<Endpoint>) {
        endpoints.sort();
        self.told.send_modify(|told| drop(told.answers.insert(request, endpoints)));
    }

    /// From now on the source cannot be read, or can be again.
    pub fn fail(&self, failure: Option<SourceError>) {
        self.state.send_modify(|state| match &failure {
            Some(error) => state.failed(error.clone(), Instant::now()),
            None => state.complete(Instant::now()),
        });
        self.told.send_modify(|told| told.failure = failure);
    }

    /// How many watches there are.
    pub fn watched(&self) -> usize {
        self.told.receiver_count()
    }
}

impl Told {
    fn listing(&self, kind: &str, request: &EndpointRequest) -> Listing<Vec<Endpoint>> {
        match &self.failure {
            _ if request.query.kind() != kind => Listing::Failed(foreign(request.query.kind(), kind)),
            Some(failure) => Listing::Failed(failure.clone()),
            None => Listing::Complete(self.answers.get(request).cloned().unwrap_or_default()),
        }
    }
}

impl EndpointSource for FixedEndpoints {
    fn name(&self) -> String {
        "fixed".to_owned()
    }

    fn kind(&self) -> &'static str {
        self.kind
    }

    fn required(&self) -> bool {
        false
    }

    fn state(&self) -> watch::Receiver<SourceState> {
        self.state.subscribe()
    }

    fn watch(&self, request: &EndpointRequest) -> Watch<Vec<Endpoint>> {
        let (kind, request, mut before) = (self.kind, request.clone(), None);
        // A change of another request's answer is no news for this one.
        let listing = move |told: Told| {
            let listing = told.listing(kind, &request);
            let news = before.as_ref() != Some(&listing);
            before = Some(listing.clone());
            futures::future::ready(news.then_some(listing))
        };
        WatchStream::new(self.told.subscribe()).filter_map(listing).boxed()
    }

    fn refresh(&self) {}
}
