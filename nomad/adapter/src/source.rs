//! The source: what is asked goes to the namespace that has it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use biplane_core::resources::upstream::discovery::NomadUpstream;
use biplane_source::{
    Endpoint, EndpointRequest, EndpointSource, Instance, Listing, Query, Service, ServiceName, ServiceSource,
    SourceError, SourceState, Watch, foreign,
};
use futures::{Stream, StreamExt as _, future, stream};
use tokio::sync::watch;
use tokio_stream::wrappers::WatchStream;

use crate::api::{Api, Place};
use crate::client::Client;
use crate::counters::Tally;
use crate::instance::{Placed, endpoints};
use crate::options::{NomadOptions, check_namespace};
use crate::report::Report;
use crate::space::{Pulse, ServiceList, Space, Told};

/// Endpoints and services of one Nomad. Clones share what they read. The namespaces of the options are looked at for as
/// long as it lives, others for as long as somebody watches something in them.
#[derive(Clone)]
pub struct NomadSource {
    inner: Arc<Inner>,
}

struct Inner {
    options: NomadOptions,
    client: Client,
    tally: Arc<Tally>,
    report: Report,
    pulse: watch::Sender<Pulse>,
    /// Those of the options.
    own: Vec<Arc<Held>>,
    /// All that are used.
    spaces: Mutex<BTreeMap<Place, Weak<Held>>>,
}

/// A space, as long as somebody holds it.
struct Held {
    place: Place,
    space: Space,
    report: Report,
}

impl NomadSource {
    /// A source that keeps itself fresh from now on and for as long as it lives. Only files are looked at here. Needs a
    /// Tokio runtime.
    pub fn connect(options: NomadOptions) -> Result<Self, SourceError> {
        if options.namespaces.is_empty() {
            return Err(SourceError::invalid("no namespace of Nomad is named").hint("namespaces=default"));
        }
        let tally = Arc::new(Tally::default());
        let client = Client::new(&options, Arc::clone(&tally))?;
        let (report, pulse) = (Report::new(&options), watch::Sender::default());
        let mut inner =
            Inner { options, client, tally, report, pulse, own: Vec::new(), spaces: Mutex::default() };
        let namespaces = inner.options.namespaces.clone();
        inner.own = namespaces
            .into_iter()
            .map(|namespace| inner.space(Place { region: inner.options.region.clone(), namespace }))
            .collect();
        Ok(Self { inner: Arc::new(inner) })
    }

    fn place(&self, upstream: &NomadUpstream) -> Result<Place, SourceError> {
        let options = &self.inner.options;
        let namespace = upstream.namespace.as_ref().unwrap_or(&options.namespaces[0]);
        check_namespace(namespace)?;
        let region = upstream.region.clone().or_else(|| options.region.clone());
        Ok(Place { region, namespace: namespace.clone() })
    }

    /// The instances of a service, as `of` sees them. What is no news for the watcher is not told.
    fn instances_as<T: Clone + PartialEq + Send + Sync + 'static>(
        &self,
        place: Place,
        service: &str,
        of: impl Fn(&[Placed]) -> Vec<T> + Send + Sync + 'static,
    ) -> Watch<Vec<T>> {
        let held = self.inner.space(place);
        let told = WatchStream::new(held.space.watch(service));
        news(told, held, move |placed| of(placed))
    }
}

impl Inner {
    /// The space of a place: that which others use, or a new one.
    fn space(&self, place: Place) -> Arc<Held> {
        // Entries come and go one by one: a poisoned lock is still usable.
        let mut spaces = self.spaces.lock().unwrap_or_else(PoisonError::into_inner);
        spaces.retain(|_, held| held.strong_count() > 0);
        if let Some(held) = spaces.get(&place).and_then(Weak::upgrade) {
            return held;
        }
        self.report.begin(&place);
        let api = Api { client: self.client.clone(), place: place.clone(), page: self.options.tuning.page };
        let space = Space::start(api, self.options.clone(), self.report.clone(), self.pulse.subscribe());
        let held = Arc::new(Held { place: place.clone(), space, report: self.report.clone() });
        spaces.insert(place, Arc::downgrade(&held));
        held
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.report.end(&self.place);
    }
}

impl EndpointSource for NomadSource {
    fn name(&self) -> String {
        self.inner.options.name.clone()
    }

    fn kind(&self) -> &'static str {
        "nomad"
    }

    fn required(&self) -> bool {
        self.inner.options.required
    }

    fn state(&self) -> watch::Receiver<SourceState> {
        self.inner.report.subscribe()
    }

    fn watch(&self, request: &EndpointRequest) -> Watch<Vec<Endpoint>> {
        let Query::Nomad(upstream) = &request.query else {
            return refused(foreign(request.query.kind(), "nomad"));
        };
        let upstream = upstream.clone();
        match self.place(&upstream) {
            Ok(place) => {
                let service = upstream.service_name.clone();
                self.instances_as(place, &service, move |placed| endpoints(placed, &upstream))
            }
            Err(error) => refused(error),
        }
    }

    fn refresh(&self) {
        self.inner.pulse.send_modify(|pulse| pulse.refreshes += 1);
    }

    fn accept(&self) {
        self.inner.pulse.send_modify(|pulse| pulse.accepted += 1);
    }

    fn counters(&self) -> BTreeMap<&'static str, u64> {
        self.inner.tally.read()
    }
}

