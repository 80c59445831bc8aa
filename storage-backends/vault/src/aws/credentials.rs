//! Having credentials made, and a user's made to last.

use std::time::{Duration, SystemTime};

use biplane_core::scalars::SecretString;
use biplane_source::{Secret, SourceError};
use rustify::Endpoint;
use rustify::enums::{RequestMethod, RequestType, ResponseType};
use rustify::errors::ClientError;
use serde::Deserialize;
use serde_json::json;
use vaultrs::api::aws::requests::GenerateCredentialsStsRequest;
use zeroize::Zeroizing;

use super::{ACCESS_KEY, SECRET_KEY, SESSION_TOKEN, Wanted};
use crate::client::{Call, Failure, Json, Kind, Plain};
use crate::counters::count;
use crate::pace;
use crate::vault::Vault;

/// Credentials, for as long as they last.
#[derive(Clone)]
pub(super) struct Credentials {
    access_key: SecretString,
    secret_key: SecretString,
    session_token: Option<SecretString>,
    lease: Option<SecretString>,
    obtained: SystemTime,
    pub(super) renews: SystemTime,
    pub(super) expires: SystemTime,
    /// The longest life that they were ever granted.
    longest: Duration,
}

/// What the engine answers with.
#[derive(Deserialize)]
struct Made {
    access_key: SecretString,
    secret_key: SecretString,
    /// The older name.
    #[serde(default)]
    security_token: Option<SecretString>,
    #[serde(default)]
    session_token: Option<SecretString>,
}

/// vaultrs has no call for leases.
struct RenewLease {
    id: SecretString,
}

impl Endpoint for RenewLease {
    type Response = ();
    const REQUEST_BODY_TYPE: RequestType = RequestType::JSON;
    const RESPONSE_BODY_TYPE: ResponseType = ResponseType::JSON;

    fn path(&self) -> String {
        "sys/leases/renew".to_owned()
    }

    fn method(&self) -> RequestMethod {
        RequestMethod::POST
    }

    fn body(&self) -> Result<Option<Vec<u8>>, ClientError> {
        Ok(Some(json!({ "lease_id": self.id.expose() }).to_string().into_bytes()))
    }
}

impl Credentials {
    /// Those of an earlier run, if nothing but time ends them.
    pub(super) fn known(secret: &Secret, now: SystemTime) -> Option<Self> {
        let text = |name| secret.fields.get(name).and_then(|value| std::str::from_utf8(value).ok());
        let (renews, expires) = (secret.renews?, secret.expires?);
        let session_token = text(SESSION_TOKEN).filter(|token| !token.is_empty())?;
        (now < renews && now < expires).then_some(Self {
            access_key: SecretString::new(text(ACCESS_KEY)?),
            secret_key: SecretString::new(text(SECRET_KEY)?),
            session_token: Some(SecretString::new(session_token)),
            lease: None,
            obtained: secret.obtained,
            renews,
            expires,
            longest: Duration::ZERO,
        })
    }

    /// Whether they end with the token that they were asked for with.
    pub(super) const fn end_with_the_token(&self) -> bool {
        self.session_token.is_none()
    }

    /// Whether their life can be made longer, and has not been cut by its maximum.
    pub(super) fn can_last(&self) -> bool {
        let life = self.expires.duration_since(self.obtained).unwrap_or_default();
        self.lease.is_some() && life >= self.longest.mul_f64(0.75)
    }

    pub(super) fn secret(&self) -> Secret {
        let value = |text: &SecretString| Zeroizing::new(text.expose().as_bytes().to_vec());
        let token = self.session_token.as_ref().map(value).unwrap_or_default();
        let fields = [
            (ACCESS_KEY, value(&self.access_key)),
            (SECRET_KEY, value(&self.secret_key)),
            (SESSION_TOKEN, token),
        ];
        let fields = fields.into_iter().filter(|(_, value)| !value.is_empty());
        let fields = fields.map(|(name, value)| (name.to_owned(), value)).collect();
        Secret {
            obtained: self.obtained,
            renews: Some(self.renews),
            expires: Some(self.expires),
            ..Secret::new(fields)
        }
    }

