//! What hints are made of: the difference between what the catalog showed and what it shows. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use biplane_consul_client::Check;

/// Services that have changed, as far as it can be told which.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) services: BTreeSet<String>,
    /// Whether a check of a node has moved: what is on it and has no check of its own moved too.
    pub(super) is_blurred: bool,
}

impl Difference {
    /// Whether it says anything.
    pub(super) fn is_empty(&self) -> bool {
        self.services.is_empty() && !self.is_blurred
    }
}

/// Where a check is: its node and its id.
type Place = (String, String);

/// The checks of a part of a catalog.
#[derive(Debug, Default)]
pub(super) struct Checks(HashMap<Place, Known>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    /// Empty: it checks the node.
    service: String,
    /// When it last changed; `None`: it has changed, and everybody knows.
    at: Option<u64>,
}

impl Checks {
    pub(super) fn new(checks: Vec<Check>) -> Self {
        let known = |check: Check| {
            let at = Some(check.modify_index);
            ((check.node, check.check_id), Known { service: check.service_name, at })
        };
        Self(checks.into_iter().map(known).collect())
    }

    /// Puts other checks into the place of these, and says what has come, gone or moved.
    pub(super) fn replace(&mut self, next: Self) -> (Difference, Vec<Place>) {
        let (mut difference, mut places) = (Difference::default(), Vec::new());
        let mut note = |place: &Place, known: &Known| {
            places.push(place.clone());
            if known.service.is_empty() {
                difference.is_blurred = true;
            } else {
                difference.services.insert(known.service.clone());
            }
        };
        for (place, known) in &next.0 {
            let before = self.0.get(place);
            let has_moved = before.is_none_or(|before| {
                before.service != known.service || before.at.is_some() && before.at != known.at
            });
            if has_moved {
                note(place, known);
            }
        }
        for (place, known) in self.0.iter().filter(|(place, _)| !next.0.contains_key(*place)) {
            note(place, known);
        }
        *self = next;
        (difference, places)
    }

    /// These have moved, and those whom it concerns know.
    pub(super) fn excuse(&mut self, places: &[Place]) {
        for place in places {
            if let Some(known) = self.0.get_mut(place) {
                known.at = None;
            }
        }
    }

    /// The services that have checks on the nodes of these.
    pub(super) fn services_on(&self, places: &[Place]) -> BTreeSet<String> {
        let nodes: BTreeSet<&str> = places.iter().map(|(node, _)| node.as_str()).collect();
        let on_them = self.0.iter().filter(|((node, _), _)| nodes.contains(node.as_str()));
        on_them.map(|(_, known)| known.service.clone()).filter(|name| !name.is_empty()).collect()
    }
}

/// The services that came or went, or whose tags are others.
pub(super) fn renamed(
    before: &BTreeMap<String, Vec<String>>,
    now: &BTreeMap<String, Vec<String>>,
) -> BTreeSet<String> {
    let sorted = |tags: &[String]| tags.iter().cloned().collect::<BTreeSet<_>>();
    let is_other = |name: &&String| match (before.get(*name), now.get(*name)) {
        (Some(before), Some(now)) => sorted(before) != sorted(now),
        _ => true,
    };
    before.keys().chain(now.keys()).filter(is_other).cloned().collect()
}

#[cfg(test)]
mod tests {
    use biplane_consul_client::CheckStatus;

    use super::*;

    fn check(node: &str, id: &str, service: &str, at: u64) -> Check {
        Check {
            node: node.to_owned(),
            check_id: id.to_owned(),
            status: CheckStatus::Passing,
            service_name: service.to_owned(),
            modify_index: at,
        }
    }

    fn names(services: &[&str]) -> BTreeSet<String> {
        services.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_came_went_or_moved_names_its_service() {
        let mut checks =
            Checks::new(vec![check("n", "a", "web", 1), check("n", "b", "api", 1), check("n", "c", "db", 1)]);
        let next = vec![check("n", "a", "web", 2), check("n", "c", "db", 1), check("m", "a", "new", 3)];
        let (difference, _) = checks.replace(Checks::new(next.clone()));
        assert_eq!(difference, Difference { services: names(&["api", "new", "web"]), is_blurred: false });
        assert!(checks.replace(Checks::new(next)).0.is_empty());
    }

    #[test]
    fn a_check_of_a_node_concerns_all_that_is_on_it() {
        let mut checks = Checks::new(vec![check("n", "serfHealth", "", 1), check("n", "a", "web", 1)]);
        let (difference, places) =
            checks.replace(Checks::new(vec![check("n", "serfHealth", "", 2), check("n", "a", "web", 1)]));
        assert!(difference.is_blurred);
        assert_eq!(checks.services_on(&places), names(&["web"]));
    }

    #[test]
    fn what_was_told_already_is_not_told_again() {
        let mut checks = Checks::new(vec![check("n", "a", "web", 1)]);
        checks.excuse(&[("n".to_owned(), "a".to_owned())]);
        assert!(checks.replace(Checks::new(vec![check("n", "a", "web", 5)])).0.is_empty());
        assert!(!checks.replace(Checks::new(vec![check("n", "a", "web", 6)])).0.is_empty());
    }

    #[test]
    fn tags_in_another_order_are_the_same() {
        let services = |tags: &[&str]| {
            BTreeMap::from([("web".to_owned(), tags.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>())])
        };
        assert!(renamed(&services(&["a", "b"]), &services(&["b", "a"])).is_empty());
        assert_eq!(renamed(&services(&["a"]), &services(&["b"])), names(&["web"]));
        assert_eq!(renamed(&services(&["a"]), &BTreeMap::new()), names(&["web"]));
    }
}
