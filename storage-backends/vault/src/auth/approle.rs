//! AppRole: a role's id, and a secret id if the role asks for one.

use std::path::Path;

use biplane_core::scalars::SecretString;
use vaultrs::api::auth::approle::requests::LoginWithApproleRequest;

use super::{credential, exchange};
use crate::client::{Client, Failure, Grant};
use crate::options::RoleId;

pub(super) async fn log_in(
    client: &Client,
    mount: &str,
    role_id: &RoleId,
    secret_id_file: Option<&Path>,
) -> Result<Grant, Failure> {
    let role_id = match role_id {
        RoleId::Text(text) => text.clone(),
        RoleId::File(file) => credential(file).await?.expose().to_owned(),
    };
    let secret_id = match secret_id_file {
        Some(file) => credential(file).await?,
        None => SecretString::default(),
    };
    let endpoint = LoginWithApproleRequest {
        mount: mount.to_owned(),
        role_id,
        secret_id: secret_id.expose().to_owned(),
    };
    exchange(client, "AppRole", endpoint, Some(secret_id)).await
}
