//! Credentials: an access key, perhaps with a token, perhaps for some time only.

use std::fmt;
use std::time::SystemTime;

/// Credentials of AWS. Cheap to clone; the memory of the secrets is shared, and overwritten when the last one goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials(aws_credential_types::Credentials);

impl Credentials {
    /// Credentials that somebody else gave, such as Vault's AWS secrets engine.
    pub fn new(access_key_id: &str, secret_access_key: &str, session_token: Option<&str>) -> Self {
        let token = session_token.map(str::to_owned);
        Self(aws_credential_types::Credentials::new(access_key_id, secret_access_key, token, None, "biplane"))
    }

    pub(crate) fn of(inner: aws_credential_types::Credentials) -> Self {
        Self(inner)
    }

    pub(crate) fn inner(&self) -> &aws_credential_types::Credentials {
        &self.0
    }

    /// The id of the access key.
    pub fn access_key_id(&self) -> &str {
        self.0.access_key_id()
    }

    /// The secret of the access key.
    pub fn secret_access_key(&self) -> &str {
        self.0.secret_access_key()
    }

    /// What goes with credentials that are good for some time only.
    pub fn session_token(&self) -> Option<&str> {
        self.0.session_token()
    }

    /// When they end, if it is known.
    pub fn expires(&self) -> Option<SystemTime> {
        self.0.expiry()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Credentials").field("expires", &self.expires()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_neither_key_nor_token() {
        let credentials = Credentials::new("AKIDEXAMPLE", "s3cr3t", Some("t0k3n"));
        assert_eq!(format!("{credentials:?}"), "Credentials { expires: None, .. }");
    }
}
