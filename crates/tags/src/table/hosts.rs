//! Which routers claim which domains, which reach further, and who was there first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::RouterKey;
use super::entry::Entry;
use crate::compile::Domain;
use crate::service::ServiceId;

/// All claims.
#[derive(Default)]
pub(super) struct Hosts {
    claims: BTreeMap<Domain, BTreeSet<RouterKey>>,
    /// Routers with a claim that holds other domains.
    wide: BTreeSet<RouterKey>,
    entries: BTreeMap<RouterKey, Arc<Entry>>,
    seats: BTreeMap<Domain, BTreeMap<ServiceId, Seat>>,
    now: u64,
    settled: bool,
}

/// A service's seat at a domain.
#[derive(Clone, Copy, Debug)]
struct Seat {
    since: u64,
    routers: usize,
}

impl Hosts {
    /// From now on who comes later is junior. Those that were there before are equals, in the order of their ids.
    pub(super) fn settle(&mut self) {
        if !self.settled {
            self.settled = true;
            self.now += 1;
        }
    }

    /// The time that seats are counted in.
    pub(super) const fn now(&self) -> u64 {
        self.now
    }

    /// Puts one entry in the place of another, and notes the domains whose routes that touches.
    pub(super) fn replace(
        &mut self,
        key: &RouterKey,
        before: Option<&Entry>,
        now: Option<&Arc<Entry>>,
        touched: &mut BTreeSet<Domain>,
    ) {
        if let Some(entry) = now {
            for domain in &entry.claims {
                self.sit_down(domain, &key.owner);
            }
        }
        if let Some(entry) = before {
            self.touch(entry, touched);
            self.wide.remove(key);
            self.entries.remove(key);
            for domain in &entry.claims {
                self.unclaim(domain, key);
            }
        }
        if let Some(entry) = now {
            for domain in &entry.claims {
                self.claims.entry(domain.clone()).or_default().insert(key.clone());
            }
            if entry.claims.iter().any(|domain| !matches!(domain, Domain::Exact(_))) {
                self.wide.insert(key.clone());
            }
            self.entries.insert(key.clone(), entry.clone());
            self.touch(entry, touched);
        }
    }

    /// The routers that a domain may have to serve.
    pub(super) fn candidates<'a>(
        &'a self,
        domain: &'a Domain,
    ) -> impl Iterator<Item = (&'a RouterKey, &'a Arc<Entry>)> {
        let claiming = self.claims.get(domain).into_iter().flatten();
        let wide = self.wide.iter().filter(move |key| !self.claims(domain, key));
        claiming.chain(wide).map(|key| (key, &self.entries[key]))
    }

    /// Whether a router is bound to this very domain.
    pub(super) fn claims(&self, domain: &Domain, key: &RouterKey) -> bool {
        self.claims.get(domain).is_some_and(|claiming| claiming.contains(key))
    }

    /// When a service claimed the domain; the smaller the more senior.
    pub(super) fn seat(&self, domain: &Domain, service: &ServiceId) -> Option<u64> {
        self.seats.get(domain)?.get(service).map(|seat| seat.since)
    }

    /// The service that claimed the domain first.
    pub(super) fn holder(&self, domain: &Domain) -> Option<&ServiceId> {
        let seats = self.seats.get(domain)?;
        seats.iter().min_by_key(|(service, seat)| (seat.since, *service)).map(|(service, _)| service)
    }

    fn touch(&self, entry: &Entry, touched: &mut BTreeSet<Domain>) {
        for claim in &entry.claims {
            touched.insert(claim.clone());
            match claim {
                Domain::Exact(_) => {}
                Domain::Suffix(_) | Domain::Any => {
                    // Hosts with a port behind them are in no suffix.
                    touched.insert(Domain::Any);
                    let inside = self.claims.keys().filter(|domain| claim.contains(domain));
                    touched.extend(inside.cloned());
                }
            }
        }
    }

    fn unclaim(&mut self, domain: &Domain, key: &RouterKey) {
        if let Some(claiming) = self.claims.get_mut(domain) {
            claiming.remove(key);
            if claiming.is_empty() {
                self.claims.remove(domain);
            }
        }
        let seats = self.seats.get_mut(domain).expect("who claims a domain has a seat");
        let seat = seats.get_mut(&key.owner).expect("who claims a domain has a seat");
        seat.routers -= 1;
        if seat.routers == 0 {
            seats.remove(&key.owner);
        }
        if seats.is_empty() {
            self.seats.remove(domain);
        }
    }

    fn sit_down(&mut self, domain: &Domain, service: &ServiceId) {
        let seats = self.seats.entry(domain.clone()).or_default();
        let since = self.now;
        seats.entry(service.clone()).or_insert(Seat { since, routers: 0 }).routers += 1;
        self.now += u64::from(self.settled);
    }
}
