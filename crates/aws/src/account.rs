//! Where credentials, the region and endpoints come from: what AWS's own tools look at, in their order.
//!
//! Credentials that end are kept until shortly before; all others are looked up each time, so that a file or variable
//! that has changed is seen. When new ones cannot be had, those that are still good go on.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_credential_types::provider::ProvideCredentials;
use aws_types::service_config::ServiceConfigKey;
use tokio::sync::Mutex;
use tracing::Dispatch;
use tracing::instrument::WithSubscriber;

use crate::caller_identity::{CallerIdentity, SignedCallerIdentity};
use crate::credentials::Credentials;
use crate::error::Error;
use crate::query::Service;

/// How long before their end new credentials are asked for. Instances and containers give new ones 5 minutes before.
const BEFORE_THE_END: Duration = Duration::from_mins(5);

/// How long it may take until there are credentials. The parts have shorter times of their own.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is said on purpose, and goes before what is found in the environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// The region, else `AWS_REGION`, the profile's, or the instance's.
    pub region: Option<String>,
    /// The profile, else `AWS_PROFILE`, or `default`.
    pub profile: Option<String>,
    /// The endpoint of STS, else `AWS_ENDPOINT_URL_STS` or `AWS_ENDPOINT_URL`, or the region's.
    pub sts_endpoint: Option<String>,
}

/// Who we are to AWS.
#[derive(Debug)]
pub struct Account {
    settings: Settings,
    region: Option<String>,
    /// As far as anything names them.
    endpoints: BTreeMap<Service, String>,
    known: Mutex<Option<Credentials>>,
}

impl Account {
    /// Looks at the environment. Where nothing says the region it asks the instance, which takes seconds where there is
    /// none; `AWS_EC2_METADATA_DISABLED=true` spares that. Credentials are not looked for yet.
    pub async fn load(settings: Settings) -> Self {
        let config = quietly(loader(&settings).load()).await;
        let region = config.region().map(ToString::to_string);
        let found = Service::ALL.map(|service| (service, endpoint_of(&config, service.id())));
        let found = found.into_iter().filter_map(|(service, url)| Some((service, url?)));
        let mut endpoints: BTreeMap<_, _> = found.collect();
        endpoints.extend(settings.sts_endpoint.clone().map(|url| (Service::Sts, url)));
        Self { settings, region, endpoints, known: Mutex::new(None) }
    }

    /// The region, where anything says one.
    pub fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// The endpoint of STS, where anything says one.
    pub fn sts_endpoint(&self) -> Option<&str> {
        self.endpoint(Service::Sts)
    }

    /// The endpoint of a service, where anything says one.
    pub fn endpoint(&self, service: Service) -> Option<&str> {
        self.endpoints.get(&service).map(String::as_str)
    }

    /// Says that a service has refused these credentials as old: the next ones are asked for anew.
    pub async fn refused(&self, credentials: &Credentials) {
        let mut known = self.known.lock().await;
        known.take_if(|known| known == credentials);
    }

    /// Credentials that are good now and for a while. Asking often is cheap.
    pub async fn credentials(&self) -> Result<Credentials, Error> {
        let mut known = self.known.lock().await;
        if let Some(fresh) = known.as_ref().filter(|known| is_fresh(known, SystemTime::now())) {
            return Ok(fresh.clone());
        }
        let best = best(known.as_ref(), self.ask().await, SystemTime::now())?;
        Ok(known.insert(best).clone())
    }

    /// Signs "who am I?" with these credentials, at this account's STS, for a Vault that has this server id.
    pub async fn caller_identity(
        &self,
        region: &str,
        server_id: Option<&str>,
    ) -> Result<SignedCallerIdentity, Error> {
        let identity = CallerIdentity { region, endpoint: self.sts_endpoint(), server_id };
        identity.sign(&self.credentials().await?, SystemTime::now())
    }

    /// Everything is read again: the files may be others now.
    async fn ask(&self) -> Result<Credentials, Error> {
        let mut settings = self.settings.clone();
        settings.region.clone_from(&self.region);
        let credentials = async {
            let config = loader(&settings).load().await;
            let provider = config.credentials_provider().expect("the loader always sets one");
            provider.provide_credentials().await
        };
        match tokio::time::timeout(PATIENCE, quietly(credentials)).await {
            Ok(answer) => Ok(Credentials::of(answer?)),
            Err(_) => Err(Error::TimedOut(PATIENCE)),
        }
    }
}

/// Whether they need not be asked for again yet. What does not end may have been replaced.
fn is_fresh(known: &Credentials, now: SystemTime) -> bool {
    lasts_until(known, now + BEFORE_THE_END)
}

/// The new ones, or those that are still good where there are no new ones.
fn best(
    known: Option<&Credentials>,
    asked: Result<Credentials, Error>,
    now: SystemTime,
) -> Result<Credentials, Error> {
    asked.or_else(|error| known.filter(|old| lasts_until(old, now)).cloned().ok_or(error))
}

fn lasts_until(credentials: &Credentials, moment: SystemTime) -> bool {
    credentials.expires().is_some_and(|end| end > moment)
}

fn loader(settings: &Settings) -> ConfigLoader {
    let mut loader = aws_config::defaults(BehaviorVersion::latest());
    if let Some(region) = &settings.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(profile) = &settings.profile {
        loader = loader.profile_name(profile);
    }
    loader
}

/// The endpoint that variables or the profile name for a service, or for all.
fn endpoint_of(config: &SdkConfig, service: &str) -> Option<String> {
    let key = ServiceConfigKey::builder().service_id(service).env("AWS_ENDPOINT_URL").profile("endpoint_url");
    let key = key.build().expect("all three are given");
    let own = config.service_config().and_then(|variables| variables.load_config(key));
    own.or_else(|| config.endpoint_url().map(str::to_owned))
}

/// Without what AWS's crates log: among their traces are requests and answers with tokens in them, and the command
/// line of a credential process. On the heap, for it is large.
fn quietly<'a, T>(work: impl Future<Output = T> + Send + 'a) -> Pin<Box<dyn Future<Output = T> + Send + 'a>> {
    Box::pin(work.with_subscriber(Dispatch::none()))
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    const END: SystemTime = UNIX_EPOCH;

    fn credentials(end: Option<SystemTime>) -> Credentials {
        Credentials::of(aws_credential_types::Credentials::new("id", "secret", None, end, "test"))
    }

    #[test]
    fn credentials_that_end_are_kept_until_shortly_before() {
        let known = credentials(Some(END));
        assert!(is_fresh(&known, END - BEFORE_THE_END - Duration::from_secs(1)));
        assert!(!is_fresh(&known, END - BEFORE_THE_END));
        assert!(!is_fresh(&credentials(None), END), "what does not end is looked up each time");
    }

    #[test]
    fn credentials_that_are_still_good_go_on_when_there_are_no_new_ones() {
        let known = credentials(Some(END));
        let before = END - Duration::from_secs(1);
        let failed = || Err(Error::TimedOut(PATIENCE));
        assert_eq!(best(Some(&known), failed(), before), Ok(known.clone()));
        assert_eq!(best(Some(&known), failed(), END), failed());
        assert_eq!(best(None, failed(), before), failed());
        let new = credentials(None);
        assert_eq!(best(Some(&known), Ok(new.clone()), before), Ok(new));
    }
}
