//! Gateways: what entry points stand for, and how the routers of a domain fall apart by them.

use std::collections::{BTreeMap, BTreeSet};

use crate::settings::Settings;

/// The gateways that may serve a virtual service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Gateways {
    /// All.
    All,
    /// These.
    Only(BTreeSet<String>),
    /// All but these, which have virtual services of their own for the domain.
    Except(BTreeSet<String>),
}

/// The gateways that a router's entry points stand for; `None`: all.
pub(super) fn of_entry_points(entry_points: &[String], settings: &Settings) -> Option<BTreeSet<String>> {
    if entry_points.is_empty() {
        return None;
    }
    let gateways = entry_points.iter().flat_map(|name| match settings.entry_points.get(name) {
        Some(gateways) => gateways.clone(),
        None => vec![name.clone()],
    });
    Some(gateways.collect())
}

/// Splits routers, each with its gateways, so that all gateways of a part serve the same routers, whose indexes are
/// returned. Together the parts stand for every gateway.
pub(super) fn parts(routers: &[Option<&BTreeSet<String>>]) -> Vec<(Gateways, Vec<usize>)> {
    let named: BTreeSet<&String> = routers.iter().flatten().copied().flatten().collect();
    let serving = |gateway: Option<&String>| -> Vec<usize> {
        let serves = |own: Option<&BTreeSet<String>>| match (own, gateway) {
            (None, _) => true,
            (Some(own), Some(gateway)) => own.contains(gateway),
            (Some(_), None) => false,
        };
        (0..routers.len()).filter(|index| serves(routers[*index])).collect()
    };
    let mut by_routers: BTreeMap<Vec<usize>, BTreeSet<String>> = BTreeMap::new();
    for gateway in &named {
        by_routers.entry(serving(Some(gateway))).or_default().insert((*gateway).clone());
    }
    let rest =
        if named.is_empty() { Gateways::All } else { Gateways::Except(named.into_iter().cloned().collect()) };
    let mut parts: Vec<_> =
        by_routers.into_iter().map(|(routers, gateways)| (Gateways::Only(gateways), routers)).collect();
    parts.push((rest, serving(None)));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn gateways_that_serve_the_same_routers_are_one_part() {
        let (both, one) = (set(&["a", "b"]), set(&["b", "c"]));
        assert_eq!(
            parts(&[None, Some(&both), Some(&one)]),
            [
                (Gateways::Only(set(&["a"])), vec![0, 1]),
                (Gateways::Only(set(&["b"])), vec![0, 1, 2]),
                (Gateways::Only(set(&["c"])), vec![0, 2]),
                (Gateways::Except(set(&["a", "b", "c"])), vec![0]),
            ]
        );
        assert_eq!(parts(&[None, None]), [(Gateways::All, vec![0, 1])]);
    }

    #[test]
    fn entry_points_stand_for_gateways() {
        let settings = Settings {
            entry_points: [("websecure".to_owned(), vec!["https".to_owned()])].into(),
            ..Settings::default()
        };
        let names = ["websecure".to_owned(), "internal".to_owned()];
        assert_eq!(of_entry_points(&names, &settings), Some(set(&["https", "internal"])));
        assert_eq!(of_entry_points(&[], &settings), None);
    }
}
