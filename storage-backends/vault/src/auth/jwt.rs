//! JWT: a token that somebody signed whom Vault trusts. Nomad writes one for each task that asks for it.

use std::path::Path;

use vaultrs::api::auth::oidc::requests::JWTLoginRequest;

use super::{credential, exchange};
use crate::client::{Client, Failure, Grant};

pub(super) async fn log_in(
    client: &Client,
    mount: &str,
    role: Option<&str>,
    file: &Path,
) -> Result<Grant, Failure> {
    let jwt = credential(file).await?;
    let endpoint = JWTLoginRequest {
        mount: mount.to_owned(),
        jwt: jwt.expose().to_owned(),
        role: role.map(str::to_owned),
    };
    exchange(client, "JWT", endpoint, Some(jwt)).await
}