impl ServiceSource for NomadSource {
    fn name(&self) -> String {
        self.inner.options.name.clone()
    }

    fn kind(&self) -> &'static str {
        "nomad"
    }

    fn services(&self) -> Watch<Vec<Service>> {
        let own = self.inner.own.clone();
        let lists: Vec<_> = own
            .iter()
            .enumerate()
            .map(|(at, held)| {
                let changes = WatchStream::new(held.space.list()).filter_map(future::ready);
                changes.map(move |listing| (at, listing)).boxed()
            })
            .collect();
        let mut together = Together::new(own);
        stream::select_all(lists)
            .filter_map(move |(at, listing)| future::ready(together.hear(at, listing)))
            .boxed()
    }

    fn instances(&self, service: &ServiceName) -> Watch<Vec<Instance>> {
        let options = &self.inner.options;
        let own = options.region.clone();
        let named = (!service.datacenter.is_empty()).then(|| service.datacenter.clone());
        let namespace = if service.namespace.is_empty() {
            options.namespaces[0].clone()
        } else {
            service.namespace.clone()
        };
        if let Err(error) = check_namespace(&namespace) {
            return refused(error);
        }
        let place = Place { region: named.or(own), namespace };
        self.instances_as(place, &service.name, |placed| {
            let mut found: Vec<Instance> = placed.iter().filter_map(Placed::instance).collect();
            found.sort();
            found
        })
    }
}

/// The lists of several namespaces as one.
///
/// It is told when all are known. A namespace that fails then is told as a failure, and what changes in the others is told
/// with what was known of it: one namespace holds up only itself.
struct Together {
    spaces: Vec<Arc<Held>>,
    known: Vec<Option<Arc<ServiceList>>>,
    told: Option<Listing<Vec<Service>>>,
}

impl Together {
    fn new(spaces: Vec<Arc<Held>>) -> Self {
        let known = vec![None; spaces.len()];
        Self { spaces, known, told: None }
    }

    fn hear(&mut self, at: usize, listing: Listing<Arc<ServiceList>>) -> Option<Listing<Vec<Service>>> {
        let listing = match listing {
            Listing::Failed(error) => Listing::Failed(error),
            Listing::Complete(list) => {
                self.known[at] = Some(list);
                Listing::Complete(self.all()?)
            }
        };
        if self.told.as_ref() == Some(&listing) {
            return None;
        }
        self.told = Some(listing.clone());
        Some(listing)
    }

    fn all(&self) -> Option<Vec<Service>> {
        let mut all = Vec::new();
        for (held, known) in self.spaces.iter().zip(&self.known) {
            let list = known.as_ref()?;
            all.extend(list.iter().map(|(name, tags)| service(&held.place, name, tags)));
        }
        all.sort();
        Some(all)
    }
}

fn service(place: &Place, name: &str, tags: &BTreeSet<String>) -> Service {
    let name = ServiceName {
        datacenter: place.region.clone().unwrap_or_default(),
        namespace: place.namespace.clone(),
        name: name.to_owned(),
    };
    Service { name, tags: tags.clone() }
}

/// What the watch of a space tells, as one watcher sees it, who keeps the space alive.
fn news<T: Clone + PartialEq + Send + Sync + 'static>(
    told: impl Stream<Item = Told<Vec<Placed>>> + Send + 'static,
    held: Arc<Held>,
    of: impl Fn(&[Placed]) -> Vec<T> + Send + Sync + 'static,
) -> Watch<Vec<T>> {
    let mut before: Option<Listing<Vec<T>>> = None;
    // Dropped behind the receiver in `told`, whose end it tells.
    let watching = Watching(held);
    told.filter_map(move |told| {
        let _keeps = &watching;
        let listing = told.map(|listing| match listing {
            Listing::Complete(placed) => Listing::Complete(of(&placed)),
            Listing::Failed(error) => Listing::Failed(error),
        });
        let news = listing.filter(|listing| before.as_ref() != Some(listing));
        if news.is_some() {
            before.clone_from(&news);
        }
        future::ready(news)
    })
    .boxed()
}

/// A watcher, who keeps the space alive.
struct Watching(Arc<Held>);

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.space.wake();
    }
}

/// One failure, for ever: nothing that happens in Nomad changes it.
fn refused<T: Send + 'static>(error: SourceError) -> Watch<T> {
    stream::once(future::ready(Listing::Failed(error))).chain(stream::pending()).boxed()
}

impl fmt::Debug for NomadSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NomadSource").field("address", &self.inner.client.address()).finish_non_exhaustive()
    }
}
