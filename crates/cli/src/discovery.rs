//! The sources of endpoints that the setting `discovery` can name. Beside [`backends`](crate::backends) the only place that
//! knows adapters: another one is a crate and a line here.

use std::sync::Arc;

use biplane_source::EndpointSource;

use crate::exit::Failure;

const FORMS: &str = "consul://HOST:8500, consuls://HOST:8501 (by TLS), consul: (as CONSUL_HTTP_ADDR says), nomad://HOST:4646, \
                     nomads://HOST:4646 (by TLS), nomad: (as NOMAD_ADDR says), ec2: (as AWS_REGION says), dns:";

/// Opens the sources that these URLs name. Nothing is asked of them yet.
pub(crate) fn endpoints(urls: &[String]) -> Result<Vec<Arc<dyn EndpointSource>>, Failure> {
    let mut sources: Vec<Arc<dyn EndpointSource>> = Vec::new();
    for url in urls {
        let source = source(url)?;
        let name = source.name();
        if sources.iter().any(|other| other.name() == name) {
            return Err(Failure::usage(format!("discovery: two sources are named {name:?}"))
                .hint("give each a name of its own: ?name=..."));
        }
        sources.push(source);
    }
    Ok(sources)
}

fn source(url: &str) -> Result<Arc<dyn EndpointSource>, Failure> {
    match url.split_once(':').map(|(scheme, _)| scheme) {
        // A URL without a scheme may be anything, a token too.
        _ => Err(Failure::usage("discovery: one of them is no source of endpoints").hint(FORMS)),
    }
}
