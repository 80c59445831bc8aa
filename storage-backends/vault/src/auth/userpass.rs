//! A user name and a password.

use std::path::Path;

use vaultrs::api::auth::userpass::requests::LoginRequest;

use super::{credential, exchange};
use crate::client::{Client, Failure, Grant};

pub(super) async fn log_in(
    client: &Client,
    mount: &str,
    username: &str,
    password_file: &Path,
) -> Result<Grant, Failure> {
    let password = credential(password_file).await?;
    let endpoint = LoginRequest {
        mount: mount.to_owned(),
        username: username.to_owned(),
        password: password.expose().to_owned(),
    };
    exchange(client, "user name and password", endpoint, Some(password)).await
}
