//! Ways to an agent: a client agent in front of the servers, its cache, a Unix socket, TLS.

use std::fs;

use biplane_consul_catalog::CatalogOptions;
use biplane_testkit::certificates::Authority;
use biplane_testkit::{Consul, TempDir};

use crate::harness::{Instance, connect, counter, follow, options, until_failed, until_places};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_agent_and_its_cache_tell_what_the_servers_know() {
    let directory = TempDir::new("catalog-agent");
    let mut consul = Consul::builder().client_agent(true).start(&directory).await;
    let instances: Vec<_> = (1..=2).map(|number| Instance::new("web", number)).collect();
    let places: Vec<_> = instances.iter().map(Instance::at).collect();
    for cached in [false, true] {
        for instance in &instances {
            instance.register(&consul).await;
        }
        let source = connect(CatalogOptions { cached, ..options(consul.address()) });
        let mut watch = follow(&source, "web");
        until_places(&mut watch, &places).await;
        let before = counter(&source, "confirmations");
        instances[1].deregister(&consul).await;
        until_places(&mut watch, &places[..1]).await;
        // Only a cache needs somebody to vouch for it.
        assert_eq!(counter(&source, "confirmations") - before, u64::from(cached));
        instances[0].deregister(&consul).await;
        until_places(&mut watch, &[]).await;
    }
    instances[0].register(&consul).await;
    let source = connect(options(consul.address()));
    let mut watch = follow(&source, "web");
    until_places(&mut watch, &places[..1]).await;
    consul.kill_agent();
    until_failed(&mut watch, &places[..1]).await;
    consul.start_agent_again().await;
    until_places(&mut watch, &places[..1]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_url_leads_to_a_unix_socket() {
    let directory = TempDir::new("catalog-socket");
    let consul = Consul::builder().unix_socket(true).start(&directory).await;
    let instance = Instance::new("web", 1);
    instance.register(&consul).await;
    let url = format!("consul+unix://{}?name=east", consul.socket().display());
    let source = connect(CatalogOptions::from_url(&url, &|_| None).expect("a good URL"));
    until_places(&mut follow(&source, "web"), &[instance.at()]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_url_leads_to_tls_with_an_authority_and_a_token_from_the_environment() {
    let directory = TempDir::new("catalog-tls");
    let authority = Authority::new("catalog");
    let consul = Consul::builder().tls(&authority).acl(true).start(&directory).await;
    let instance = Instance::new("web", 1);
    instance.register(&consul).await;
    let file = directory.join("ca.pem");
    fs::write(&file, authority.certificate()).expect("write");
    let url = format!("consuls://{}?caFile={}", consul.address(), file.display());
    let env = |name: &str| {
        (name == "CONSUL_HTTP_TOKEN").then(|| biplane_testkit::consul::MANAGEMENT_TOKEN.to_owned())
    };
    let source = connect(CatalogOptions::from_url(&url, &env).expect("a good URL"));
    until_places(&mut follow(&source, "web"), &[instance.at()]).await;
}
