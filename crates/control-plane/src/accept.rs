//! An operator's word that what the guard holds is meant.
//!
//! A store whose mark has gone is marked anew and read first, so that it is known what it lacks. The
//! word is left in the store as an intent, where the other replicas find it.

use std::sync::Arc;
use std::time::Duration;

use biplane_admin_api::resources::{Accepted, Name};
use biplane_admin_api::{Problem, ProblemKind};
use biplane_source::EndpointSource;
use biplane_store::{Author, DriverHandle, Intent, Records, Store, StoreError, clock, layout};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use tracing::{info, warn};

use crate::guard::Released;
use crate::run_loop::{Activity, Command};
use crate::shared::SharedEngine;

/// How long the store may take for one call.
const DEADLINE: Duration = Duration::from_secs(10);
/// How long a reading may take that is waited for.
const READING: Duration = Duration::from_secs(30);

/// What carries an operator's word out.
#[derive(Debug)]
pub(crate) struct Acceptance {
    pub(crate) name: Arc<str>,
    pub(crate) store: Arc<dyn Store>,
    /// The sources of endpoints.
    pub(crate) endpoints: Vec<Arc<dyn EndpointSource>>,
    /// Told the name of a source of services that is accepted.
    pub(crate) services: mpsc::Sender<Arc<str>>,
    pub(crate) driver: DriverHandle,
    pub(crate) engine: SharedEngine,
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) activity: watch::Receiver<Activity>,
}

impl Acceptance {
    /// Lets everything go that is held for `source`, as long as it is what has this tag.
    pub(crate) async fn accept(
        &self,
        source: &str,
        held_tag: Option<&str>,
        author: &str,
    ) -> Result<Accepted, Problem> {
        if let Some(endpoints) = self.endpoints.iter().find(|endpoints| endpoints.name() == source) {
            return self.accept_endpoints(&**endpoints, author).await;
        }
        if source != &*self.name {
            let problem = Problem::new(ProblemKind::NotFound, format!("there is no source {source:?}"));
            let mut names = vec![self.name.to_string()];
            names.extend(self.endpoints.iter().map(|source| source.name()));
            return Err(problem.hint(format!("the sources are {}", names.join(", "))));
        }
        if held_tag.is_some() && self.engine.lock().held_tag().as_deref() != held_tag {
            return Err(moved(source));
        }
        let mut held_tag = held_tag.map(str::to_owned);
        match self.failure() {
            Some(StoreError::Unmarked { .. }) => {
                self.mark().await?;
                // Known only now; that it goes is what was asked for.
                held_tag = None;
            }
            Some(error) if !self.is_suspect() => return Err(unreadable(&error)),
            _ => {}
        }
        let was_in_doubt = self.engine.lock().doubt().is_some();
        let (answer, released) = oneshot::channel();
        let sent = self.commands.send(Command::Accept(held_tag, answer)).await;
        let released = released.await.ok().filter(|_| sent.is_ok());
        let released =
            released.ok_or_else(|| Problem::new(ProblemKind::Unavailable, "Biplane is stopping"))?;
        let released = released.ok_or_else(|| moved(source))?;
        if was_in_doubt {
            self.read_again().await?;
        }
        info!(source, author, objects = released.removals.len(), "what was held is accepted");
        self.tell_others(&released, author).await;
        Ok(accepted(source, &released))
    }

    /// The services that a source of endpoints does not show any more are meant to be gone.
    async fn accept_endpoints(
        &self,
        endpoints: &dyn EndpointSource,
        author: &str,
    ) -> Result<Accepted, Problem> {
        let source = endpoints.name();
        let (answer, released) = oneshot::channel();
        let sent = self.commands.send(Command::AcceptEndpoints(source.clone(), answer)).await;
        let services = released.await.ok().filter(|_| sent.is_ok());
        let services =
            services.ok_or_else(|| Problem::new(ProblemKind::Unavailable, "Biplane is stopping"))?;
        // Where services become nothing, nobody listens.
        let _ = self.services.send(source.as_str().into()).await;
        endpoints.accept();
        info!(%source, author, services, "services that have vanished are accepted");
        Ok(Accepted { source, removals: services as u64, objects: Vec::new() })
    }

    fn failure(&self) -> Option<StoreError> {
        self.engine.lock().store().failure.as_ref().map(|failure| failure.error.clone())
    }

    fn is_suspect(&self) -> bool {
        self.engine.lock().guard().suspicion().is_some()
    }

    /// Marks the store anew, and waits until it has been read.
    async fn mark(&self) -> Result<(), Problem> {
        let marked = within(DEADLINE, "mark the store", self.store.init()).await;
        let identity = marked.map_err(|error| unreadable(&error))?;
        info!(source = %self.name, %identity, "the store is marked anew");
        self.read_again().await
    }

    /// Has the store read, and waits for that.
    async fn read_again(&self) -> Result<(), Problem> {
        let mut activity = self.activity.clone();
        let before = activity.borrow_and_update().readings;
        self.driver.relist();
        let read = activity.wait_for(|activity| activity.readings > before);
        match timeout(READING, read).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(self.failure().map_or_else(
                || Problem::new(ProblemKind::Unavailable, format!("{} was not read in time", self.name)),
                |error| unreadable(&error),
            )),
        }
    }

    /// Leaves an intent. If that fails this replica has done it all the same.
    async fn tell_others(&self, released: &Released, author: &str) {
        let Some(records) = self.store.records().filter(|_| !released.is_empty()) else { return };
        if let Err(error) = leave_intent(&*records, released, author).await {
            warn!(%error, hint = error.hint(), "other replicas do not learn of it: accept it on each");
        }
    }
}

async fn leave_intent(records: &dyn Records, released: &Released, author: &str) -> Result<(), StoreError> {
    let author = Author { name: author.to_owned(), message: "accepted what the store lacks".to_owned() };
    let intent = Intent {
        author,
        at: clock::now(),
        puts: released.older.iter().map(|object| layout::format_key(&object.key)).collect(),
        deletes: released.removals.iter().map(layout::format_key).collect(),
        accepts: released.acceptance(),
    };
    let writes = intent.split().iter().map(Intent::record).collect();
    within(DEADLINE, "leave an intent", records.write(writes, None)).await.map(drop)
}

async fn within<T>(
    deadline: Duration,
    what: &str,
    call: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let late = |_| Err(StoreError::unavailable(format!("no answer within {deadline:?} to {what}")));
    timeout(deadline, call).await.unwrap_or_else(late)
}

fn moved(source: &str) -> Problem {
    let problem = Problem::new(ProblemKind::Conflict, "what is held is no longer what was looked at");
    problem.hint(format!("nothing was changed; look again: biplane source accept {source}"))
}

fn unreadable(error: &StoreError) -> Problem {
    let kind = match error {
        StoreError::Denied { .. } => ProblemKind::Forbidden,
        StoreError::ReadOnly { .. } => ProblemKind::ReadOnly,
        _ => ProblemKind::Unavailable,
    };
    let problem = Problem::new(kind, error.to_string());
    match error.hint() {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}

fn accepted(source: &str, released: &Released) -> Accepted {
    let keys = released.removals.iter().chain(released.older.iter().map(|object| &object.key));
    let mut objects: Vec<Name> = keys.map(Name::from).collect();
    objects.sort_unstable();
    Accepted { source: source.to_owned(), removals: released.removals.len() as u64, objects }
}
