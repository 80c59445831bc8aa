//! TLS certificate: the connection itself says who we are.

use vaultrs::api::auth::cert::requests::LoginRequest;

use super::exchange;
use crate::client::{Client, Failure, Grant};

pub(super) async fn log_in(client: &Client, mount: &str, role: Option<&str>) -> Result<Grant, Failure> {
    // No name means any role that the certificate fits.
    let cert_name = role.unwrap_or_default().to_owned();
    exchange(client, "certificate", LoginRequest { mount: mount.to_owned(), cert_name }, None).await
}
