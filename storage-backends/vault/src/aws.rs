//! Credentials of AWS that the AWS engine makes: of a user that it creates and deletes, or of a role that it assumes.
//!
//! A user's credentials have a lease, which is renewed and which ends with the token that they were asked for with. Those
//! of a role end by themselves, whatever becomes of the token.

mod credentials;
mod watch;

use std::time::Duration;

use biplane_core::resources::secret::VaultAws;
use biplane_source::{Secret, SourceError};

use crate::client::Failure;
use crate::vault::Vault;
pub(crate) use watch::follow;

/// The fields of credentials.
const ACCESS_KEY: &str = "accessKey";
const SECRET_KEY: &str = "secretKey";
const SESSION_TOKEN: &str = "sessionToken";

/// The engine of references that name none.
const MOUNT: &str = "aws";

/// Credentials that are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    mount: String,
    role: String,
    role_arn: Option<String>,
    ttl: Option<Duration>,
}

impl Wanted {
    /// What a reference asks for.
    pub(crate) fn of(aws: &VaultAws) -> Result<Self, SourceError> {
        let mount = aws.mount.as_deref().unwrap_or(MOUNT).trim_matches('/').to_owned();
        if mount.is_empty() || aws.role.is_empty() || aws.role.contains('/') {
            return Err(SourceError::invalid("credentials of AWS need a mount, and a role without slashes")
                .hint("aws: { role: lambda }"));
        }
        let ttl = aws.ttl.as_ref().map(|ttl| ttl.0);
        Ok(Self { mount, role: aws.role.clone(), role_arn: aws.role_arn.clone(), ttl })
    }

    /// For messages.
    fn shown(&self) -> String {
        format!("credentials of AWS by {}/{}", self.mount, self.role)
    }
}

/// Credentials that are made now.
pub(crate) async fn read(vault: &Vault, wanted: &Wanted) -> Result<Secret, Failure> {
    credentials::make(vault, wanted).await.map(|credentials| credentials.secret())
}
