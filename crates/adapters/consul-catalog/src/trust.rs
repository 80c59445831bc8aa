//! Whether a catalog is still the one that was read before.
//!
//! A development agent that was restarted is empty, and a backup that was restored lacks what came after it. Both answer
//! as well as ever, so each datacenter has *lives*: a new one begins when the trust domain of its mesh is another one, when
//! none of its servers is one of those before, when an index that can only grow has gone back, or when a server lets go of a query that waits although
//! nothing has changed, as it does when its state is replaced. What had been there in an earlier life and is missing
//! in the new one is not believed to be gone, because agents register their services again by themselves. It is believed
//! once at least as many others are back as are missing, and all have had time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use biplane_consul_client::{Client, Error, Query, Scope};
use tokio::time::Instant;
use tracing::warn;

use crate::subject::Subject;

/// The service that Consul's servers register for themselves.
const SERVERS: &str = "consul";

/// The lives of all datacenters.
#[derive(Debug, Default)]
pub(crate) struct Trust {
    places: Mutex<BTreeMap<Option<String>, Place>>,
}

/// One datacenter.
#[derive(Debug, Default)]
struct Place {
    identity: Identity,
    /// When its identity was last asked for, one at a time.
    checked: Arc<tokio::sync::Mutex<Option<Instant>>>,
    /// Counts its lives.
    life: u64,
    /// When this life was noticed.
    began: Option<Instant>,
    /// What was there in an earlier life and has not been seen in this one.
    missing: BTreeSet<Subject>,
    /// How many have been seen in both.
    back: usize,
}

/// What tells one cluster from another.
#[derive(Debug, Default)]
struct Identity {
    /// What its mesh is called, if it has one.
    domain: Option<String>,
    /// The ids of its servers, if they may be seen.
    servers: BTreeSet<String>,
}

impl Identity {
    async fn ask(client: &Client, scope: &Scope) -> Result<Self, Error> {
        let query = Query::default();
        let roots = client.connect_roots(scope, &query).await.map(|answer| answer.value.trust_domain);
        let servers = client.health_service(SERVERS, None, scope, &query).await;
        let ids = servers.map(|answer| answer.value.into_iter().map(|server| server.node.id));
        let domain = if_told(roots)?.filter(|name| !name.is_empty());
        let servers = if_told(ids)?.into_iter().flatten().filter(|id| !id.is_empty()).collect();
        Ok(Self { domain, servers })
    }

    /// Whether it is another one for certain.
    fn differs_from(&self, other: &Self) -> bool {
        let is_other_mesh = self.domain.is_some() && other.domain.is_some() && self.domain != other.domain;
        let are_known = !self.servers.is_empty() && !other.servers.is_empty();
        is_other_mesh || are_known && self.servers.is_disjoint(&other.servers)
    }

    /// Takes in what is known now.
    fn become_known(&mut self, now: Self) {
        self.domain = now.domain.or_else(|| self.domain.take());
        if !now.servers.is_empty() {
            self.servers = now.servers;
        }
    }
}

