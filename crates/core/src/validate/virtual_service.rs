//! Virtual services: domains, routes, TLS.

use std::collections::BTreeMap;

use super::{Validator, options, route, text, tls};
use crate::path::Trail;
use crate::resources::VirtualService;
use crate::resources::virtual_service::VirtualHost;

pub(super) fn virtual_service(v: &mut Validator<'_, '_>, service: &VirtualService, at: &Trail<'_>) {
    if let Some(config) = &service.ssl_config {
        tls::downstream(v, config, &at.field("sslConfig"));
    }
    match &service.virtual_host {
        None => v.missing(
            at,
            "the virtual service has no virtualHost",
            "write virtualHost: {domains: [...], routes: [...]}",
        ),
        Some(host) => virtual_host(v, host, &at.field("virtualHost")),
    }
}

fn virtual_host(v: &mut Validator<'_, '_>, host: &VirtualHost, at: &Trail<'_>) {
    domains(v, &host.domains, &at.field("domains"));
    route::routes(v, &host.routes, &at.field("routes"));
    if let Some(each) = &host.options {
        options::virtual_host_options(v, each, &at.field("options"));
    }
    if let Some(refs) = &host.options_config_refs {
        options::references(v, refs, &at.field("optionsConfigRefs"));
    }
}

fn domains(v: &mut Validator<'_, '_>, domains: &[String], at: &Trail<'_>) {
    let mut first: BTreeMap<String, usize> = BTreeMap::new();
    for (index, domain) in domains.iter().enumerate() {
        let at = at.index(index);
        if let Err(why) = text::domain(domain) {
            v.error(&at, format!("{domain:?}: {why}"));
        }
        // Envoy compares domains without regard to case, and refuses one that comes twice.
        if let Some(before) = first.insert(domain.to_ascii_lowercase(), index) {
            v.error_hint(
                &at,
                format!("{domain:?} is listed twice, first as domains[{before}]"),
                "remove one of them",
            );
        }
    }
}
