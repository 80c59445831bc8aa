//! The addresses behind names that instances were registered with.
//!
//! A name that was known keeps its addresses while nobody can look it up.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use futures::future::join_all;
use tokio::net::lookup_host;
use tokio::time::{Instant, timeout};
use tracing::debug;

/// How long a name may take: other instances wait for it.
const PATIENCE: Duration = Duration::from_secs(3);

/// Names and what they were last found to mean.
#[derive(Debug, Default)]
pub(crate) struct Names {
    known: BTreeMap<String, BTreeSet<IpAddr>>,
    looked: Option<Instant>,
}

impl Names {
    /// Looks up those of these hosts that are names: the new ones, and all of them once that was so long ago.
    pub(crate) async fn look_up(&mut self, hosts: &BTreeSet<&str>, period: Duration) {
        let names: BTreeSet<&str> =
            hosts.iter().copied().filter(|host| host.parse::<IpAddr>().is_err()).collect();
        self.known.retain(|name, _| names.contains(&**name));
        let is_due = self.looked.is_none_or(|at| at.elapsed() >= period);
        let wanted = names.into_iter().filter(|name| is_due || !self.known.contains_key(*name));
        let wanted: Vec<_> = wanted.map(str::to_owned).collect();
        if is_due && !wanted.is_empty() {
            self.looked = Some(Instant::now());
        }
        for (name, found) in join_all(wanted.into_iter().map(look_up)).await {
            if !found.is_empty() {
                self.known.insert(name, found);
            }
        }
    }

    /// When to look again; `None`: there are no names.
    pub(crate) fn due(&self, period: Duration) -> Option<Instant> {
        self.looked.map(|at| at + period)
    }

    /// The addresses of a host, as far as they are known.
    pub(crate) fn addresses(&self, host: &str) -> Vec<IpAddr> {
        match host.parse() {
            Ok(address) => vec![address],
            Err(_) => self.known.get(host).into_iter().flatten().copied().collect(),
        }
    }
}

async fn look_up(name: String) -> (String, BTreeSet<IpAddr>) {
    let found = timeout(PATIENCE, addresses(&name)).await.unwrap_or_default();
    (name, found)
}

async fn addresses(name: &str) -> BTreeSet<IpAddr> {
    match lookup_host((name, 0)).await {
        Ok(found) => found.map(|at| at.ip()).collect(),
        Err(error) => {
            debug!(name, %error, "the name of an instance cannot be looked up");
            BTreeSet::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn addresses_stand_for_themselves_and_names_are_looked_up() {
        let mut names = Names::default();
        let period = Duration::from_mins(1);
        names.look_up(&BTreeSet::from(["10.0.0.1", "localhost", "no.such.name.invalid"]), period).await;
        assert_eq!(names.addresses("10.0.0.1").len(), 1);
        assert!(names.addresses("localhost").iter().all(IpAddr::is_loopback));
        assert!(!names.addresses("localhost").is_empty());
        assert!(names.addresses("no.such.name.invalid").is_empty());
        assert!(names.due(period).is_some());
    }

    #[tokio::test]
    async fn without_names_there_is_nothing_to_look_up_again() {
        let mut names = Names::default();
        names.look_up(&BTreeSet::from(["10.0.0.1", "::1"]), Duration::from_mins(1)).await;
        assert_eq!(names.due(Duration::from_mins(1)), None);
    }
}