/// There is no such thing, or it is nobody's business: that says nothing.
fn if_told<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(Error::Refused { .. } | Error::Denied { .. } | Error::Malformed { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Trust {
    /// Which life a datacenter is in.
    pub(crate) fn life(&self, datacenter: Option<&str>) -> u64 {
        self.places().get(&datacenter.map(str::to_owned)).map_or(0, |place| place.life)
    }

    /// An index went back for somebody who knew this life. Whoever notices the same later changes nothing.
    pub(crate) fn went_back(&self, datacenter: Option<&str>, life: u64) -> bool {
        let mut places = self.places();
        let place = places.entry(datacenter.map(str::to_owned)).or_default();
        let is_news = place.life == life;
        if is_news {
            place.begin(datacenter, "an index went back");
        }
        is_news
    }

    /// A server has let go of a query that waits. It may do so for reasons of its own: soon after the last time it is no
    /// news.
    pub(crate) fn was_let_go(&self, datacenter: Option<&str>, settle: Duration) -> bool {
        let mut places = self.places();
        let place = places.entry(datacenter.map(str::to_owned)).or_default();
        let is_news = place.began.is_none_or(|at| at.elapsed() > settle);
        if is_news {
            place.begin(datacenter, "a query that waits was let go");
        }
        is_news
    }

    /// Asks for the identity, unless that was done after `since`, or ever. Whether it is another one.
    pub(crate) async fn check(
        &self,
        client: &Client,
        datacenter: Option<&str>,
        since: Option<Instant>,
    ) -> Result<bool, Error> {
        let key = datacenter.map(str::to_owned);
        let checked = Arc::clone(&self.places().entry(key.clone()).or_default().checked);
        let mut checked = checked.lock().await;
        if checked.is_some_and(|at| since.is_none_or(|since| at > since)) {
            return Ok(false);
        }
        let began = Instant::now();
        let scope = Scope { datacenter: key.clone(), ..Scope::default() };
        let identity = Identity::ask(client, &scope).await?;
        *checked = Some(began);
        let mut places = self.places();
        let place = places.entry(key).or_default();
        Ok(place.learn(datacenter, identity))
    }

    /// Whether what is missing is not to be believed.
    pub(crate) fn holds(&self, subject: &Subject, settle: Duration) -> bool {
        let mut places = self.places();
        let place = places.entry(subject.scope.datacenter.clone()).or_default();
        place.missing.insert(subject.clone());
        let has_settled = place.began.is_none_or(|at| at.elapsed() >= settle);
        !(has_settled && place.back >= place.missing.len())
    }

    /// What was there in an earlier life is there in this one.
    pub(crate) fn is_back(&self, subject: &Subject) {
        let mut places = self.places();
        let place = places.entry(subject.scope.datacenter.clone()).or_default();
        place.missing.remove(subject);
        place.back += 1;
    }

    /// Nobody asks for it any more.
    pub(crate) fn forget(&self, subject: &Subject) {
        if let Some(place) = self.places().get_mut(&subject.scope.datacenter) {
            place.missing.remove(subject);
        }
    }

    fn places(&self) -> MutexGuard<'_, BTreeMap<Option<String>, Place>> {
        self.places.lock().expect("nobody panics while holding it")
    }
}

impl Place {
    fn learn(&mut self, datacenter: Option<&str>, identity: Identity) -> bool {
        let is_other = identity.differs_from(&self.identity);
        self.identity.become_known(identity);
        if is_other {
            self.begin(datacenter, "it is another cluster");
        }
        is_other
    }

    fn begin(&mut self, datacenter: Option<&str>, reason: &str) {
        let name = datacenter.unwrap_or("of the agent");
        warn!(
            datacenter = name,
            reason, "Consul's catalog has begun anew, what it lacks is not believed to be gone"
        );
        self.life += 1;
        self.began = Some(Instant::now());
        self.missing.clear();
        self.back = 0;
    }
}

#[cfg(test)]
mod tests {
    use biplane_consul_client::Consistency;

    use super::*;
    use crate::subject::What;

    const SETTLE: Duration = Duration::from_mins(1);

    fn subject(name: &str) -> Subject {
        let what = What::Service(name.to_owned());
        Subject { what, scope: Scope::default(), consistency: Consistency::Default, cached: false }
    }

    #[test]
    fn one_restart_is_one_new_life_however_many_notice_it() {
        let trust = Trust::default();
        assert!(trust.went_back(None, 0));
        assert!(!trust.went_back(None, 0));
        assert_eq!((trust.life(None), trust.life(Some("dc2"))), (1, 0));
        assert!(trust.went_back(None, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_missing_is_believed_when_as_many_are_back_and_all_had_time() {
        let trust = Trust::default();
        trust.went_back(None, 0);
        assert!(trust.holds(&subject("a"), SETTLE) && trust.holds(&subject("b"), SETTLE));
        trust.is_back(&subject("b"));
        assert!(trust.holds(&subject("a"), SETTLE), "it had no time yet");
        tokio::time::advance(SETTLE).await;
        assert!(!trust.holds(&subject("a"), SETTLE));
    }

    #[tokio::test(start_paused = true)]
    async fn a_catalog_to_which_nothing_came_back_is_never_believed() {
        let trust = Trust::default();
        trust.went_back(None, 0);
        tokio::time::advance(SETTLE * 100).await;
        assert!(trust.holds(&subject("a"), SETTLE));
    }

    #[tokio::test(start_paused = true)]
    async fn queries_that_are_let_go_all_the_time_make_no_lives_all_the_time() {
        let trust = Trust::default();
        assert!(trust.was_let_go(None, SETTLE) && !trust.was_let_go(None, SETTLE));
        tokio::time::advance(SETTLE * 2).await;
        assert!(trust.was_let_go(None, SETTLE));
    }

    #[test]
    fn another_mesh_or_only_other_servers_are_another_cluster() {
        let identity = |domain: Option<&str>, servers: &[&str]| Identity {
            domain: domain.map(str::to_owned),
            servers: servers.iter().map(|id| (*id).to_owned()).collect(),
        };
        let mut place = Place::default();
        for (domain, servers, is_other) in [
            (Some("a"), &["1", "2"][..], false),
            (None, &[], false),
            (Some("a"), &["2", "3"], false),
            (Some("a"), &["4"], true),
            (Some("b"), &["4"], true),
            (None, &["4"], false),
        ] {
            assert_eq!(place.learn(None, identity(domain, servers)), is_other, "{domain:?} {servers:?}");
        }
        assert_eq!(place.life, 2);
    }
}
