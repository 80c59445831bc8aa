//! The source: upstreams that ask alike share a listing, and those of one caller its credentials and its rate.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use biplane_core::resources::upstream::discovery::AwsEc2Upstream;
use biplane_source::{
    Credentials, Endpoint, EndpointRequest, EndpointSource, Listing as Told, Query, SourceError, SourceState,
    Watch, foreign,
};
use futures::{StreamExt as _, future, stream};
use tokio::sync::watch;
use tokio_stream::wrappers::WatchStream;

use crate::client::Client;
use crate::counters::Counters;
use crate::listing::{Interest, Key, Listing};
use crate::options::Ec2Options;
use crate::plan::Want;
use crate::report::Report;
use crate::session::{Caller, Role, Session};
use crate::view::endpoints;

/// Endpoints from EC2. Clones share what they read.
#[derive(Clone)]
pub struct Ec2Source {
    inner: Arc<Inner>,
}

struct Inner {
    client: Arc<Client>,
    report: Report,
    /// Moves when everything is to be read again.
    pulse: watch::Sender<u64>,
    known: Mutex<Shared>,
}

/// What is used at present.
#[derive(Default)]
struct Shared {
    sessions: BTreeMap<Caller, Weak<Session>>,
    listings: BTreeMap<Key, Weak<Listing>>,
}

impl Ec2Source {
    /// A source. Nobody is asked before something is watched, for which a Tokio runtime is needed.
    pub fn new(options: Ec2Options) -> Self {
        let report = Report::new(&options);
        let client = Arc::new(Client::new(options, Arc::<Counters>::default()));
        let inner = Inner { client, report, pulse: watch::Sender::default(), known: Mutex::default() };
        Self { inner: Arc::new(inner) }
    }

    fn interest(&self, upstream: &AwsEc2Upstream, credentials: Option<Credentials>) -> Interest {
        let region = upstream.region.clone().or_else(|| self.inner.client.options.region.clone());
        let role =
            upstream.role_arn.clone().map(|arn| Role { arn, external_id: upstream.external_id.clone() });
        let key = Key { caller: Caller { credentials, region, role }, filters: upstream.api_filters.clone() };
        Interest::new(self.inner.listing(key), Want::of(upstream))
    }
}

impl Inner {
    /// The listing that others use, or a new one.
    fn listing(&self, key: Key) -> Arc<Listing> {
        // Entries come and go one by one: a poisoned lock is still usable.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.listings.retain(|_, listing| listing.strong_count() > 0);
        known.sessions.retain(|_, session| session.strong_count() > 0);
        if let Some(listing) = known.listings.get(&key).and_then(Weak::upgrade) {
            return listing;
        }
        let session = known.sessions.get(&key.caller).and_then(Weak::upgrade).unwrap_or_else(|| {
            let session = Arc::new(Session::new(Arc::clone(&self.client), key.caller.clone()));
            known.sessions.insert(key.caller.clone(), Arc::downgrade(&session));
            session
        });
        let listing = Listing::start(session, &key, self.report.clone(), self.pulse.subscribe());
        let listing = Arc::new(listing);
        known.listings.insert(key, Arc::downgrade(&listing));
        listing
    }
}

impl EndpointSource for Ec2Source {
    fn name(&self) -> String {
        self.inner.client.options.name.clone()
    }

    fn kind(&self) -> &'static str {
        "ec2"
    }

    fn required(&self) -> bool {
        self.inner.client.options.required
    }

    fn state(&self) -> watch::Receiver<SourceState> {
        self.inner.report.subscribe()
    }

    fn watch(&self, request: &EndpointRequest) -> Watch<Vec<Endpoint>> {
        let Query::AwsEc2(upstream) = &request.query else {
            return refused(foreign(request.query.kind(), "ec2"));
        };
        let upstream = upstream.clone();
        let interest = self.interest(&upstream, request.credentials.clone());
        let mut before = None;
        let listing = interest.listing().watch();
        WatchStream::new(listing)
            .filter_map(move |known| {
                let told = interest.heard(known).map(|told| match told {
                    Told::Complete(snapshot) => Told::Complete(endpoints(&snapshot, &upstream)),
                    Told::Failed(error) => Told::Failed(error),
                });
                let news = told.filter(|told| before.as_ref() != Some(told));
                if news.is_some() {
                    before.clone_from(&news);
                }
                future::ready(news)
            })
            .boxed()
    }

    fn refresh(&self) {
        self.inner.pulse.send_modify(|pulse| *pulse += 1);
    }

    fn counters(&self) -> BTreeMap<&'static str, u64> {
        self.inner.client.counters.read()
    }
}

/// One failure, for ever: nothing that happens in EC2 changes it.
fn refused<T: Send + 'static>(error: SourceError) -> Watch<T> {
    stream::once(future::ready(Told::Failed(error))).chain(stream::pending()).boxed()
}

impl fmt::Debug for Ec2Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ec2Source").field("region", &self.inner.client.options.region).finish_non_exhaustive()
    }
}
