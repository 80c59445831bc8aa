//! An explanation for people: how it ends first, then the way there, then what did not answer.

use biplane_admin_api::explain::{
    ClusterExplanation, EffectExplanation, Explanation, GatewayExplanation, RouteExplanation, RouteList,
};

use crate::output::{one_line, table};
use crate::verbs::get::endpoint_table;

/// The whole explanation.
pub(super) fn render(explanation: &Explanation) -> String {
    let head = format!("{} {}", one_line(&explanation.method), one_line(&explanation.url));
    let notes = explanation.notes.iter().map(|note| one_line(note)).collect::<Vec<_>>();
    let notes = (!notes.is_empty()).then(|| notes.join("\n"));
    let gateways = explanation.gateways.iter().map(gateway);
    std::iter::once(head).chain(notes).chain(gateways).collect::<Vec<_>>().join("\n\n")
}

/// Lines with a word in front of each; a line without one goes on with the line above.
struct Lines(Vec<String>);

impl Lines {
    fn add(&mut self, word: &str, text: &str) {
        self.0.push(format!("  {word:<8} {}", one_line(text)).trim_end().to_owned());
    }

    /// A table under a line.
    fn block(&mut self, text: &str) {
        self.0.extend(text.lines().map(|line| format!("    {line}")));
    }
}

fn gateway(gateway: &GatewayExplanation) -> String {
    let tls = if gateway.tls { " (TLS)" } else { "" };
    let fleets = gateway.fleets.join(", ");
    let name = format!(
        "Gateway {}/{} on {}{tls}, fleet {fleets}{}",
        gateway.namespace,
        gateway.name,
        gateway.address,
        place(gateway.location.as_ref())
    );
    let mut lines = Lines(vec![one_line(&name), one_line(&gateway.summary)]);
    chain(gateway, &mut lines);
    host(gateway, &mut lines);
    if let Some(route) = &gateway.route {
        answering(route, &mut lines);
    }
    if let Some(effect) = &gateway.effect {
        does(effect, &mut lines);
    }
    gateway.notes.iter().for_each(|note| lines.add("note", note));
    for lost in &gateway.lost {
        lines.add("lost", &lost.what);
        lines.add("", &format!("to {}: {}", lost.to, lost.why));
    }
    list("not taken: routes before it", &gateway.earlier, &mut lines);
    list("next in line: routes behind it that take the request too", &gateway.later, &mut lines);
    lines.0.join("\n")
}

fn chain(gateway: &GatewayExplanation, lines: &mut Lines) {
    let Some(chain) = &gateway.chain else { return };
    let names = match chain.server_names.as_slice() {
        [] => "for all server names that are nobody's".to_owned(),
        names => format!("for {}", names.join(", ")),
    };
    let asked = chain.server_name.as_deref().unwrap_or("no server name");
    let client = if chain.client_certificate { "; clients show a certificate" } else { "" };
    lines.add("tls", &format!("{asked}: certificate {} {names}{client}", chain.certificates.join(", ")));
}

fn host(gateway: &GatewayExplanation, lines: &mut Lines) {
    let Some(host) = &gateway.host else { return };
    let services = host.services.join(", ");
    let domain = &host.domain;
    lines.add("host", &format!("{} by {domain} ({}) of VirtualService {services}", host.host, host.how));
}

fn answering(route: &RouteExplanation, lines: &mut Lines) {
    lines.add("route", &written(route));
    lines.add("", &route.matches);
    for finding in &route.findings {
        lines.add(finding.severity.as_str(), &finding.message);
    }
}

fn does(effect: &EffectExplanation, lines: &mut Lines) {
    if let Some(name) = &effect.name {
        lines.add("named", name);
    }
    if let Some(body) = effect.body.as_ref().filter(|body| !body.is_empty()) {
        lines.add("body", body);
    }
    effect.options.iter().for_each(|option| lines.add("option", option));
    effect.clusters.iter().for_each(|cluster| goes_to(cluster, effect.clusters.len() > 1, lines));
}

fn goes_to(cluster: &ClusterExplanation, has_neighbours: bool, lines: &mut Lines) {
    let mut text = cluster.cluster.clone();
    if has_neighbours {
        text = format!("{text}, weight {}", cluster.weight);
    }
    if let Some(upstream) = &cluster.upstream {
        text = format!("{text}, Upstream {upstream}");
    }
    let subset = cluster.subset.iter().map(|(key, value)| format!("{key}={value}"));
    let subset = subset.collect::<Vec<_>>().join(",");
    if !subset.is_empty() {
        text = format!("{text}, endpoints with {subset} if there are any");
    }
    lines.add("cluster", &text);
    if let Some(why) = &cluster.unusable {
        lines.add("", &format!("503: {why}"));
    }
    if let Some(endpoints) = cluster.endpoints.as_ref().filter(|endpoints| !endpoints.endpoints.is_empty()) {
        lines.block(&endpoint_table(endpoints));
    }
}

