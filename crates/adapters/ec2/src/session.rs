//! Who asks, as what, where: credentials that last, the role that is assumed with them, and how fast it all may go.
//!
//! Invariant: credentials that a service finds too old are replaced once for a call, and never asked for again and again.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use biplane_aws::{Credentials, Service};
use biplane_core::scalars::Timestamp;
use biplane_source::SourceError;
use tokio::sync::Mutex;
use tracing::info;

use crate::client::{Call, Client};
use crate::counters::count;
use crate::failure::{Failure, Kind};
use crate::rate::Rate;
use crate::xml::Element;

/// How long before its end a session is replaced.
const BEFORE_THE_END: Duration = Duration::from_mins(5);

/// What sessions are called in AWS's logs.
const SESSION_NAME: &str = "biplane";

/// Who asks, as what, where. Upstreams that are equal in this share everything.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Caller {
    /// `None`: what AWS's own tools would find.
    pub(crate) credentials: Option<biplane_source::Credentials>,
    /// `None`: what AWS's own tools would find.
    pub(crate) region: Option<String>,
    pub(crate) role: Option<Role>,
}

/// A role.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Role {
    pub(crate) arn: String,
    pub(crate) external_id: Option<String>,
}

/// A caller at work.
#[derive(Debug)]
pub(crate) struct Session {
    client: Arc<Client>,
    caller: Caller,
    rate: Rate,
    /// The session of the role.
    assumed: Mutex<Option<Assumed>>,
}

#[derive(Clone, Debug)]
struct Assumed {
    credentials: Credentials,
    until: SystemTime,
}

impl Caller {
    /// For people: `eu-west-1 as arn:aws:iam::1:role/web`. Nothing secret.
    pub(crate) fn label(&self) -> String {
        let region = self.region.as_deref().unwrap_or("default region");
        let key = self.credentials.as_ref().map(|credentials| format!(" with {}", credentials.access_key));
        let role = self.role.as_ref().map(|role| format!(" as {}", role.arn));
        [region.to_owned(), key.unwrap_or_default(), role.unwrap_or_default()].concat()
    }
}

impl Session {
    pub(crate) fn new(client: Arc<Client>, caller: Caller) -> Self {
        let rate = Rate::new(client.options.max_rate.get());
        Self { client, caller, rate, assumed: Mutex::default() }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// The region that is asked.
    pub(crate) async fn region(&self) -> Result<String, Failure> {
        if let Some(region) = &self.caller.region {
            return Ok(region.clone());
        }
        let region = self.client.account().await?.region().map(str::to_owned);
        region.ok_or_else(|| biplane_aws::Error::NoRegion.into())
    }

    /// Makes a call when it is its turn. Credentials that are too old are replaced, and it is made once more.
    pub(crate) async fn call(
        &self,
        service: Service,
        action: &str,
        parameters: &[(String, String)],
    ) -> Result<Element, Failure> {
        let region = self.region().await?;
        let call = Call { service, region: &region, action, parameters };
        let credentials = self.credentials(&region).await?;
        match self.take_turn(call, &credentials).await {
            Err(failure) if failure.kind == Kind::Expired => {
                self.refused(&credentials).await?;
                let newer = self.credentials(&region).await?;
                if newer == credentials {
                    return Err(failure);
                }
                info!(caller = self.caller.label(), "credentials of AWS were too old and are others now");
                self.take_turn(call, &newer).await
            }
            outcome => outcome,
        }
    }

    async fn take_turn(&self, call: Call<'_>, credentials: &Credentials) -> Result<Element, Failure> {
        self.rate.turn().await;
        let outcome = self.client.call(call, credentials).await;
        match &outcome {
            Ok(_) => self.rate.went_well(),
            Err(failure) if failure.kind == Kind::Throttled => self.rate.was_too_much(),
            Err(_) => {}
        }
        outcome
    }

    /// What calls are signed with: the caller's own credentials, or those of the role.
    async fn credentials(&self, region: &str) -> Result<Credentials, Failure> {
        let Some(role) = &self.caller.role else { return self.own().await };
        let mut assumed = self.assumed.lock().await;
        let now = SystemTime::now();
        if let Some(fresh) = assumed.as_ref().filter(|known| known.until > now + BEFORE_THE_END) {
            return Ok(fresh.credentials.clone());
        }
        match self.assume(role, region).await {
            Ok(new) => Ok(assumed.insert(new).credentials.clone()),
            // What is still good goes on.
            Err(failure) => match assumed.as_ref().filter(|known| known.until > now) {
                Some(known) => Ok(known.credentials.clone()),
                None => Err(failure),
            },
        }
    }

    async fn own(&self) -> Result<Credentials, Failure> {
        match &self.caller.credentials {
            None => Ok(self.client.account().await?.credentials().await?),
            Some(own) => {
                let token = own.session_token.as_ref().map(|token| token.as_str());
                Ok(Credentials::new(&own.access_key, own.secret_key.as_str(), token))
            }
        }
    }

    async fn assume(&self, role: &Role, region: &str) -> Result<Assumed, Failure> {
        let mut parameters = vec![
            ("RoleArn".to_owned(), role.arn.clone()),
            ("RoleSessionName".to_owned(), SESSION_NAME.to_owned()),
        ];
        parameters.extend(role.external_id.iter().map(|id| ("ExternalId".to_owned(), id.clone())));
        let call = Call { service: Service::Sts, region, action: "AssumeRole", parameters: &parameters };
        let own = self.own().await?;
        let answer = match self.take_turn(call, &own).await {
            Err(failure) if failure.kind == Kind::Expired => {
                self.own_refused(&own).await?;
                let newer = self.own().await?;
                if newer == own {
                    return Err(failure);
                }
                self.take_turn(call, &newer).await
            }
            outcome => outcome,
        };
        let answer = answer.map_err(|failure| with_role_hint(failure, &role.arn))?;
        count(&self.client.counters.sessions);
        assumed(&answer).ok_or_else(|| Failure::nonsense("sts:AssumeRole", "it has no credentials"))
    }

    /// A service has found these too old.
    async fn refused(&self, credentials: &Credentials) -> Result<(), Failure> {
        if self.caller.role.is_none() {
            return self.own_refused(credentials).await;
        }
        self.assumed.lock().await.take_if(|known| known.credentials == *credentials);
        Ok(())
    }

    async fn own_refused(&self, credentials: &Credentials) -> Result<(), Failure> {
        if self.caller.credentials.is_none() {
            self.client.account().await?.refused(credentials).await;
        }
        Ok(())
    }
}

fn assumed(answer: &Element) -> Option<Assumed> {
    let found = answer.find("Credentials")?;
    let until = found.text("Expiration")?.parse::<Timestamp>().ok()?;
    let until = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(until.0).ok()?);
    let token = Some(found.text("SessionToken")?);
    let credentials = Credentials::new(found.text("AccessKeyId")?, found.text("SecretAccessKey")?, token);
    Some(Assumed { credentials, until })
}

fn with_role_hint(mut failure: Failure, arn: &str) -> Failure {
    let SourceError { message, hint, .. } = &mut failure.error;
    message.push_str(&format!(" (role {arn})"));
    if failure.code == "AccessDenied" {
        let advice = "the role's trust policy has to name the caller, and the external id if it demands one; \
                      and the caller's own policy has to allow sts:AssumeRole of it";
        *hint = Some(advice.to_owned());
    }
    failure
}
