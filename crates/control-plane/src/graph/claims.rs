//! Which services share which domains of one listener.
//!
//! A domain belongs to all services that claim it, the oldest first. Domains with the same claimants
//! form one group, and each group becomes one Envoy virtual host; in the usual case a group is one
//! service with all its domains. Moving one domain touches the two groups it moves between.
//!
//! What was made from services' tags claims only what nobody wrote a claim for: whoever tags a service is not the
//! operator of the hosts.
//!
//! Groups are formed when they are asked for, so that a domain which many services come to share in
//! one transaction is looked at once.
//!
//! Invariant: but for `moved` ones, every claimed domain that somebody may have is in exactly one group, that of its claimants, and no group is empty.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use biplane_core::age::Age;
use biplane_core::key::ResourceRef;

/// The claimants of a group, the oldest first.
pub(crate) type Claimants = Arc<[ResourceRef]>;

/// What domains made from tags have behind a host: any port, and the dot of a name that is complete.
const SPELLINGS: [&str; 2] = [":*", "."];

/// Domains, who claims them, and the groups that follow.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    claimed: HashMap<ResourceRef, (Age, BTreeSet<String>)>,
    claimants: HashMap<String, BTreeSet<Age>>,
    /// Domains whose claimants have changed since the groups were formed.
    moved: BTreeSet<String>,
    group_of: HashMap<String, Claimants>,
    groups: BTreeMap<Claimants, BTreeSet<String>>,
    groups_of: HashMap<ResourceRef, BTreeSet<Claimants>>,
    touched: BTreeSet<Claimants>,
    /// Domains that made services claim in vain, and who holds them.
    crowded: BTreeMap<String, Crowded>,
    crowded_changed: bool,
}

/// A domain that somebody holds, and those who claim it in vain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Crowded {
    pub(crate) holder: ResourceRef,
    pub(crate) out: Vec<ResourceRef>,
}

impl Claims {
    /// States what a service claims now; nothing: it leaves. Touches every group whose domains change.
    pub(crate) fn set(&mut self, service: &ResourceRef, claim: Option<(Age, BTreeSet<String>)>) {
        let before = self.claimed.remove(service);
        if before == claim {
            self.claimed.extend(claim.map(|claim| (service.clone(), claim)));
            return;
        }
        for (age, domain) in each(before.as_ref()) {
            self.claim(domain, |ages| ages.remove(age));
        }
        for (age, domain) in each(claim.as_ref()) {
            self.claim(domain, |ages| ages.insert(age.clone()));
        }
        self.claimed.extend(claim.map(|claim| (service.clone(), claim)));
    }

    /// Touches the groups that a service is in: its routes have changed.
    pub(crate) fn touch(&mut self, service: &ResourceRef) {
        self.touched.extend(self.groups_of.get(service).into_iter().flatten().cloned());
    }

    /// The groups touched since the last call, with the domains that each holds now; none: it is gone.
    pub(crate) fn take_touched(&mut self) -> Vec<(Claimants, Option<&BTreeSet<String>>)> {
        for domain in std::mem::take(&mut self.moved) {
            self.regroup(domain);
        }
        let touched = std::mem::take(&mut self.touched);
        touched.into_iter().map(|group| (group.clone(), self.groups.get(&group))).collect()
    }

    /// Whether any group has been touched.
    pub(crate) fn is_touched(&self) -> bool {
        !self.touched.is_empty() || !self.moved.is_empty()
    }

    fn claim(&mut self, domain: &str, change: impl FnOnce(&mut BTreeSet<Age>) -> bool) {
        let ages = self.claimants.entry(domain.to_owned()).or_default();
        change(ages);
        if ages.is_empty() {
            self.claimants.remove(domain);
        }
        self.moved.insert(domain.to_owned());
        // Whoever holds a host holds it with its ports too.
        let spellings = SPELLINGS.iter().map(|end| format!("{domain}{end}"));
        self.moved.extend(spellings.filter(|spelling| self.claimants.contains_key(spelling)));
    }

