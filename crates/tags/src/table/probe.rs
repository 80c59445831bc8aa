//! Whether core takes what a router became. A virtual service holds routes of several services: one that does not
//! decode must be found before it stands among others.

use biplane_core::decode::decode;
use biplane_core::key::{Kind, ObjectKey};
use biplane_core::location::Location;
use biplane_core::report::{Report, Severity};
use serde_json::{Value, json};

use super::entry::Entry;

/// What core warns of; the error is what it refuses.
pub(super) fn decodes(entry: &Entry) -> Result<Vec<Report>, Box<Report>> {
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
    let mut warnings = check(&ObjectKey::new(Kind::VirtualService, "probe", "probe"), &service)?;
    for document in &entry.needs {
        warnings.extend(check(&document.key, &document.value)?);
    }
    Ok(warnings)
}

fn check(key: &ObjectKey, value: &Value) -> Result<Vec<Report>, Box<Report>> {
    let location = Location::Key { store: "tags".into(), key: key.name.as_str().into(), revision: 0 };
    let decoded = decode(&value.to_string(), key, &location);
    let (errors, warnings): (Vec<_>, Vec<_>) =
        decoded.reports.into_iter().partition(|report| report.severity == Severity::Error);
    errors.into_iter().next().map_or(Ok(warnings), |error| Err(Box::new(error)))
}
