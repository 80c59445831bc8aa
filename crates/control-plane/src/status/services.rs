//! Services and what their tags made, as people may see them.

use std::collections::{BTreeSet, HashMap};

use biplane_admin_api::status::ServiceStatus;
use tokio::sync::{mpsc, oneshot};

use crate::catalog::Answer;
use crate::engine::Engine;

/// What is known of services; nothing where nobody looks at any.
pub(super) async fn known(catalog: &mpsc::Sender<Answer>) -> Vec<ServiceStatus> {
    let (answer, answered) = oneshot::channel();
    if catalog.send(answer).await.is_err() {
        return Vec::new();
    }
    answered.await.unwrap_or_default()
}

/// Adds the domains of the routes that their tags made.
pub(super) fn with_hosts(engine: &Engine, mut services: Vec<ServiceStatus>) -> Vec<ServiceStatus> {
    let mut hosts = HashMap::<&str, BTreeSet<&String>>::new();
    for (made_from, domains) in engine.graph().made_domains() {
        // `nomad prod/global/default/web, consul ...`: kind, source and service.
        for named in made_from.split(", ") {
            let name = named.split_once(' ').map_or(named, |(_, name)| name);
            // Tags make two more of each host: with any port, and with a dot at the end.
            let plain = domains.iter().filter(|domain| !domain.ends_with(":*") && !domain.ends_with('.'));
            hosts.entry(name).or_default().extend(plain);
        }
    }
    for service in &mut services {
        let found = hosts.get(name(service).as_str());
        service.hosts = found.into_iter().flatten().map(|host| (*host).clone()).collect();
    }
    services
}

fn name(service: &ServiceStatus) -> String {
    let namespace =
        if service.namespace.is_empty() { String::new() } else { format!("/{}", service.namespace) };
    format!("{}/{}{namespace}/{}", service.source, service.datacenter, service.name)
}
