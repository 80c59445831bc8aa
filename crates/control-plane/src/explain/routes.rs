//! The routes of a virtual host, judged one after the other.

use std::collections::HashMap;

use biplane_admin_api::explain::{LostRoute, RouteExplanation, RouteList};
use biplane_core::key::ObjectKey;
use biplane_core::report::Report;
use biplane_translator::explain::{Judgement, Request, judge, matcher};
use biplane_translator::route::{EncodedRoute, Lost, merged};

use super::place::Places;
use crate::graph::{HostFacts, ServiceFacts};

/// What came of it.
pub(super) struct Judged<'a> {
    /// The route that answers, with the service that it is of.
    pub(super) first: Option<(&'a ServiceFacts, &'a EncodedRoute)>,
    /// That route, told.
    pub(super) told: Option<RouteExplanation>,
    pub(super) earlier: RouteList,
    pub(super) later: RouteList,
    pub(super) lost: Vec<LostRoute>,
    /// Whether a route before the first may answer.
    pub(super) open: bool,
}

type Owned<'a> = (&'a ObjectKey, &'a EncodedRoute);

/// Judges all routes of a virtual host.
pub(super) fn judged<'a>(
    host: &'a HostFacts,
    request: &Request,
    places: &Places<'a>,
    limit: usize,
) -> Judged<'a> {
    let sets: Vec<_> = host.services.iter().map(|service| (&service.key, &*service.routes)).collect();
    let teller = Teller {
        services: host.services.iter().map(|service| (&service.key, service)).collect(),
        places,
        limit,
    };
    let all = merged(&sets);
    let judgements: Vec<_> = all.routes.iter().map(|(_, route)| judge(&route.bytes, request)).collect();
    let first = judgements.iter().position(|judgement| *judgement == Judgement::Matches);
    let end = first.unwrap_or(judgements.len());
    let pairs = || all.routes.iter().copied().zip(&judgements);
    let earlier: Vec<_> = pairs().take(end).collect();
    let later: Vec<_> =
        pairs().skip(end + 1).filter(|(_, judgement)| !matches!(judgement, Judgement::Not(_))).collect();
    let lost = all.lost.iter().filter(|lost| judge(&lost.route.bytes, request) == Judgement::Matches);
    Judged {
        open: earlier.iter().any(|(_, judgement)| matches!(judgement, Judgement::Unknown(_))),
        first: first.map(|first| (teller.services[all.routes[first].0], all.routes[first].1)),
        told: first.map(|first| teller.with_findings(all.routes[first])),
        earlier: teller.list(&earlier),
        later: teller.list(&later),
        lost: lost.take(limit).map(|lost| teller.lost(lost)).collect(),
    }
}

struct Teller<'a, 'p> {
    services: HashMap<&'a ObjectKey, &'a ServiceFacts>,
    places: &'p Places<'a>,
    limit: usize,
}

impl<'a> Teller<'a, '_> {
    /// As many as are wanted: first those that come closest, all in their order.
    fn list(&self, routes: &[(Owned<'a>, &Judgement)]) -> RouteList {
        let is_near = |judgement: &Judgement| !matches!(judgement, Judgement::Not(miss) if !miss.near);
        let (near, far): (Vec<_>, Vec<_>) = (0..routes.len()).partition(|&index| is_near(routes[index].1));
        let mut picked: Vec<_> = near.into_iter().chain(far).take(self.limit).collect();
        picked.sort_unstable();
        let told = picked.into_iter().map(|index| self.tell(routes[index].0, routes[index].1));
        RouteList { total: routes.len() as u64, routes: told.collect() }
    }

    fn tell(&self, (service, route): Owned<'a>, judgement: &Judgement) -> RouteExplanation {
        let (why, near, open) = match judgement {
            Judgement::Matches => (None, true, false),
            Judgement::Not(miss) => (Some(miss.why.clone()), miss.near, false),
            Judgement::Unknown(why) => (Some(why.clone()), true, true),
        };
        RouteExplanation {
            object: route.owner.to_string(),
            field: route.path().to_string(),
            location: self.places.of(&route.owner, &route.path()),
            service: service.reference().to_string(),
            made_from: self.services[service].made_from.clone(),
            matches: matcher(&route.bytes),
            why,
            near,
            open,
            findings: Vec::new(),
        }
    }

    /// With what there is to say about the route and what is around it.
    fn with_findings(&self, owned: Owned<'a>) -> RouteExplanation {
        let (service, route) = owned;
        let path = route.path();
        // Also what is said about its other matchers and its action.
        let whole = path.0.len() - if route.position.matcher.is_some() { 2 } else { 0 };
        let concerns = |report: &&Report| {
            let common = report.path.0.iter().zip(&path.0).take_while(|(a, b)| a == b).count();
            let is_around = common >= whole || common == report.path.0.len();
            report.object.as_ref() == Some(&*route.owner) && is_around
        };
        let reports = self.services[service].reports.iter().filter(concerns);
        let findings = reports.map(Into::into).collect();
        RouteExplanation { findings, ..self.tell(owned, &Judgement::Matches) }
    }

    fn lost(&self, lost: &Lost<'_>) -> LostRoute {
        let told = |service: &ObjectKey, route: &EncodedRoute| {
            let place = self.places.of(&route.owner, &route.path());
            let place = place.map(|place| format!(" ({place})")).unwrap_or_default();
            let of = if *service == *route.owner { String::new() } else { format!(" of {service}") };
            format!("{} {}{place}{of}", route.owner, route.path())
        };
        LostRoute {
            what: told(lost.service, lost.route),
            to: told(lost.older, lost.holder),
            why: "it matches the same by the same words, and its virtual service is older".to_owned(),
        }
    }
}
