//! Whether core takes what a router became. A virtual service holds routes of several services: one that does not
//! decode must be found before it stands among others.

use biplane_core::decode::decode;
use biplane_core::key::{Kind, ObjectKey};
use biplane_core::location::Location;
use biplane_core::report::Severity;
use serde_json::{Value, json};

use super::entry::Entry;

/// The error says what core refuses.
pub(super) fn decodes(entry: &Entry) -> Result<(), String> {
    let claim = entry.claims.first().expect("a router claims at least one domain");
    let routes: Vec<_> = entry
        .claims
        .iter()
        .flat_map(|domain| entry.steps.iter().map(move |step| (step, step.on(domain))))
        .filter(|(_, matchers)| !matchers.is_empty())
        .map(|(step, matchers)| step.route(&matchers))
        .collect();
    let mut service = json!({ "virtualHost": { "domains": [claim.name()], "routes": routes } });
    if let Some(tls) = &entry.tls {
        let mut ssl = tls.ssl_config.clone();
        let secret = tls.secret.clone().unwrap_or_default();
        ssl.insert("secretRef".to_owned(), json!({ "namespace": "probe", "name": secret.name + "probe" }));
        service["sslConfig"] = Value::Object(ssl);
    }
    check(&ObjectKey::new(Kind::VirtualService, "probe", "probe"), &service)?;
    entry.needs.iter().try_for_each(|document| check(&document.key, &document.value))
}

fn check(key: &ObjectKey, value: &Value) -> Result<(), String> {
    let location = Location::Key { store: "tags".into(), key: key.name.as_str().into(), revision: 0 };
    let decoded = decode(&value.to_string(), key, &location);
    let error = decoded.reports.into_iter().find(|report| report.severity == Severity::Error);
    error.map_or(Ok(()), |report| Err(format!("{}: {}", report.path, report.message)))
}
