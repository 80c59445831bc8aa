//! AWS: a signed question, "who am I?", that Vault asks STS in our place. The secret key stays here.
//!
//! Where credentials come from is looked at anew for each login, so that those that have ended are never signed with
//! twice: the role of a machine or a task gives others every few hours, and files and variables name others when they
//! are replaced.

use biplane_aws::{Account, Error, Settings, SignedCallerIdentity};
use biplane_core::scalars::SecretString;
use biplane_source::{Cause, SourceError};
use vaultrs::api::auth::aws::requests::IamLoginRequest;

use super::exchange;
use crate::client::{Client, Failure, Grant, Kind};
use crate::options::StsRegion;

/// What to log in with.
pub(super) struct Wanted<'a> {
    pub(super) mount: &'a str,
    pub(super) role: Option<&'a str>,
    pub(super) region: &'a StsRegion,
    pub(super) server_id: Option<&'a str>,
}

pub(super) async fn log_in(client: &Client, wanted: &Wanted<'_>) -> Result<Grant, Failure> {
    let signed = wanted.sign().await.map_err(|error| unsigned(&error))?;
    let endpoint = IamLoginRequest {
        mount: wanted.mount.to_owned(),
        role: wanted.role.map(str::to_owned),
        iam_http_request_method: signed.iam_http_request_method.clone(),
        iam_request_url: signed.iam_request_url.clone(),
        iam_request_body: signed.iam_request_body.clone(),
        iam_request_headers: signed.iam_request_headers.clone(),
    };
    let proofs = signed.secrets.iter().chain([&signed.iam_request_headers]).map(SecretString::new);
    exchange(client, "AWS", endpoint, proofs).await.map_err(|failure| wanted.refused(failure))
}

impl Wanted<'_> {
    async fn sign(&self) -> Result<SignedCallerIdentity, Error> {
        let named = match self.region {
            StsRegion::Named(name) => Some(name.clone()),
            StsRegion::Found => None,
        };
        let account = Account::load(Settings { region: named, ..Settings::default() }).await;
        let region = account.region().ok_or(Error::NoRegion)?;
        account.caller_identity(region, self.server_id).await
    }

    /// With what to do about it.
    fn refused(&self, failure: Failure) -> Failure {
        let hint = match failure.kind {
            Kind::Forbidden => {
                format!("whether auth/{} is a method of kind aws; authMount= if another is", self.mount)
            }
            Kind::Invalid if failure.error.hint.is_none() => self.hint_for(&failure.error.message),
            Kind::Invalid | Kind::RateLimited(_) | Kind::Down => return failure,
        };
        Failure { error: failure.error.hint(hint), ..failure }
    }

    /// Vault refuses with one status whatever is wrong; its words tell.
    fn hint_for(&self, told: &str) -> String {
        let says = |words: &str| told.contains(words);
        if says("entry for role") {
            self.no_role()
        } else if says("does not belong to the role") {
            "bound_iam_principal_arn of the role has the role or the user of AWS".to_owned()
        } else if says("Server-ID") {
            format!("iamServerId= is {}", self.setting("iam_server_id_header_value"))
        } else {
            let region = self.setting("sts_region");
            format!(
                "whether `aws sts get-caller-identity` works where this runs; region= is {region}; the clock is right"
            )
        }
    }

    fn no_role(&self) -> String {
        match self.role {
            Some(_) => format!("role= is one of `vault list auth/{}/roles`", self.mount),
            None => "role=NAME; without it the role is meant that is called like the role or the user of AWS"
                .to_owned(),
        }
    }

    /// A setting of the method that both sides have to agree on.
    fn setting(&self, name: &str) -> String {
        format!("what auth/{}/config/client has as {name}", self.mount)
    }
}

/// Credentials may come later, so all of it is tried again.
fn unsigned(error: &Error) -> Failure {
    let (message, hint) = error.message_and_hint();
    let cause = if error.is_temporary() { Cause::Unavailable } else { Cause::Invalid };
    let error = SourceError { cause, ..SourceError::new(format!("cannot log in by AWS: {message}")) };
    Failure { kind: Kind::Down, error: error.hint(hint) }
}
