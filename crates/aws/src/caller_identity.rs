//! A signed question to STS, "who am I?", that somebody else asks in our place.
//!
//! This is how Vault's AWS login works: the client signs `GetCallerIdentity` and hands the request over, Vault sends it
//! to STS, and what STS answers is who the client is. The secret key stays here. Who gets hold of the signed request can
//! pose as us to a Vault for a quarter of an hour, so it is treated as a secret; a server id that Vault demands and that is
//! signed with it makes it useless elsewhere.

use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::HeaderValue;
use http::uri::Uri;
use serde::Serialize;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::credentials::Credentials;
use crate::error::Error;
use crate::sign::Unsigned;

const METHOD: &str = "POST";
const BODY: &str = "Action=GetCallerIdentity&Version=2011-06-15";
const CONTENT_TYPE: &str = "application/x-www-form-urlencoded; charset=utf-8";
const SERVER_ID: &str = "X-Vault-AWS-IAM-Server-ID";
const SERVICE: &str = "sts";

/// What to sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallerIdentity<'a> {
    /// The region whose STS is asked. Vault expects [`DEFAULT_REGION`](crate::DEFAULT_REGION), unless its `sts_region`
    /// and `sts_endpoint` say otherwise.
    pub region: &'a str,
    /// The URL of another STS than the region's own.
    pub endpoint: Option<&'a str>,
    /// What the Vault calls itself, its `iam_server_id_header_value`, if it demands that.
    pub server_id: Option<&'a str>,
}

/// A signed request, as fields of Vault's `auth/aws/login`; the role is not among them. All but the method are in
/// base64, and the headers are JSON inside.
#[derive(Clone, PartialEq, Eq, Serialize, Zeroize, ZeroizeOnDrop)]
pub struct SignedCallerIdentity {
    /// The method.
    pub iam_http_request_method: String,
    /// The URL.
    pub iam_request_url: String,
    /// The body.
    pub iam_request_body: String,
    /// The headers, with the signature.
    pub iam_request_headers: String,
    /// The parts of the headers that are secret. STS repeats the token when it finds a signature wrong, and Vault repeats
    /// STS, so whoever shows what Vault says looks for these in it.
    #[serde(skip)]
    pub secrets: Vec<String>,
}

impl CallerIdentity<'_> {
    /// Whether it can be signed.
    pub fn check(&self) -> Result<(), Error> {
        self.url_and_host().map(drop)
    }

    /// Signs the question for this moment.
    pub fn sign(&self, credentials: &Credentials, now: SystemTime) -> Result<SignedCallerIdentity, Error> {
        let (url, host) = self.url_and_host()?;
        let length = BODY.len().to_string();
        let mut headers = vec![("Content-Length", length.as_str()), ("Content-Type", CONTENT_TYPE)];
        headers.extend(self.server_id.map(|id| (SERVER_ID, id)));
        let request = Unsigned {
            method: METHOD,
            url: &url,
            headers: &headers,
            body: BODY.as_bytes(),
            region: self.region,
            service: SERVICE,
        };
        let signature = request.sign(credentials, now);
        headers.push(("Host", &host));
        headers.extend(signature.iter().map(|(name, value)| (usual_case(name), value.as_str())));
        Ok(SignedCallerIdentity {
            iam_http_request_method: METHOD.to_owned(),
            iam_request_url: STANDARD.encode(&url),
            iam_request_body: STANDARD.encode(BODY),
            iam_request_headers: STANDARD.encode(json(&headers).as_bytes()),
            secrets: signature.iter().filter_map(|(name, value)| secret_part(name, value)).collect(),
        })
    }

    /// Where it goes, if all parts of it are good.
    fn url_and_host(&self) -> Result<(String, String), Error> {
        let is_header = |id: &&str| HeaderValue::from_str(id).is_ok();
        if let Some(id) = self.server_id.filter(|id| !is_header(id)) {
            return Err(Error::ServerId(id.to_owned()));
        }
        let url = self.url()?;
        let host = host_of(&url)?;
        Ok((url, host))
    }

    fn url(&self) -> Result<String, Error> {
        let names = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if self.region.is_empty() || !self.region.bytes().all(names) {
            return Err(Error::Region(self.region.to_owned()));
        }
        Ok(match self.endpoint {
            // Vault takes no path but this one.
            Some(endpoint) => format!("{}/", endpoint.trim_end_matches('/')),
            None => format!("https://{}/", host_of_region(self.region)),
        })
    }
}

/// STS's host in a region. The default region's is the global one, which Vault asks.
fn host_of_region(region: &str) -> String {
    match region {
        crate::DEFAULT_REGION => "sts.amazonaws.com".to_owned(),
        china if china.starts_with("cn-") => format!("sts.{china}.amazonaws.com.cn"),
        other => format!("sts.{other}.amazonaws.com"),
    }
}

/// The host as the signature has it: without a port that goes without saying.
fn host_of(url: &str) -> Result<String, Error> {
    let wrong = || Error::Endpoint(url.to_owned(), "STS");
    let parsed: Uri = url.parse().map_err(|_| wrong())?;
    let (scheme, authority) = parsed.scheme_str().zip(parsed.authority()).ok_or_else(wrong)?;
    if parsed.path() != "/" || parsed.query().is_some() || authority.as_str().contains('@') {
        return Err(wrong());
    }
    match (scheme, authority.port_u16()) {
        ("https", None | Some(443)) | ("http", None | Some(80)) => Ok(authority.host().to_owned()),
        ("https" | "http", Some(_)) => Ok(authority.to_string()),
        _ => Err(wrong()),
    }
}

/// What the signer adds, as everybody else writes it.
fn usual_case(name: &str) -> &str {
    match name {
        "authorization" => "Authorization",
        "x-amz-date" => "X-Amz-Date",
        "x-amz-security-token" => "X-Amz-Security-Token",
        other => other,
    }
}

/// What is secret of a header that the signer adds.
fn secret_part(name: &str, value: &str) -> Option<String> {
    match name {
        "authorization" => value.split_once("Signature=").map(|(_, signature)| signature.to_owned()),
        "x-amz-security-token" => Some(value.to_owned()),
        _ => None,
    }
}

/// Vault wants every value in a list, as Go's HTTP headers have them.
fn json(headers: &[(&str, &str)]) -> Zeroizing<String> {
    let sorted: BTreeMap<&str, [&str; 1]> = headers.iter().map(|(name, value)| (*name, [*value])).collect();
    Zeroizing::new(serde_json::to_string(&sorted).expect("texts are JSON"))
}

impl fmt::Debug for SignedCallerIdentity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SignedCallerIdentity").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
