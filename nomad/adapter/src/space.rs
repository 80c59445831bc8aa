//! One namespace of one region: what is watched there, and the task that keeps it fresh.
//!
//! The task ends with the last owner of the space; nothing is read for a service that nobody watches any more.

mod doubt;
mod driver;
mod events;
mod round;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use biplane_source::{Listing, SourceError};
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;

use crate::api::{Api, Place};
use crate::instance::Placed;
use crate::options::NomadOptions;
use crate::report::Report;
use driver::Driver;

/// What watchers are told; `None`: nothing yet.
pub(crate) type Told<T> = Option<Listing<Arc<T>>>;

/// Services by name, with the tags of all their instances.
pub(crate) type ServiceList = BTreeMap<String, BTreeSet<String>>;

/// What the user may call for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pulse {
    /// How often everything was to be read again.
    pub(crate) refreshes: u64,
    /// How often what is there was said to be meant.
    pub(crate) accepted: u64,
}

/// A namespace that somebody uses.
pub(crate) struct Space {
    shared: Arc<Shared>,
    driver: AbortHandle,
}

/// What the task and the watchers share.
pub(crate) struct Shared {
    pub(crate) place: Place,
    services: Mutex<BTreeMap<String, watch::Sender<Told<Vec<Placed>>>>>,
    pub(crate) list: watch::Sender<Told<ServiceList>>,
    /// Somebody has begun or stopped to watch.
    pub(crate) wake: Notify,
}

impl Space {
    /// A space that keeps itself fresh from now on.
    pub(crate) fn start(
        api: Api,
        options: NomadOptions,
        report: Report,
        pulse: watch::Receiver<Pulse>,
    ) -> Self {
        let shared = Arc::new(Shared {
            place: api.place.clone(),
            services: Mutex::default(),
            list: watch::Sender::new(None),
            wake: Notify::new(),
        });
        let driver = Driver::new(api, options, report, pulse, Arc::clone(&shared));
        let driver = tokio::spawn(driver.run()).abort_handle();
        Self { shared, driver }
    }

    /// The instances of a service from now on.
    pub(crate) fn watch(&self, service: &str) -> watch::Receiver<Told<Vec<Placed>>> {
        let receiver = {
            let mut services = self.shared.lock();
            let sender = services.entry(service.to_owned()).or_insert_with(|| watch::Sender::new(None));
            sender.subscribe()
        };
        self.wake();
        receiver
    }

    /// Somebody watches something new, or something no more.
    pub(crate) fn wake(&self) {
        self.shared.wake.notify_one();
    }

    /// The services from now on.
    pub(crate) fn list(&self) -> watch::Receiver<Told<ServiceList>> {
        let receiver = self.shared.list.subscribe();
        self.wake();
        receiver
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, watch::Sender<Told<Vec<Placed>>>>> {
        // Entries come and go one by one: a poisoned lock is still usable.
        self.services.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The services that somebody watches; the others are forgotten.
    pub(crate) fn watched(&self) -> BTreeSet<String> {
        let mut services = self.lock();
        services.retain(|_, sender| sender.receiver_count() > 0);
        services.keys().cloned().collect()
    }

    /// Tells the instances of a service, if they are news. Whether they are.
    pub(crate) fn tell(&self, service: &str, listing: Result<Vec<Placed>, SourceError>) -> bool {
        let services = self.lock();
        let Some(sender) = services.get(service) else { return false };
        tell(sender, listing)
    }
}

/// Tells something, if it is news. Whether it is.
pub(crate) fn tell<T: PartialEq>(sender: &watch::Sender<Told<T>>, listing: Result<T, SourceError>) -> bool {
    sender.send_if_modified(|told| {
        let is_same = match (&*told, &listing) {
            (Some(Listing::Complete(before)), Ok(now)) => **before == *now,
            (Some(Listing::Failed(before)), Err(now)) => before == now,
            _ => false,
        };
        if is_same {
            return false;
        }
        *told = Some(match listing {
            Ok(value) => Listing::Complete(Arc::new(value)),
            Err(error) => Listing::Failed(error),
        });
        true
    })
}

impl fmt::Debug for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Space").field("place", &self.shared.place).finish_non_exhaustive()
    }
}
