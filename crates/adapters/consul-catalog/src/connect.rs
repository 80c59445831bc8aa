//! The service mesh as a source of secrets: `leaf/<service>` is the certificate that a service shows, its key and the
//! roots; `roots` is the roots alone.
//!
//! The agent keeps a leaf fresh and answers a query that waits when there is a new one, so nothing is renewed here. A
//! root comes before any leaf that it signed, because both are read before either is told, roots last.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use biplane_consul_client::{Answer, Error, Leaf, Query, Roots, Scope};
use biplane_core::scalars::Timestamp;
use biplane_source::{
    Listing, Secret, SecretOptions, SecretRequest, SecretSource, SourceError, SourceState, Watch,
};
use futures::StreamExt as _;
use futures::stream::unfold;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use zeroize::Zeroizing;

use crate::catalog::Catalog;
use crate::source::ConsulCatalog;
use biplane_source::pace::Backoff;

/// How long a reading may take: two questions.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a question waits whose answer came before its time and brought nothing.
const QUIET: Duration = Duration::from_secs(1);

/// What one asks for a certificate of the mesh.
const LEAF: &str = "leaf/";
const ROOTS: &str = "roots";

/// Certificates of Consul's mesh.
#[derive(Clone)]
pub struct ConnectSecrets {
    catalog: Arc<Catalog>,
    _source: ConsulCatalog,
    state: Arc<watch::Sender<SourceState>>,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted {
    Leaf(String),
    Roots,
}

/// One reading, and the indexes to wait after.
struct Reading {
    secret: Secret,
    leaf: Option<u64>,
    roots: u64,
}

impl ConnectSecrets {
    /// The certificates of the mesh that this catalog is of, over the same connections.
    pub fn of(source: &ConsulCatalog) -> Self {
        let catalog = Arc::clone(source.catalog());
        let name = &*catalog.options.name;
        let state = SourceState::waiting(name, catalog.options.required, Instant::now());
        Self { catalog, _source: source.clone(), state: Arc::new(watch::Sender::new(state)) }
    }

    /// The name in the mesh that the instances of a service prove to have: what an upstream verifies.
    pub async fn identity(&self, service: &str, datacenter: &str) -> Result<String, SourceError> {
        let roots = self.roots(&Query::default()).await.map_err(|error| failure(&Wanted::Roots, &error))?;
        let scope = &self.catalog.options;
        let namespace = scope.namespace.as_deref().unwrap_or("default");
        let partition = scope.partition.as_deref().filter(|name| *name != "default");
        let partition = partition.map_or_else(String::new, |name| format!("/ap/{name}"));
        let domain = roots.value.trust_domain;
        Ok(format!("spiffe://{domain}{partition}/ns/{namespace}/dc/{datacenter}/svc/{service}"))
    }

    async fn roots(&self, query: &Query) -> Result<Answer<Roots>, Error> {
        self.catalog.client.connect_roots(&self.scope(), query).await
    }

    async fn leaf(&self, service: &str, query: &Query) -> Result<Answer<Leaf>, Error> {
        self.catalog.client.connect_leaf(service, &self.scope(), query).await
    }

    /// Leaves are the agent's business: its own datacenter.
    fn scope(&self) -> Scope {
        let options = &self.catalog.options;
        Scope { datacenter: None, namespace: options.namespace.clone(), partition: options.partition.clone() }
    }

    async fn read_now(&self, wanted: &Wanted) -> Result<Reading, SourceError> {
        let reading = timeout(PATIENCE, self.reading(wanted)).await;
        let reading = reading.unwrap_or_else(|_| {
            let address = self.catalog.client.address().to_owned();
            Err(Error::TimedOut { address, waited: PATIENCE })
        });
        let reading = reading.map_err(|error| failure(wanted, &error));
        self.state.send_modify(|state| match &reading {
            Ok(_) => state.complete(Instant::now()),
            Err(error) => state.failed(error.clone(), Instant::now()),
        });
        reading
    }

    async fn reading(&self, wanted: &Wanted) -> Result<Reading, Error> {
        let query = Query::default();
        let leaf = match wanted {
            Wanted::Leaf(service) => Some(self.leaf(service, &query).await?),
            Wanted::Roots => None,
        };
        // After the leaf, so that the root that signed it is among them.
        let roots = self.roots(&query).await?;
        let index = leaf.as_ref().map(|leaf| leaf.meta.index);
        Ok(Reading {
            secret: secret(leaf.map(|leaf| leaf.value), &roots.value),
            leaf: index,
            roots: roots.meta.index,
        })
    }

