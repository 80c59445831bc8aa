//! The TLS settings of a virtual service whose routers may each have some.

use biplane_core::key::ResourceRef;
use serde_json::{Map, Value, json};

use super::entry::Entry;
use super::policy::glob_matches;
use crate::compile::Domain;
use crate::router::Tls;
use crate::settings::Settings;

/// The certificate and further settings.
pub(super) struct Chosen {
    secret: ResourceRef,
    ssl_config: Map<String, Value>,
}

/// What the routers that claim a domain agree on, the senior first; `None`: there is no certificate for it.
pub(super) fn choose(claiming: &[&Entry], domain: &Domain, settings: &Settings) -> Option<Chosen> {
    let all = || claiming.iter().filter_map(|entry| entry.tls.as_ref());
    let of_settings = || {
        let host = domain.name();
        let certificate = settings.certificates.iter().find(|certificate| {
            certificate.hosts.is_empty() || certificate.hosts.iter().any(|glob| glob_matches(glob, &host))
        });
        certificate.map(|certificate| certificate.secret_ref.clone())
    };
    let secret = all().find_map(|tls| tls.secret.clone()).or_else(of_settings)?;
    let ssl_config = all().map(|tls| &tls.ssl_config).find(|config| !config.is_empty());
    Some(Chosen { secret, ssl_config: ssl_config.cloned().unwrap_or_default() })
}

impl Chosen {
    /// Whether a router asks for settings that others decided differently: it must not be served without them.
    pub(super) fn contradicts(&self, tls: &Tls) -> bool {
        !tls.ssl_config.is_empty() && tls.ssl_config != self.ssl_config
    }

    /// Whether a router named a certificate that another one replaces.
    pub(super) fn replaces(&self, tls: &Tls) -> bool {
        tls.secret.as_ref().is_some_and(|secret| *secret != self.secret)
    }

    /// The `sslConfig` of a virtual service.
    pub(super) fn json(&self, domain: &Domain) -> Value {
        let mut config = self.ssl_config.clone();
        config.insert("secretRef".to_owned(), json!(self.secret));
        if *domain != Domain::Any {
            config.entry("sniDomains").or_insert_with(|| json!([domain.name()]));
        }
        Value::Object(config)
    }
}