    fn live(&mut self, life: Duration, now: SystemTime) {
        self.obtained = now;
        self.renews = now + pace::between(life, 0.58, 0.667);
        self.expires = now + life;
        self.longest = self.longest.max(life);
    }
}

/// Has new credentials made, when it is our turn.
pub(super) async fn make(vault: &Vault, wanted: &Wanted) -> Result<Credentials, Failure> {
    let call = wanted.call(vault)?;
    vault.bucket.turn().await;
    let made = ask(vault, &call).await;
    let tally = vault.client.tally();
    count(if made.is_ok() { &tally.issued } else { &tally.issue_failures });
    made
}

async fn ask(vault: &Vault, call: &Call) -> Result<Credentials, Failure> {
    let address = vault.client.address();
    let answer = vault.ask(call).await?;
    if answer.status == 404 {
        return Err(Failure::missing(call, &address));
    }
    let envelope = answer.envelope::<Made>().ok_or_else(|| Failure::malformed(call, &address))?;
    let (life, renewable) = (Duration::from_secs(envelope.lease_duration), envelope.renewable);
    let lease = envelope.lease_id.filter(|lease| renewable && !lease.is_empty());
    let made = envelope.data.filter(|_| !life.is_zero()).ok_or_else(|| Failure::malformed(call, &address))?;
    let token = made.session_token.or(made.security_token).filter(|token| !token.is_empty());
    let now = SystemTime::now();
    let mut credentials = Credentials {
        access_key: made.access_key,
        secret_key: made.secret_key,
        session_token: token,
        lease,
        obtained: now,
        renews: now,
        expires: now,
        longest: Duration::ZERO,
    };
    credentials.live(life, now);
    Ok(credentials)
}

/// Makes a user's credentials last longer.
pub(super) async fn extend(
    vault: &Vault,
    wanted: &Wanted,
    old: &Credentials,
) -> Result<Credentials, Failure> {
    let mut new = old.clone();
    let id = new.lease.clone().unwrap_or_default();
    let call =
        vault.client.call(format!("renew the lease of {}", wanted.shown()), RenewLease { id: id.clone() });
    let call = call.map_err(invalid)?.hides(id).needs("update", "sys/leases/renew");
    let answer = vault.try_to_ask(&call).await?;
    let life = answer.envelope::<Json>().map(|envelope| Duration::from_secs(envelope.lease_duration));
    let life = life.filter(|life| !life.is_zero() && answer.status != 404);
    new.live(life.ok_or_else(|| Failure::malformed(&call, &vault.client.address()))?, SystemTime::now());
    Ok(new)
}

impl Wanted {
    /// Roles that assume another take parameters, which is what the second path is for.
    fn call(&self, vault: &Vault) -> Result<Call, Failure> {
        let what = format!("get {}", self.shown());
        let (call, verb, right) = if self.role_arn.is_none() && self.ttl.is_none() {
            let path = format!("{}/creds/{}", self.mount, self.role);
            (vault.client.call(what, Plain::get(path)), "creds", "read")
        } else {
            (vault.client.call(what, self.assume()), "sts", "update")
        };
        Ok(call.map_err(invalid)?.needs(right, format!("{}/{verb}/{}", self.mount, self.role)))
    }

    fn assume(&self) -> GenerateCredentialsStsRequest {
        GenerateCredentialsStsRequest {
            mount: self.mount.clone(),
            name: self.role.clone(),
            role_arn: self.role_arn.clone(),
            ttl: self.ttl.map(|ttl| format!("{}s", ttl.as_secs().max(1))),
            ..GenerateCredentialsStsRequest::default()
        }
    }
}

fn invalid(error: SourceError) -> Failure {
    Failure { kind: Kind::Invalid, error }
}