    /// Waits until there may be another leaf or root. An error ends the wait, and is told by the reading that follows.
    async fn moved(&self, wanted: &Wanted, reading: &Reading) {
        let (wait, began) = (self.catalog.options.wait, Instant::now());
        let roots =
            async { self.roots(&Query::after(reading.roots, wait)).await.map(|answer| answer.meta.index) };
        let leaf = async {
            match (wanted, reading.leaf) {
                (Wanted::Leaf(service), Some(index)) => {
                    self.leaf(service, &Query::after(index, wait)).await.map(|answer| Some(answer.meta.index))
                }
                _ => std::future::pending().await,
            }
        };
        let is_news = tokio::select! {
            index = roots => index.is_ok_and(|index| index != reading.roots),
            index = leaf => index.is_ok_and(|index| index != reading.leaf),
        };
        if !is_news && began.elapsed() < wait {
            sleep(QUIET).await;
        }
    }
}

/// A watch and what it has told.
struct Round {
    source: ConnectSecrets,
    wanted: Wanted,
    pulse: watch::Receiver<u64>,
    known: Option<Reading>,
    told: Option<Listing<Option<Secret>>>,
    backoff: Backoff,
}

impl Round {
    async fn next(mut self) -> (Listing<Option<Secret>>, Self) {
        loop {
            if let Some(reading) = &self.known {
                tokio::select! {
                    () = self.source.moved(&self.wanted, reading) => {}
                    _ = self.pulse.changed() => {}
                }
            } else if self.told.is_some() {
                tokio::select! {
                    () = sleep(self.backoff.delay()) => {}
                    _ = self.pulse.changed() => {}
                }
            }
            let listing = match self.source.read_now(&self.wanted).await {
                Ok(reading) => {
                    self.backoff.reset();
                    let listing = Listing::Complete(Some(reading.secret.clone()));
                    self.known = Some(reading);
                    listing
                }
                Err(error) => {
                    self.known = None;
                    Listing::Failed(error)
                }
            };
            if !self.told.as_ref().is_some_and(|told| told.is_no_news(&listing)) {
                self.told = Some(listing.clone());
                return (listing, self);
            }
        }
    }
}

#[async_trait]
impl SecretSource for ConnectSecrets {
    fn name(&self) -> String {
        self.catalog.options.name.clone()
    }

    fn kind(&self) -> &'static str {
        "consul"
    }

    fn required(&self) -> bool {
        self.catalog.options.required
    }

    fn has_objects(&self) -> bool {
        false
    }

    fn state(&self) -> watch::Receiver<SourceState> {
        self.state.subscribe()
    }

    async fn read(&self, request: &SecretRequest) -> Result<Option<Secret>, SourceError> {
        let wanted = wanted(request)?;
        self.read_now(&wanted).await.map(|reading| Some(reading.secret))
    }

    fn watch(&self, request: &SecretRequest, _: SecretOptions) -> Watch<Option<Secret>> {
        let wanted = match wanted(request) {
            Ok(wanted) => wanted,
            Err(error) => return crate::watch::refused(error),
        };
        let round = Round {
            source: self.clone(),
            wanted,
            pulse: self.catalog.pulse.subscribe(),
            known: None,
            told: None,
            backoff: Backoff::new(self.catalog.options.tuning.retry_max),
        };
        unfold(round, |round| async move { Some(round.next().await) }).boxed()
    }

    fn refresh(&self) {
        self.catalog.refresh();
    }
}

fn wanted(request: &SecretRequest) -> Result<Wanted, SourceError> {
    let error = || {
        SourceError::invalid("Consul's mesh has leaves and roots only")
            .hint("file: leaf/<service>, or file: roots")
    };
    let SecretRequest::Path(path) = request else { return Err(error()) };
    match path.strip_prefix(LEAF) {
        Some(service) if !service.is_empty() && !service.contains('/') => {
            Ok(Wanted::Leaf(service.to_owned()))
        }
        None if path == ROOTS => Ok(Wanted::Roots),
        _ => Err(error()),
    }
}

fn secret(leaf: Option<Leaf>, roots: &Roots) -> Secret {
    let roots: Vec<_> = roots.roots.iter().map(|root| root.root_cert.trim()).collect();
    let roots = roots.join("\n") + "\n";
    let field = |name: &str, text: &str| (name.to_owned(), Zeroizing::new(text.as_bytes().to_vec()));
    let mut fields = BTreeMap::from([field("rootCa", &roots)]);
    let expires = leaf.as_ref().and_then(|leaf| time(&leaf.valid_before));
    if let Some(leaf) = leaf {
        fields.extend([field("certChain", &leaf.certificate), field("privateKey", leaf.key.expose())]);
    }
    Secret { expires, ..Secret::new(fields) }
}

fn time(text: &str) -> Option<SystemTime> {
    let Timestamp(seconds) = text.parse().ok()?;
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).ok()?))
}

fn failure(wanted: &Wanted, error: &Error) -> SourceError {
    let what = match wanted {
        Wanted::Leaf(service) => format!("the mesh's certificate of {service}"),
        Wanted::Roots => "the mesh's roots".to_owned(),
    };
    let message = format!("{what}: {error}");
    match error {
        Error::Denied { .. } => SourceError::denied(message)
            .hint("the token's policy needs service \"<name>\" with policy \"write\" for its certificate"),
        Error::Refused { .. } => SourceError::invalid(message)
            .hint("is the mesh switched on? (connect { enabled = true } on the servers)"),
        _ => SourceError::new(message),
    }
}

/// What it is, and nothing that it knows.
impl fmt::Debug for ConnectSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectSecrets").field("name", &self.catalog.options.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_a_leaf_or_the_roots() {
        let of = |path: &str| wanted(&SecretRequest::Path(path.to_owned()));
        assert_eq!(of("leaf/web"), Ok(Wanted::Leaf("web".to_owned())));
        assert_eq!(of("roots"), Ok(Wanted::Roots));
        for path in ["leaf/", "leaf/a/b", "leaf", "roots/a", ""] {
            assert!(of(path).is_err(), "{path}");
        }
    }
}
