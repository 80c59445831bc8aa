//! Services, what their tags made, who asks for them, and how their sources are doing, as people may see them.

use std::collections::{BTreeSet, HashMap};

use biplane_admin_api::status::{ServiceStatus, SourceStatus};
use biplane_core::key::Kind;
use biplane_source::Query;
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

/// Adds what the engine and the sources know of them.
pub(super) fn complete(
    engine: &Engine,
    sources: &[SourceStatus],
    mut services: Vec<ServiceStatus>,
) -> Vec<ServiceStatus> {
    for service in &mut services {
        if let Some(source) = sources.iter().find(|source| source.name == service.source) {
            service.age_seconds = source.age_seconds;
            service.last_error.clone_from(&source.last_error);
        }
    }
    with_users(engine, &mut services);
    with_hosts(engine, services)
}

/// Adds the upstreams that ask for them.
fn with_users(engine: &Engine, services: &mut [ServiceStatus]) {
    let mut users = HashMap::<(&str, &str), Vec<(Option<&str>, String)>>::new();
    for (name, asker, _) in engine.discovery().askers().filter(|(_, asker, _)| asker.is_named) {
        let Ok(question) = &asker.question else { continue };
        let (service, namespace) = match &question.request.query {
            Query::Consul(upstream) => (upstream.service_name.as_deref(), upstream.namespace.as_deref()),
            Query::Nomad(upstream) => (Some(&*upstream.service_name), upstream.namespace.as_deref()),
            Query::AwsEc2(_) | Query::Dns(_) => continue,
        };
        let key = (&*question.source, service.unwrap_or_default());
        users.entry(key).or_default().push((namespace, name.key(Kind::Upstream).to_string()));
    }
    for service in services {
        let asked = users.get(&(&*service.source, &*service.name)).into_iter().flatten();
        // Who names no namespace asks in that of the source, which is hardly ever another.
        let here = asked.filter(|(namespace, _)| {
            namespace.map_or_else(|| is_default(&service.namespace), |name| name == service.namespace)
        });
        service.users = here.map(|(_, upstream)| upstream.clone()).collect();
    }
}

fn is_default(namespace: &str) -> bool {
    matches!(namespace, "" | "default")
}

/// Adds the domains of the routes that their tags made.
fn with_hosts(engine: &Engine, mut services: Vec<ServiceStatus>) -> Vec<ServiceStatus> {
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
