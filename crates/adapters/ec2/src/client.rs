//! One call: signed, sent, read, within its time.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use biplane_aws::{Account, Credentials, QueryCall, Service, Settings};
use biplane_source::SourceError;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Response};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::counters::{Counters, count};
use crate::failure::{Failure, Kind};
use crate::options::Ec2Options;
use crate::xml::Element;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a connection without a call is kept.
const IDLE: Duration = Duration::from_secs(20);

/// More than a page of the largest machines has.
const BODY_MAX: usize = 64 << 20;

/// Who makes calls, once that is known.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) options: Ec2Options,
    pub(crate) counters: Arc<Counters>,
    /// Looked at with the first call: where nothing says a region the instance is asked, which takes time.
    loaded: OnceCell<Loaded>,
}

/// What the machine's environment says.
#[derive(Debug)]
struct Loaded {
    account: Account,
    http: reqwest::Client,
}

/// A call of a service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    pub(crate) service: Service,
    pub(crate) region: &'a str,
    pub(crate) action: &'a str,
    pub(crate) parameters: &'a [(String, String)],
}

impl Client {
    pub(crate) fn new(options: Ec2Options, counters: Arc<Counters>) -> Self {
        Self { options, counters, loaded: OnceCell::new() }
    }

    /// The account whose credentials are taken where an upstream has none.
    pub(crate) async fn account(&self) -> Result<&Account, Failure> {
        Ok(&self.loaded().await?.account)
    }

    /// Makes a call. What is not as it should be is told with the words of the policies: `ec2:DescribeInstances`.
    pub(crate) async fn call(&self, call: Call<'_>, credentials: &Credentials) -> Result<Element, Failure> {
        count(&self.counters.calls);
        let name = call.name();
        let answer = match timeout(self.options.timeout, self.send(call, &name, credentials)).await {
            Ok(answer) => answer,
            Err(_) => Err(Failure::timed_out(&name, self.options.timeout)),
        };
        match answer.as_ref().map_err(|failure| failure.kind) {
            Err(Kind::Throttled) => count(&self.counters.throttled),
            Err(Kind::Expired) => count(&self.counters.expired),
            _ => {}
        }
        answer
    }

    async fn send(&self, call: Call<'_>, name: &str, credentials: &Credentials) -> Result<Element, Failure> {
        let loaded = self.loaded().await?;
        let Call { service, region, action, parameters } = call;
        let endpoint = self.options.endpoint.as_deref().or_else(|| loaded.account.endpoint(service));
        let query = QueryCall { service, region, endpoint, action, parameters };
        let signed = query.sign(credentials, SystemTime::now())?;
        let mut request = loaded.http.post(&signed.url).body(signed.body);
        for (name, value) in &signed.headers {
            request = request.header(name, value.as_str());
        }
        let response = request.send().await.map_err(|error| Failure::broken(name, &error))?;
        let status = response.status();
        let root = Element::parse(&body(response, name).await?);
        if !status.is_success() {
            return Err(Failure::refused(name, status.as_u16(), root.as_ref()));
        }
        let expected = format!("{action}Response");
        root.filter(|root| root.name == expected)
            .ok_or_else(|| Failure::nonsense(name, &format!("it is no {expected}")))
    }

    async fn loaded(&self) -> Result<&Loaded, Failure> {
        self.loaded
            .get_or_try_init(|| async {
                let Ec2Options { region, profile, .. } = &self.options;
                let settings = Settings {
                    region: region.clone(),
                    profile: profile.clone(),
                    sts_endpoint: self.options.endpoint.clone(),
                };
                let account = Account::load(settings).await;
                let http = http(&self.options, &account).map_err(Failure::of)?;
                Ok(Loaded { account, http })
            })
            .await
    }
}

impl Call<'_> {
    fn name(&self) -> String {
        format!("{}:{}", self.service.name(), self.action)
    }
}

/// The text of an answer, up to a limit that is checked before it is kept.
async fn body(mut response: Response, name: &str) -> Result<String, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| Failure::broken(name, &error))? {
        if body.len() + chunk.len() > BODY_MAX {
            return Err(Failure::nonsense(name, "it does not end"));
        }
        body.extend_from_slice(&chunk);
    }
    String::from_utf8(body).map_err(|_| Failure::nonsense(name, "it is not UTF-8"))
}

fn http(options: &Ec2Options, account: &Account) -> Result<reqwest::Client, SourceError> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("biplane/", env!("CARGO_PKG_VERSION")))
        // A signature is for one host.
        .redirect(Policy::none())
        .connect_timeout(CONNECT)
        .pool_idle_timeout(IDLE);
    let endpoint = |service| options.endpoint.as_deref().or_else(|| account.endpoint(service));
    let is_plain = |service| endpoint(service).is_some_and(|url| url.starts_with("http://"));
    if Service::ALL.into_iter().all(is_plain) {
        // Without TLS nobody has to be trusted, and a machine without authorities is no reason to fail.
        builder = builder.tls_certs_only([]);
    } else if let Some(path) = &options.ca_bundle {
        let wrong = |why: String| {
            SourceError::invalid(format!("AWS_CA_BUNDLE: {}: {why}", path.display()))
                .hint("certificates in PEM")
        };
        let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
        let bundle = Certificate::from_pem_bundle(&pem).ok().filter(|bundle| !bundle.is_empty());
        builder = builder.tls_certs_only(bundle.ok_or_else(|| wrong("it holds no certificate".to_owned()))?);
    }
    builder
        .build()
        .map_err(|error| SourceError::invalid(format!("no connection to AWS can be made: {error}")))
}
