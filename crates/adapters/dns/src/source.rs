//! The source: questions are asked once, however many upstreams ask them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use biplane_source::{
    Endpoint, EndpointRequest, EndpointSource, Listing, Query, SourceError, SourceState, Watch, foreign,
};
use futures::{StreamExt as _, future, stream};
use tokio::sync::watch;
use tokio_stream::wrappers::WatchStream;

use crate::counters::Counters;
use crate::follow::{Follower, Shared, Told};
use crate::look::{Question, endpoints};
use crate::options::DnsOptions;
use crate::report::Report;
use crate::resolver::Resolver;

/// Endpoints from DNS. Clones share what they look up.
#[derive(Clone)]
pub struct DnsSource {
    shared: Arc<Shared>,
    /// What is asked at present.
    questions: Arc<Mutex<BTreeMap<Question, Weak<Follower>>>>,
}

impl DnsSource {
    /// A source. Nobody is asked before something is watched, for which a Tokio runtime is needed.
    pub fn new(options: DnsOptions) -> Self {
        let counters = Arc::<Counters>::default();
        let shared = Shared {
            resolver: Resolver::new(options.clone(), Arc::clone(&counters)),
            report: Report::new(&options),
            pulse: watch::Sender::default(),
            counters,
            options,
        };
        Self { shared: Arc::new(shared), questions: Arc::default() }
    }

    /// The follower of a question: that of others who ask the same, or a new one.
    fn follower(&self, question: Question) -> Arc<Follower> {
        // Entries come and go one by one: a poisoned lock is still usable.
        let mut questions = self.questions.lock().unwrap_or_else(PoisonError::into_inner);
        questions.retain(|_, follower| follower.strong_count() > 0);
        if let Some(follower) = questions.get(&question).and_then(Weak::upgrade) {
            return follower;
        }
        let follower = Arc::new(Follower::start(Arc::clone(&self.shared), question.clone()));
        questions.insert(question, Arc::downgrade(&follower));
        follower
    }
}

impl EndpointSource for DnsSource {
    fn name(&self) -> String {
        self.shared.options.name.clone()
    }

    fn kind(&self) -> &'static str {
        "dns"
    }

    fn required(&self) -> bool {
        self.shared.options.required
    }

    fn state(&self) -> watch::Receiver<SourceState> {
        self.shared.report.subscribe()
    }

    fn watch(&self, request: &EndpointRequest) -> Watch<Vec<Endpoint>> {
        let Query::Dns(upstream) = &request.query else {
            return refused(foreign(request.query.kind(), "dns"));
        };
        let (port, follower) = (upstream.port, self.follower(Question::of(upstream)));
        let told = WatchStream::new(follower.watch());
        let mut before = None;
        told.filter_map(move |told| {
            let _keeps = &follower;
            let listing = listing(told, port).filter(|listing| before.as_ref() != Some(listing));
            if listing.is_some() {
                before.clone_from(&listing);
            }
            future::ready(listing)
        })
        .boxed()
    }

    fn refresh(&self) {
        self.shared.pulse.send_modify(|pulse| *pulse += 1);
    }

    fn counters(&self) -> BTreeMap<&'static str, u64> {
        self.shared.counters.read()
    }
}

/// What an upstream with this port sees.
fn listing(told: Told, port: Option<u32>) -> Option<Listing<Vec<Endpoint>>> {
    Some(match told? {
        Listing::Failed(error) => Listing::Failed(error),
        Listing::Complete(places) => match endpoints(&places, port) {
            Ok(endpoints) => Listing::Complete(endpoints),
            Err(error) => Listing::Failed(error),
        },
    })
}

/// One failure, for ever: nothing that happens in DNS changes it.
fn refused<T: Send + 'static>(error: SourceError) -> Watch<T> {
    stream::once(future::ready(Listing::Failed(error))).chain(stream::pending()).boxed()
}

impl fmt::Debug for DnsSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DnsSource").field("servers", &self.shared.options.servers).finish_non_exhaustive()
    }
}
