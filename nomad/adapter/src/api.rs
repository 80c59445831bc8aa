//! What is asked of Nomad: paths, the rights that they take, and as much of the answers as is used.
//!
//! Every question names its namespace: whoever asks for all of them is shown those that the token may read, and is not
//! told that there are others.

mod spec;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::client::{Call, Client, Failure, Kind, Lines};
pub(crate) use spec::Spec;
pub(crate) use wire::{Allocation, CheckResult, Event, Events, Registration};
use wire::{AllocationWithJob, KeySet, Stubs};

/// How long the checks of one allocation may take: the question goes to its node, which may be gone.
const CHECKS_TIMEOUT: Duration = Duration::from_secs(3);

/// More pages than anybody has.
const PAGES_MAX: usize = 10_000;

/// What is asked about: a namespace of a region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// `None`: the agent's own.
    pub(crate) region: Option<String>,
    pub(crate) namespace: String,
}

/// For people.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "namespace {}", self.namespace)?;
        self.region.iter().try_for_each(|region| write!(f, " of region {region}"))
    }
}

/// Questions about one place.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    pub(crate) client: Client,
    pub(crate) place: Place,
    /// How many registrations are asked for at a time.
    pub(crate) page: usize,
}

impl Api {
    /// The services with the tags of all their instances, and when any of them last changed.
    pub(crate) async fn services(&self) -> Result<(BTreeMap<String, BTreeSet<String>>, u64), Failure> {
        let call = self.call(format!("list the services of {}", self.place), &["services"]);
        let (stubs, index) = self.pages::<Stubs>(call).await?;
        let services = stubs.into_iter().flat_map(|stubs| stubs.services);
        Ok((services.map(|stub| (stub.service_name, stub.tags.unwrap_or_default())).collect(), index))
    }

    /// The registrations of a service, and when any registration last changed.
    pub(crate) async fn service(&self, name: &str) -> Result<(Vec<Registration>, u64), Failure> {
        let what = format!("read service {name} of {}", self.place);
        let call = self.call(what, &["service", name]).with("per_page", self.page.to_string());
        self.pages(call).await
    }

    /// All allocations of a job that are remembered, and when any allocation last changed.
    pub(crate) async fn allocations(&self, job: &str) -> Result<(Vec<Allocation>, u64), Failure> {
        let what = format!("list the allocations of job {job} in {}", self.place);
        // Those of an earlier job of the same name too: they may still run.
        self.pages(self.call(what, &["job", job, "allocations"]).with("all", "true")).await
    }

    /// When any allocation last changed. Unlike a list of services this takes the right to read jobs from everybody.
    pub(crate) async fn allocations_changed(&self) -> Result<u64, Failure> {
        let what = format!("look at the allocations of {}", self.place);
        let call = self.call(what, &["allocations"]).with("per_page", "1").with("task_states", "false");
        Ok(self.client.read(&call).await?.1.index)
    }

    /// Fails unless the namespace is there: a list of the services of one that is not is just empty.
    pub(crate) async fn namespace(&self) -> Result<(), Failure> {
        let call = self.call(format!("look for {}", self.place), &["namespace", &self.place.namespace]);
        match self.client.send(&call).await {
            Ok(_) => Ok(()),
            Err(failure) if failure.kind == Kind::Missing => {
                let message = format!("there is no {} at {}", self.place, self.client.address());
                Err(Failure::of(Kind::Missing, message)
                    .hint("`nomad namespace list` shows those that there are"))
            }
            Err(failure) => Err(failure),
        }
    }

    /// The ids of the keys that the servers sign identities with, which tell one set of servers from another; `None` for
    /// servers too old to tell.
    pub(crate) async fn keys(&self) -> Result<Option<BTreeSet<String>>, Failure> {
        let path = [".well-known", "jwks.json"];
        let call = match &self.place.region {
            Some(region) => {
                Call::get(format!("read the public keys of region {region}"), &path).with("region", region)
            }
            None => Call::get("read the public keys", &path),
        };
        match self.client.send(&call).await {
            Ok(answer) => {
                Ok(answer.json::<KeySet>().map(|set| set.keys.into_iter().map(|key| key.kid).collect()))
            }
            Err(failure) if matches!(failure.kind, Kind::Missing | Kind::Invalid | Kind::Denied) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// What the job of an allocation says about it; `None` if the allocation is forgotten.
    pub(crate) async fn spec(&self, allocation: &str) -> Result<Option<Spec>, Failure> {
        let call = self.call(format!("read allocation {allocation}"), &["allocation", allocation]);
        match self.client.read(&call).await {
            Ok((answer, _)) => {
                let whole: AllocationWithJob = self.parse(&call, &answer)?;
                Ok(Spec::of(whole))
            }
            Err(failure) if failure.kind == Kind::Missing => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// The checks of an allocation, as its node knows them; `None` if the node cannot be asked.
    pub(crate) async fn checks(&self, allocation: &str) -> Option<Vec<CheckResult>> {
        let path = ["client", "allocation", allocation, "checks"];
        let call =
            self.call(format!("read the checks of allocation {allocation}"), &path).within(CHECKS_TIMEOUT);
        let answer = self.client.send(&call).await.ok()?;
        let results: Option<BTreeMap<String, CheckResult>> = self.parse(&call, &answer).ok()?;
        Some(results.unwrap_or_default().into_values().collect())
    }

    /// What changes from this index on.
    pub(crate) async fn events(&self, index: u64) -> Result<Lines, Failure> {
        let mut call = self.call(format!("listen to the events of {}", self.place), &["event", "stream"]);
        for topic in ["Service", "Allocation", "Deployment", "Job"] {
            call = call.with("topic", topic);
        }
        self.client.open(&call.with("index", index.to_string())).await
    }

    fn call(&self, what: String, path: &[&str]) -> Call {
        let Place { region, namespace } = &self.place;
        let path: Vec<&str> = ["v1"].iter().chain(path).copied().collect();
        let right = format!("namespace {namespace:?} {{ capabilities = [\"read-job\"] }}");
        let call = Call::get(what, &path).needs(right).with("namespace", namespace);
        match region {
            Some(region) => call.with("region", region),
            None => call,
        }
    }

    /// All pages of a list, or a failure; with the index of the oldest.
    async fn pages<T: DeserializeOwned>(&self, call: Call) -> Result<(Vec<T>, u64), Failure> {
        let (mut all, mut index, mut next) = (Vec::new(), u64::MAX, None);
        for _ in 0..PAGES_MAX {
            let asked = match &next {
                Some(token) => call.clone().with("next_token", token),
                None => call.clone(),
            };
            let (answer, meta) = self.client.read(&asked).await?;
            all.append(&mut self.parse::<Vec<T>>(&call, &answer)?);
            index = index.min(meta.index);
            match answer.next {
                None => return Ok((all, index)),
                // It would go on for ever.
                token if token == next => break,
                token => next = token,
            }
        }
        Err(Failure::malformed(&call, self.client.address()))
    }

    fn parse<T: DeserializeOwned>(&self, call: &Call, answer: &crate::client::Answer) -> Result<T, Failure> {
        answer.json().ok_or_else(|| Failure::malformed(call, self.client.address()))
    }
}
