//! Tokens themselves: taking one that others made, asking about one, making one last longer.

use biplane_core::scalars::SecretString;
use serde::Deserialize;
use vaultrs::api::token::requests::{LookupTokenSelfRequest, RenewTokenSelfRequest};

use super::{grant, invalid};
use crate::client::{Client, Failure, Grant, Kind};

/// What a token says of itself, as far as it counts.
#[derive(Deserialize)]
struct Token {
    /// What is left of its life in seconds; 0: it does not end.
    #[serde(default)]
    ttl: u64,
    #[serde(default)]
    renewable: bool,
}

/// A token that others made, with what is left of its life.
pub(super) async fn take(client: &Client, token: &SecretString) -> Result<Grant, Failure> {
    let looked = look_up(client, token).await;
    looked.map_err(|failure| if failure.kind == Kind::Forbidden { dead(failure) } else { failure })
}

fn dead(failure: Failure) -> Failure {
    let hint = "a token that is alive, and whose policy has what docs/policies/vault/renew-self.hcl has";
    Failure { error: failure.error.hint(hint), ..failure }
}

/// Whether a token is alive, and for how long.
pub(crate) async fn look_up(client: &Client, token: &SecretString) -> Result<Grant, Failure> {
    let call = invalid(client.call("look up the token", LookupTokenSelfRequest {}))?;
    let call = call.needs("read", "auth/token/lookup-self");
    let answer = client.send(&call, Some(token)).await?;
    let found = answer.envelope::<Token>().and_then(|envelope| envelope.data);
    let found = found.ok_or_else(|| Failure::malformed(&call, &client.address()))?;
    Ok(Grant { client_token: token.clone(), lease_duration: found.ttl, renewable: found.renewable })
}

/// Makes a token last longer.
pub(crate) async fn renew(client: &Client, token: &SecretString) -> Result<Grant, Failure> {
    let call = invalid(client.call("renew the token", RenewTokenSelfRequest { increment: None }))?;
    grant(client, &call.needs("update", "auth/token/renew-self"), Some(token)).await
}