fn list(title: &str, list: &RouteList, lines: &mut Lines) {
    if list.total == 0 {
        return;
    }
    let shown = list.routes.len() as u64;
    let more =
        if shown < list.total { format!(", {shown} of them here; -o json has all") } else { String::new() };
    lines.0.push(format!("  {title} ({}{more})", list.total));
    let reasons = list.routes.iter().any(|route| route.why.is_some());
    let row = |route: &RouteExplanation| {
        let why = route.why.clone().unwrap_or_default();
        let why = if route.open { format!("perhaps: {why}") } else { why };
        let row = [written(route), route.matches.clone(), why];
        row.into_iter().take(if reasons { 3 } else { 2 }).collect()
    };
    let header = ["ROUTE", "MATCHES", "WHY NOT"];
    lines.block(&table(&header[..if reasons { 3 } else { 2 }], list.routes.iter().map(row)));
}

/// The object, the field and the place of a route.
fn written(route: &RouteExplanation) -> String {
    let of = if route.object.ends_with(&format!(" {}", route.service)) {
        String::new()
    } else {
        format!(" of VirtualService {}", route.service)
    };
    let made = route.made_from.as_ref().map(|services| format!(", made from {services}"));
    let place = match &made {
        Some(made) => made.clone(),
        None => place(route.location.as_ref()),
    };
    format!("{} {}{of}{place}", route.object, route.field)
}

fn place(location: Option<&String>) -> String {
    location.map(|location| format!(", {location}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use biplane_admin_api::explain::{HostExplanation, Verdict};
    use biplane_admin_api::status::{EndpointStatus, EndpointsState, EndpointsStatus};

    use super::*;

    fn route(field: &str, matches: &str, why: Option<&str>) -> RouteExplanation {
        RouteExplanation {
            object: "RouteTable default/users".to_owned(),
            field: field.to_owned(),
            location: Some("users.yaml:7".to_owned()),
            service: "default/shop".to_owned(),
            matches: matches.to_owned(),
            why: why.map(str::to_owned),
            ..RouteExplanation::default()
        }
    }

    fn cluster() -> ClusterExplanation {
        let endpoint = EndpointStatus {
            address: "10.0.0.7:8080".to_owned(),
            health: "healthy".to_owned(),
            weight: 1,
            ..EndpointStatus::default()
        };
        let endpoints = EndpointsStatus {
            state: EndpointsState::Complete,
            source: Some("consul".to_owned()),
            age_seconds: Some(0),
            endpoints: vec![endpoint],
            ..EndpointsStatus::default()
        };
        ClusterExplanation {
            cluster: "users_default".to_owned(),
            upstream: Some("default/users".to_owned()),
            weight: 1,
            endpoints: Some(endpoints),
            ..ClusterExplanation::default()
        }
    }

    #[test]
    fn how_it_ends_comes_first_and_what_did_not_answer_last() {
        let gateway = GatewayExplanation {
            namespace: "default".to_owned(),
            name: "edge".to_owned(),
            address: "0.0.0.0:8080".to_owned(),
            fleets: vec!["gateway-proxy".to_owned()],
            verdict: Verdict::Answered,
            summary: "it goes to upstream default/users".to_owned(),
            host: Some(HostExplanation {
                host: "a.example".to_owned(),
                domain: "*.example".to_owned(),
                how: "suffix".to_owned(),
                services: vec!["default/shop".to_owned()],
                domains: Vec::new(),
            }),
            route: Some(route("routes[1]", "prefix /users", None)),
            effect: Some(EffectExplanation { clusters: vec![cluster()], ..EffectExplanation::default() }),
            earlier: RouteList {
                total: 12,
                routes: vec![route("routes[0]", "exact /", Some("path /users is not /"))],
            },
            ..GatewayExplanation::default()
        };
        let explanation = Explanation {
            url: "http://a.example/users".to_owned(),
            method: "GET".to_owned(),
            gateways: vec![gateway],
            ..Explanation::default()
        };
        let expected = "\
GET http://a.example/users

Gateway default/edge on 0.0.0.0:8080, fleet gateway-proxy
it goes to upstream default/users
  host     a.example by *.example (suffix) of VirtualService default/shop
  route    RouteTable default/users routes[1] of VirtualService default/shop, users.yaml:7
           prefix /users
  cluster  users_default, Upstream default/users
    ADDRESS        HEALTH   ID  SOURCE  AGE  STATE
    10.0.0.7:8080  healthy  -   consul  now  complete
  not taken: routes before it (12, 1 of them here; -o json has all)
    ROUTE                                                                            MATCHES  WHY NOT
    RouteTable default/users routes[0] of VirtualService default/shop, users.yaml:7  exact /  path /users is not /";
        assert_eq!(render(&explanation), expected);
    }
}
