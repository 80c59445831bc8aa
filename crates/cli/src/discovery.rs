//! The sources of endpoints and services that the setting `discovery` can name. Beside [`backends`](crate::backends) the
//! only place that knows adapters: another one is a crate and a line here.

use std::collections::BTreeSet;
use std::sync::Arc;

use biplane_source::{EndpointSource, ServiceSource};

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
    match url.split_once(':').map(|(scheme, _)| scheme) {
        // A URL without a scheme may be anything, a token too.
        _ => Err(Failure::usage("discovery: one of them is no source of endpoints").hint(FORMS)),
    }
}