    fn regroup(&mut self, domain: String) {
        let holder = self.holder(&domain);
        let ages = self.claimants.get(&domain);
        let crowded = ages.zip(holder.as_ref()).and_then(|(ages, holder)| crowded(ages, holder));
        let group: Option<Claimants> = ages.and_then(|ages| claimants(ages, holder.is_some()));
        self.note_crowded(&domain, crowded.as_ref());
        let before = match &group {
            Some(group) => self.group_of.insert(domain.clone(), group.clone()),
            None => self.group_of.remove(&domain),
        };
        if before == group {
            return;
        }
        if let Some(before) = before {
            self.leave(&domain, &before);
        }
        if let Some(group) = group {
            self.join(domain, group);
        }
    }

    /// The oldest that somebody wrote for a host, however the domain spells it.
    fn holder(&self, domain: &str) -> Option<ResourceRef> {
        let host = SPELLINGS.iter().find_map(|end| domain.strip_suffix(end)).unwrap_or(domain);
        let ages = [domain, host].into_iter().filter_map(|domain| self.claimants.get(domain)?.first());
        ages.filter(|age| !age.is_made()).map(|age| age.key().reference()).next()
    }

    fn note_crowded(&mut self, domain: &str, crowded: Option<&Crowded>) {
        let before = match crowded {
            Some(crowded) => self.crowded.insert(domain.to_owned(), crowded.clone()),
            None => self.crowded.remove(domain),
        };
        self.crowded_changed |= before.as_ref() != crowded;
    }

    /// The domains that made services claim in vain, if they have changed since the last call.
    pub(crate) fn take_crowded(&mut self) -> Option<&BTreeMap<String, Crowded>> {
        std::mem::take(&mut self.crowded_changed).then_some(&self.crowded)
    }

    /// The services that have a domain, and all the domains that are theirs together.
    pub(crate) fn group(&self, domain: &str) -> Option<(&Claimants, &BTreeSet<String>)> {
        let group = self.group_of.get(domain)?;
        Some((group, self.groups.get(group)?))
    }

    /// Who claims a domain in vain.
    pub(crate) fn crowded(&self, domain: &str) -> Option<&Crowded> {
        self.crowded.get(domain)
    }

    fn leave(&mut self, domain: &str, group: &Claimants) {
        let Some(domains) = self.groups.get_mut(group) else { return };
        domains.remove(domain);
        let emptied = domains.is_empty();
        self.touched.insert(group.clone());
        if !emptied {
            return;
        }
        self.groups.remove(group);
        for service in group.iter() {
            let Some(groups) = self.groups_of.get_mut(service) else { continue };
            groups.remove(group);
            if groups.is_empty() {
                self.groups_of.remove(service);
            }
        }
    }

    fn join(&mut self, domain: String, group: Claimants) {
        for service in group.iter() {
            self.groups_of.entry(service.clone()).or_default().insert(group.clone());
        }
        self.groups.entry(group.clone()).or_default().insert(domain);
        self.touched.insert(group);
    }
}

fn each(claim: Option<&(Age, BTreeSet<String>)>) -> impl Iterator<Item = (&Age, &String)> {
    claim.into_iter().flat_map(|(age, domains)| domains.iter().map(move |domain| (age, domain)))
}

/// All of them, or where somebody holds the host those that people wrote; `None`: that leaves nobody.
fn claimants(ages: &BTreeSet<Age>, is_held: bool) -> Option<Claimants> {
    let group: Claimants =
        ages.iter().filter(|age| !(is_held && age.is_made())).map(|age| age.key().reference()).collect();
    (!group.is_empty()).then_some(group)
}

fn crowded(ages: &BTreeSet<Age>, holder: &ResourceRef) -> Option<Crowded> {
    let out: Vec<_> = ages.iter().filter(|age| age.is_made()).map(|age| age.key().reference()).collect();
    (!out.is_empty()).then(|| Crowded { holder: holder.clone(), out })
}

