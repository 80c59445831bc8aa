//! What stands behind the question mark of a URL of Nomad.

use biplane_agent::{Known, Parameters};
use biplane_source::SourceError;

/// The parameters that it may have, and what people put into it though everybody sees it, with where that belongs.
static KNOWN: Known = Known {
    names: &[
        "name",
        "required",
        "namespaces",
        "region",
        "tokenFile",
        "auth",
        "caFile",
        "caPath",
        "certFile",
        "keyFile",
        "tlsServerName",
        "insecure",
        "refresh",
        "checkInterval",
        "timeout",
        "maxRequests",
        "checksPerSecond",
        "page",
        "retryMax",
        "confirm",
    ],
    secrets: &[
        ("token", "tokenFile=FILE, or NOMAD_TOKEN"),
        ("identity", "auth=identity, inside a task of Nomad"),
    ],
};

/// What stands behind the question mark.
pub(super) fn parse(query: &str) -> Result<Parameters, SourceError> {
    Parameters::parse(query, &KNOWN).map_err(|error| {
        let told = wrong(&error.message);
        match error.hint {
            Some(hint) => told.hint(hint),
            None => told,
        }
    })
}

/// The URL may hold what should not be in it, so it is not repeated.
pub(super) fn wrong(what: &str) -> SourceError {
    SourceError::invalid(format!("the URL of Nomad cannot be used: {what}"))
        .hint("nomad://HOST:4646, nomads://HOST:4646 for TLS, nomad+unix:///PATH, or nomad: with NOMAD_ADDR")
}
