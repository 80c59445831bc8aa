//! Secrets as a table: where each comes from, how long it lasts and who uses it. Never a value.
//!
//! A running control plane knows that; of a store alone only the objects are known, and shown as all others.

use biplane_admin_api::Client;
use biplane_admin_api::resources::{Resource, Selector};
use biplane_admin_api::status::SecretStatus;
use biplane_core::key::Kind;
use biplane_core::scalars::Timestamp;

use super::Selection;
use crate::exit::Failure;
use crate::output;
use crate::standing;

/// The most names that a cell shows before it counts.
const NAMED: usize = 2;

/// The secrets that were asked for: those of the objects, and those that a source holds without an object.
pub(super) async fn of(
    client: &Client,
    selection: &Selection,
    objects: &[Resource],
) -> Result<Vec<SecretStatus>, Failure> {
    let mut secrets = standing::secrets(client).await?;
    let has_object = |secret: &SecretStatus| {
        objects.iter().any(|object| object.namespace == secret.namespace && object.name == secret.name)
    };
    let filter = &selection.filter;
    let all = selection.named.is_empty() && filter.selector.as_ref().is_none_or(Selector::is_empty);
    let in_namespace = |secret: &SecretStatus| {
        filter.namespace.as_ref().is_none_or(|namespace| *namespace == secret.namespace)
    };
    secrets.retain(|secret| has_object(secret) || all && in_namespace(secret));
    Ok(secrets)
}

/// Whether it is secrets that are asked for.
pub(super) fn are_asked_for(selection: &Selection) -> bool {
    selection.filter.kind == Some(Kind::Secret)
        && selection.named.iter().all(|named| named.kind == Kind::Secret)
}

/// The table; wide with what is seldom asked for.
pub(super) fn table(secrets: &[SecretStatus], wide: bool) -> String {
    let mut header =
        vec!["NAMESPACE", "NAME", "TYPE", "STATE", "SOURCE", "SUBJECT", "NAMES", "EXPIRES", "USED BY"];
    if wide {
        header.extend(["KEPT AT", "VERSION", "ISSUER", "RENEWS", "READ", "WHY"]);
    }
    output::table(&header, secrets.iter().map(|secret| row(secret, wide)))
}

fn row(secret: &SecretStatus, wide: bool) -> Vec<String> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let time = |time: Option<Timestamp>| time.map(|time| time.to_string()).unwrap_or_default();
    let state = if secret.rotating { "known, old roots too" } else { secret.state.as_str() };
    let source = secret.source.clone().unwrap_or_else(|| "the object".to_owned());
    let mut row = vec![
        secret.namespace.clone(),
        secret.name.clone(),
        secret.form.clone(),
        state.to_owned(),
        source,
        text(&secret.subject),
        some(&secret.names),
        time(secret.expires),
        some(&secret.users),
    ];
    if wide {
        row.extend([
            text(&secret.place),
            secret.version.map(|version| version.to_string()).unwrap_or_default(),
            text(&secret.issuer),
            time(secret.renews),
            time(secret.obtained),
            text(&secret.last_error),
        ]);
    }
    row
}

/// The first of them, and how many more there are.
fn some(names: &[String]) -> String {
    let shown = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
