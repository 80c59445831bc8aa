//! What stands behind the question mark of a URL of Vault.

use biplane_agent::{Known, Parameters};
use biplane_source::SourceError;

/// The parameters that it may have, and what people put into it though everybody sees it, with where that belongs.
static KNOWN: Known = Known {
    names: &[
        "name",
        "namespace",
        "auth",
        "authMount",
        "role",
        "roleId",
        "roleIdFile",
        "secretIdFile",
        "jwtFile",
        "username",
        "passwordFile",
        "tokenFile",
        "region",
        "iamServerId",
        "caFile",
        "caPath",
        "certFile",
        "keyFile",
        "tlsServerName",
        "insecure",
        "refresh",
        "timeout",
        "maxRate",
        "kvMount",
        "layout",
        "glooRoot",
        "required",
        "retryMax",
        "settle",
    ],
    secrets: &[
        ("token", "tokenFile=FILE, BAO_TOKEN or VAULT_TOKEN"),
        ("secretId", "secretIdFile=FILE"),
        ("password", "passwordFile=FILE"),
        ("jwt", "jwtFile=FILE"),
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

/// The value, without which `of` makes no sense.
pub(super) fn require(
    parameters: &mut Parameters,
    name: &'static str,
    of: &str,
) -> Result<String, SourceError> {
    parameters.take(name).ok_or_else(|| wrong(&format!("{of} needs the parameter {name}")))
}

/// Whether anything was given that nobody has used.
pub(super) fn finish(parameters: &Parameters, auth: &str) -> Result<(), SourceError> {
    match parameters.unused() {
        None => Ok(()),
        Some(name) => Err(wrong(&format!("its parameter {name} does not go with auth={auth}"))),
    }
}

/// The URL may hold what should not be in it, so it is not repeated.
pub(super) fn wrong(what: &str) -> SourceError {
    SourceError::invalid(format!("the URL of Vault cannot be used: {what}"))
        .hint("vault://HOST:8200, vaults://HOST:8200 for TLS, or vault: with BAO_ADDR or VAULT_ADDR")
}
