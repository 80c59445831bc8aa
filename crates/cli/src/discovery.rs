//! The sources of endpoints and services that the setting `discovery` can name. Beside [`backends`](crate::backends) the
//! only place that knows adapters: another one is a crate and a line here.

use std::collections::BTreeSet;
use std::sync::Arc;

use biplane_consul_catalog::{CatalogOptions, ConnectSecrets, ConsulCatalog};
use biplane_dns::{DnsOptions, DnsSource};
use biplane_ec2::{Ec2Options, Ec2Source};
use biplane_nomad::{NomadOptions, NomadSource};
use biplane_source::{EndpointSource, SecretSource, ServiceSource, SourceError};

use crate::exit::Failure;

const FORMS: &str = "consul://HOST:8500, consuls://HOST:8501 (by TLS), consul: (as CONSUL_HTTP_ADDR says), nomad://HOST:4646, \
                     nomads://HOST:4646 (by TLS), nomad: (as NOMAD_ADDR says), ec2: (as AWS_REGION says), dns:";

/// Sources, opened.
#[derive(Default)]
pub(crate) struct Sources {
    /// All of them.
    pub(crate) endpoints: Vec<Arc<dyn EndpointSource>>,
    /// Those that list services with tags.
    pub(crate) services: Vec<Arc<dyn ServiceSource>>,
    /// Those that keep certificates of a service mesh.
    pub(crate) secrets: Vec<Arc<dyn SecretSource>>,
}

/// Opens the sources that these URLs name. Nothing is asked of them yet.
pub(crate) fn open(urls: &[String]) -> Result<Sources, Failure> {
    let mut sources = Sources::default();
    for url in urls {
        add(&mut sources, url)?;
    }
    let mut names = BTreeSet::new();
    for source in &sources.endpoints {
        if !names.insert(source.name()) {
            return Err(Failure::usage(format!("discovery: two sources are named {:?}", source.name()))
                .hint("give each a name of its own: ?name=..."));
        }
    }
    Ok(sources)
}

fn add(sources: &mut Sources, url: &str) -> Result<(), Failure> {
    let environment = |name: &str| std::env::var(name).ok();
    match url.split_once(':').map(|(scheme, _)| scheme) {
        Some("nomad" | "nomads" | "nomad+unix") => {
            let options = NomadOptions::from_url(url, &environment).map_err(wrong)?;
            let source = Arc::new(NomadSource::connect(options).map_err(wrong)?);
            sources.services.push(source.clone());
            sources.endpoints.push(source);
        }
        Some("consul" | "consuls" | "consul+unix") => {
            let options = CatalogOptions::from_url(url, &environment).map_err(wrong)?;
            let source = Arc::new(ConsulCatalog::connect(options).map_err(wrong)?);
            sources.secrets.push(Arc::new(ConnectSecrets::of(&source)));
            sources.services.push(source.clone());
            sources.endpoints.push(source);
        }
        Some("ec2") => {
            let options = Ec2Options::from_url(url, &environment).map_err(wrong)?;
            sources.endpoints.push(Arc::new(Ec2Source::new(options)));
        }
        Some("dns") => {
            let options = DnsOptions::from_url(url).map_err(wrong)?;
            sources.endpoints.push(Arc::new(DnsSource::new(options)));
        }
        // A URL without a scheme may be anything, a token too.
        _ => {
            return Err(Failure::usage("discovery: one of them is no source of endpoints").hint(FORMS));
        }
    }
    Ok(())
}

/// What the URL or its files lack; it repeats no credentials.
fn wrong(error: SourceError) -> Failure {
    let failure = Failure::usage(format!("discovery: {}", error.message));
    Failure { hint: error.hint, ..failure }
}
