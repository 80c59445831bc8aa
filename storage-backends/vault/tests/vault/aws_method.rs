//! Vault's AWS method, which OpenBao has not, as HashiCorp documents it: it makes the request of a login anew, sends it to
//! the STS that it was told of, and whoever STS says that is has to be bound to the role.
//!
//! All that it refuses it refuses with 400, but for a path that no method has: like Vault, that is 403.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use biplane_testkit::Request;
use biplane_testkit::moto::element;
use serde_json::Value;

/// The only question to STS that it passes on.
const QUESTION: &str = "Action=GetCallerIdentity&Version=2011-06-15";

const SERVER_ID: &str = "X-Vault-AWS-IAM-Server-ID";

/// How a method is set up. Its mount is `aws`.
#[derive(Clone, Debug)]
pub(crate) struct Method {
    /// `sts_endpoint`
    pub(crate) sts: SocketAddr,
    /// `iam_server_id_header_value`
    pub(crate) server_id: Option<String>,
    /// `bound_iam_principal_arn` of each role.
    pub(crate) roles: BTreeMap<String, Vec<String>>,
    /// The id of an access key whose time STS says is over.
    pub(crate) ended: Option<String>,
    /// Whether STS finds every signature wrong, and repeats the whole request to show it.
    pub(crate) repeats: bool,
}

/// Somebody whom STS knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The role of Vault's.
    pub(crate) role: String,
    /// Who it is to AWS.
    pub(crate) arn: String,
    /// What the signature is good for: a day, a region, a service.
    pub(crate) scope: String,
}

/// A status and words.
type Refusal = (u16, String);

/// The headers of the signed request, each with one value.
struct Headers(BTreeMap<String, [String; 1]>);

impl Method {
    /// Without a role yet.
    pub(crate) fn new(sts: SocketAddr) -> Self {
        Self { sts, server_id: None, roles: BTreeMap::new(), ended: None, repeats: false }
    }

    /// Lets somebody log in to a role.
    pub(crate) fn bind(&mut self, role: &str, arn: &str) {
        self.roles.entry(role.to_owned()).or_default().push(arn.to_owned());
    }

    /// Who logs in.
    pub(crate) async fn judge(&self, mount: &str, login: &Value) -> Result<Caller, Refusal> {
        if mount != "aws" {
            return Err((403, "permission denied".to_owned()));
        }
        self.who(login).await.map_err(|words| (400, words))
    }

    async fn who(&self, login: &Value) -> Result<Caller, String> {
        if login["iam_http_request_method"] != "POST" {
            return Err("invalid iam_http_request_method".to_owned());
        }
        let url = decoded(login, "iam_request_url")?;
        let path = url.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]));
        if path != Some("/") || decoded(login, "iam_request_body")? != QUESTION {
            return Err("another request than one for the identity of the caller".to_owned());
        }
        let headers = serde_json::from_str(&decoded(login, "iam_request_headers")?);
        let headers = Headers(headers.map_err(|error| format!("headers: {error}"))?);
        self.check_server(&headers)?;
        let arn = self.ask(&headers).await.map_err(|why| format!("error making upstream request: {why}"))?;
        let role = self.role_of(login["role"].as_str(), &arn)?;
        Ok(Caller { role, arn, scope: headers.scope() })
    }

    fn check_server(&self, headers: &Headers) -> Result<(), String> {
        let Some(expected) = &self.server_id else { return Ok(()) };
        let signed = headers.part("SignedHeaders=");
        let why = match headers.get(SERVER_ID) {
            None => format!("missing header {SERVER_ID:?}"),
            Some(id) if id != expected => format!("expected {expected:?} but got {id:?}"),
            Some(_) if !signed.split(';').any(|name| name == SERVER_ID.to_ascii_lowercase()) => {
                "vault header wasn't signed".to_owned()
            }
            Some(_) => return Ok(()),
        };
        Err(format!("error validating {SERVER_ID} header: {why}"))
    }

    /// Sends the question on, with the host that it was signed for. What it answers is who asks.
    async fn ask(&self, headers: &Headers) -> Result<String, String> {
        let refused = |body: &str| format!("received error code 403 from STS: {body}");
        if self.repeats {
            return Err(refused(&format!("SignatureDoesNotMatch: {:?}", headers.0)));
        }
        if self.ended.as_ref().is_some_and(|id| headers.scope().starts_with(&format!("{id}/"))) {
            return Err(refused("ExpiredToken"));
        }
        let mut request = Request::post(headers.get("Host").ok_or("no host")?, "/", QUESTION);
        for (name, [value]) in headers.0.iter().filter(|(name, _)| *name != "Host") {
            request = request.header(name, value);
        }
        let answer = request.send_to(self.sts).await.map_err(|error| error.to_string())?;
        let text = answer.text();
        if answer.status == 200 {
            element(&text, "Arn").map_err(|error| error.to_string())
        } else {
            Err(refused(&text))
        }
    }

    /// The role that is asked for, else the one that is called like who asks.
    fn role_of(&self, wanted: Option<&str>, arn: &str) -> Result<String, String> {
        let name = arn.split('/').nth(1).unwrap_or_default();
        let role = wanted.filter(|role| !role.is_empty()).unwrap_or(name);
        let bound = self.roles.get(role).ok_or_else(|| format!("entry for role {role} not found"))?;
        if !bound.iter().any(|bound| bound == arn) {
            return Err(format!("IAM Principal {arn:?} does not belong to the role {role:?}"));
        }
        Ok(role.to_owned())
    }
}

impl Headers {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|[value]| value.as_str())
    }

    /// What stands behind this in the authorization.
    fn part(&self, name: &str) -> String {
        let whole = self.get("Authorization").unwrap_or_default();
        let (_, rest) = whole.split_once(name).unwrap_or_default();
        rest.split(',').next().unwrap_or_default().to_owned()
    }

    fn scope(&self) -> String {
        self.part("Credential=")
    }
}

fn decoded(login: &Value, name: &str) -> Result<String, String> {
    let text =
        login[name].as_str().filter(|text| !text.is_empty()).ok_or_else(|| format!("missing {name}"))?;
    let bytes = STANDARD.decode(text).map_err(|_| format!("failed to base64 decode {name}"))?;
    String::from_utf8(bytes).map_err(|_| format!("{name} is no text"))
}
