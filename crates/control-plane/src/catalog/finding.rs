//! What there is to say about tags, in the words of objects.

use biplane_core::path::FieldPath;
use biplane_core::report::Report;
use biplane_tags::finding::Finding;
use biplane_tags::service::ServiceId;

/// A finding as a report. It is about no object, so the service comes first.
pub(crate) fn report(finding: &Finding) -> Report {
    let ServiceId { source_name, datacenter, namespace, name, .. } = &finding.service;
    let parts = [datacenter, namespace, name].into_iter().filter(|part| !part.is_empty());
    let service = parts.map(String::as_str).collect::<Vec<_>>().join("/");
    let mut message = format!("service {service} of {source_name}: ");
    if let Some(instance) = &finding.instance {
        message = format!("{message}instance {instance}: ");
    }
    if let Some(tag) = &finding.tag {
        message = format!("{message}tag {tag:?}: ");
    }
    message.push_str(&finding.message);
    if let Some(other) = &finding.other {
        message = format!("{message} (the other is {other})");
    }
    Report {
        object: None,
        location: None,
        path: FieldPath::root(),
        severity: finding.severity,
        message,
        hint: finding.hint.clone(),
    }
}