#[cfg(test)]
mod tests {
    use biplane_core::key::Kind;

    use super::*;

    fn name(name: &str) -> ResourceRef {
        ResourceRef::new("default", name)
    }

    fn claim(service: &str, domains: &[&str]) -> (Age, BTreeSet<String>) {
        let age = Age::new(None, None, name(service).key(Kind::VirtualService));
        (age, domains.iter().map(ToString::to_string).collect())
    }

    fn groups(claims: &Claims) -> Vec<(Vec<String>, Vec<String>)> {
        let names = |group: &Claimants| group.iter().map(|name| name.name.clone()).collect();
        claims
            .groups
            .iter()
            .map(|(group, domains)| (names(group), domains.iter().cloned().collect()))
            .collect()
    }

    #[test]
    fn domains_with_the_same_claimants_are_one_group() {
        let mut claims = Claims::default();
        claims.set(&name("b"), Some(claim("b", &["y", "z"])));
        claims.set(&name("a"), Some(claim("a", &["x", "y"])));
        claims.take_touched();
        let expected = [(vec!["a"], vec!["x"]), (vec!["a", "b"], vec!["y"]), (vec!["b"], vec!["z"])];
        let strings = |texts: Vec<&str>| texts.into_iter().map(ToOwned::to_owned).collect::<Vec<_>>();
        claims.take_touched();
        assert_eq!(groups(&claims), expected.map(|(group, domains)| (strings(group), strings(domains))));
    }

    #[test]
    fn leaving_gives_the_domain_back_and_leaves_nothing_behind() {
        let mut claims = Claims::default();
        claims.set(&name("a"), Some(claim("a", &["x"])));
        claims.set(&name("b"), Some(claim("b", &["x"])));
        claims.set(&name("b"), None);
        claims.take_touched();
        assert_eq!(groups(&claims), [(vec!["a".to_owned()], vec!["x".to_owned()])]);
        claims.set(&name("a"), None);
        claims.take_touched();
        assert!(claims.claimed.is_empty() && claims.claimants.is_empty() && claims.groups_of.is_empty());
        assert!(claims.group_of.is_empty());
    }

    #[test]
    fn what_tags_made_claims_nothing_that_somebody_wrote_and_gets_it_when_that_goes() {
        let mut claims = Claims::default();
        let (age, domains) = claim("made", &["x", "x:*", "x.", "y"]);
        claims.set(&name("made"), Some((age.made(true), domains)));
        claims.set(&name("written"), Some(claim("written", &["x"])));
        claims.take_touched();
        let strings = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
        let expected = [(strings(&["made"]), strings(&["y"])), (strings(&["written"]), strings(&["x"]))];
        assert_eq!(groups(&claims), expected);
        let crowded = Crowded { holder: name("written"), out: vec![name("made")] };
        let expected = ["x", "x.", "x:*"].map(|domain| (domain.to_owned(), crowded.clone()));
        assert_eq!(claims.take_crowded(), Some(&BTreeMap::from(expected)));
        claims.set(&name("written"), None);
        claims.take_touched();
        assert_eq!(groups(&claims), [(strings(&["made"]), strings(&["x", "x.", "x:*", "y"]))]);
        assert_eq!(claims.take_crowded(), Some(&BTreeMap::new()));
    }

    #[test]
    fn only_groups_whose_domains_move_are_touched() {
        let mut claims = Claims::default();
        claims.set(&name("a"), Some(claim("a", &["x"])));
        claims.set(&name("c"), Some(claim("c", &["z"])));
        claims.take_touched();
        claims.set(&name("b"), Some(claim("b", &["x"])));
        let touched: Vec<_> =
            claims.take_touched().into_iter().map(|(group, there)| (group.len(), there.is_some())).collect();
        assert_eq!(touched, [(1, false), (2, true)]);
    }
}
